package archive

// What the vectors need of the inside.

// ErrRecordName is the error of a key record that is not what its name says.
var ErrRecordName = errRecordName

// ErrUnknownSigner is the error of a key record that a key signed of which there is no record.
var ErrUnknownSigner = errUnknownSigner

// DecodeSegment decodes a segment as a verifier does.
func DecodeSegment(b []byte, limit uint64) ([]byte, error) {
	d, err := newSegmentDecoder()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.decode(b, limit)
}

// LeafHash is the leaf of an entry line.
var LeafHash = leafHash

// EachLine calls f for every line of a decoded segment.
func EachLine(raw []byte, f func(line []byte) error) error { return lines(raw, f) }

// UsualVerdicts are the verdicts of all finding codes.
var UsualVerdicts = codes

// CountersignedActs puts heads into acts.
var CountersignedActs = countersignedActs
