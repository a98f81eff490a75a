package archive

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/wormlog/wormlog/keys"
)

// Format is the version name that every object written by this release carries. One log has one format.
const Format = keys.FormatDraft

// ErrUnknownFormat: an object names a format that this release does not know. It is the same error in package keys.
var ErrUnknownFormat = keys.ErrUnknownFormat

// Control writers: the first part of the names of control streams, one per role (docs/format.md, "Names").
const (
	ControlAuthority = string(keys.RoleAuthority)
	ControlCustodian = string(keys.RoleCustodian)
	ControlVerifier  = string(keys.RoleVerifier)
)

const (
	instantLayout = "2006-01-02T15:04:05.000000000Z"
	secondLayout  = "2006-01-02T15:04:05Z"
	dayLayout     = "2006-01-02"
)

// Instant is a time with nine digits of a second, as entries and manifests carry it. Years 2000 to 9999, UTC. It has all
// the methods by which encoders ask for JSON or text: those of the embedded time.Time would write another form.
type Instant struct{ time.Time }

// MarshalJSON writes an instant in quotes.
func (i Instant) MarshalJSON() ([]byte, error) { return quoteTime(i.MarshalText()) }

// UnmarshalJSON accepts exactly what MarshalJSON writes.
func (i *Instant) UnmarshalJSON(b []byte) error { return unquoteTime(b, i.UnmarshalText) }

// AppendText appends what MarshalText returns.
func (i Instant) AppendText(b []byte) ([]byte, error) { return appendTime(b, i.Time, instantLayout) }

// MarshalText writes the thirty characters of an instant.
func (i Instant) MarshalText() ([]byte, error) { return appendTime(nil, i.Time, instantLayout) }

// UnmarshalText accepts exactly what MarshalText writes.
func (i *Instant) UnmarshalText(b []byte) (err error) {
	i.Time, err = parseTime(string(b), instantLayout)
	return err
}

func (i Instant) String() string { return i.UTC().Format(instantLayout) }

// Second is a time in whole seconds, as S3 dates things. Years 2000 to 9999, UTC. Its methods are those of [Instant].
type Second struct{ time.Time }

// MarshalJSON writes a second in quotes.
func (s Second) MarshalJSON() ([]byte, error) { return quoteTime(s.MarshalText()) }

// UnmarshalJSON accepts exactly what MarshalJSON writes.
func (s *Second) UnmarshalJSON(b []byte) error { return unquoteTime(b, s.UnmarshalText) }

// AppendText appends what MarshalText returns.
func (s Second) AppendText(b []byte) ([]byte, error) { return appendTime(b, s.Time, secondLayout) }

// MarshalText writes the twenty characters of a second.
func (s Second) MarshalText() ([]byte, error) { return appendTime(nil, s.Time, secondLayout) }

// UnmarshalText accepts exactly what MarshalText writes.
func (s *Second) UnmarshalText(b []byte) (err error) {
	s.Time, err = parseTime(string(b), secondLayout)
	return err
}

func (s Second) String() string { return s.UTC().Format(secondLayout) }

func appendTime(b []byte, t time.Time, layout string) ([]byte, error) {
	t = t.UTC()
	if y := t.Year(); y < 2000 || y > 9999 {
		return nil, fmt.Errorf("the time %s is outside the years 2000 to 9999", t.Format(time.RFC3339))
	}
	return t.AppendFormat(b, layout), nil
}

func quoteTime(text []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return append(append([]byte{'"'}, text...), '"'), nil
}

func unquoteTime(b []byte, unmarshal func([]byte) error) error {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("%s is not a time in quotes", b)
	}
	return unmarshal(b[1 : len(b)-1])
}

func parseTime(s, layout string) (time.Time, error) {
	t, err := time.Parse(layout, s)
	if err != nil || len(s) != len(layout) {
		return time.Time{}, fmt.Errorf("%q is not a time of the form %s", s, layout)
	}
	if t.Year() < 2000 {
		return time.Time{}, fmt.Errorf("the time %q is before the year 2000", s)
	}
	return t, nil
}

// Hash is a SHA-256 value; lower-case hex in JSON.
type Hash [32]byte

// MarshalText writes 64 lower-case hex digits.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText accepts exactly what MarshalText writes.
func (h *Hash) UnmarshalText(b []byte) error {
	if len(b) != 2*len(h) {
		return fmt.Errorf("%q is not a SHA-256 in hex", b)
	}
	_, err := hex.Decode(h[:], b)
	return err
}

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// checkWriter says whether s may be the first part of a stream name: [a-z0-9][a-z0-9-]{0,62}, and not the name of role
// online, which has no streams.
func checkWriter(s string) error {
	ok := len(s) >= 1 && len(s) <= 63 && s[0] != '-'
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-'
	}
	if !ok {
		return fmt.Errorf("the writer name %q is not of the form [a-z0-9][a-z0-9-]{0,62}", s)
	}
	if s == string(keys.RoleOnline) {
		return fmt.Errorf("the writer name %s is reserved: it stands in the records of keys that sign key records, and no stream has it", s)
	}
	return nil
}

// StreamName is a parsed stream name: <writer>.<ULID>.
type StreamName struct {
	Writer string
	ID     ulid.ULID
}

// ParseStreamName parses a stream's name; anything but the canonical form is an error, and so is the writer online.
func ParseStreamName(s string) (StreamName, error) {
	writer, id, ok := strings.Cut(s, ".")
	if !ok {
		return StreamName{}, fmt.Errorf("the stream name %q is not of the form <writer>.<ULID>", s)
	}
	if err := checkWriter(writer); err != nil {
		return StreamName{}, fmt.Errorf("the stream name %q: %w", s, err)
	}
	u, err := ulid.ParseStrict(id)
	if err != nil || u.String() != id || u.Timestamp().Year() < 2000 || u.Timestamp().Year() > 9999 {
		return StreamName{}, fmt.Errorf("the stream name %q does not end in a ULID", s)
	}
	return StreamName{Writer: writer, ID: u}, nil
}

func (n StreamName) String() string { return n.Writer + "." + n.ID.String() }

// Opened is the time in the stream's ULID, to the millisecond.
func (n StreamName) Opened() time.Time { return n.ID.Timestamp().UTC() }

// Role is the role that may write this stream: a control role for the three reserved writers, else RoleWriter.
func (n StreamName) Role() keys.Role {
	switch n.Writer {
	case ControlAuthority, ControlCustodian, ControlVerifier:
		return keys.Role(n.Writer)
	}
	return keys.RoleWriter
}

// area is the folder in front of segments/ and manifests/: empty for data streams, control/<role>/ for control streams.
func (n StreamName) area() string {
	if r := n.Role(); r != keys.RoleWriter {
		return "control/" + string(r) + "/"
	}
	return ""
}

// Keys of the objects of a log, relative to its prefix (docs/format.md, "The bucket").
const (
	GenesisKey   = "log.json"
	keysPrefix   = "keys/"
	canaryPrefix = "canary/"
)

// RecordKey is where the key record of that ID is.
func RecordKey(id keys.ID) string { return keysPrefix + string(id) + ".json" }

// ManifestPrefix is the folder of a stream's manifests.
func (n StreamName) ManifestPrefix() string {
	return n.area() + "manifests/" + n.Opened().Format(dayLayout) + "/" + n.String() + "/"
}

// ManifestKey is where the manifest of that sequence number is.
func (n StreamName) ManifestKey(sequence uint64) string {
	return fmt.Sprintf("%s%012d.json", n.ManifestPrefix(), sequence)
}

// SegmentKey is where the segment is whose first entry has that index and timestamp.
func (n StreamName) SegmentKey(firstIndex uint64, firstTimestamp time.Time) string {
	t := firstTimestamp.UTC()
	return fmt.Sprintf("%ssegments/date=%s/hour=%s/stream=%s/%020d.ndjson.zst",
		n.area(), t.Format(dayLayout), t.Format("15"), n, firstIndex)
}
