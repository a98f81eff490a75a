package archive

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/wormlog/wormlog/keys"
)

// Compression names how hard segments are compressed. All are zstd, and readers need not know.
type Compression string

// The compressions. On CloudTrail, default takes two thirds more time than fastest for a few per cent less, and better
// takes over twice the time for a tenth less.
const (
	CompressionFastest Compression = "fastest"
	CompressionDefault Compression = "default"
	CompressionBetter  Compression = "better"
)

func (c Compression) level() (zstd.EncoderLevel, error) {
	switch c {
	case CompressionFastest, "":
		return zstd.SpeedFastest, nil
	case CompressionDefault:
		return zstd.SpeedDefault, nil
	case CompressionBetter:
		return zstd.SpeedBetterCompression, nil
	}
	return 0, fmt.Errorf("the compression %q is not fastest, default or better", c)
}

// writeWindow is smaller than what readers must accept: an encoder takes over twice its window, and on batches of this
// size a larger one gains nothing.
const writeWindow = 4 << 20

// sealer turns batches into segments: it signs the lines in place, hashes the leaves and compresses. Not safe for
// concurrent use; a writer has one for each core, which bounds the memory that encoders take.
type sealer struct {
	zstd   *zstd.Encoder
	leaf   hash.Hash
	stream *stream // whose signer this is
	signer keys.EntrySigner
	sig    []byte
	sum    Hash // here and not on the stack, where it would escape
}

func newSealer(c Compression) (*sealer, error) {
	level, err := c.level()
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(true), zstd.WithWindowSize(writeWindow))
	if err != nil {
		return nil, fmt.Errorf("starting the zstd encoder: %w", err)
	}
	return &sealer{zstd: z, leaf: sha256.New()}, nil
}

// seal makes b's segment: b.sealed, all of b.segment that does not depend on the store, and what receipts will say.
func (s *sealer) seal(b *batch) error {
	if s.stream != b.stream {
		s.stream, s.signer = b.stream, b.stream.signer.Clone()
	}
	leaves := Range{Begin: b.first, End: b.first}
	e := newEntries(b)
	for i, sl := range b.slots {
		line := b.raw[sl.start : b.end(i)-1]
		if err := s.sign(line, &b.stream.head); err != nil {
			return err
		}
		leaf := s.leafHash(line)
		leaves.Append(leaf)
		e.add(b.raw[sl.id:sl.idEnd()], sl.after, leaf)
	}
	b.fate.entries = e
	b.sealed = s.zstd.EncodeAll(b.raw, b.sealed[:0])
	b.segment = SegmentRef{
		Key:            b.stream.name.SegmentKey(b.first, b.firstTime),
		Bytes:          uint64(len(b.sealed)),
		RawBytes:       uint64(len(b.raw)),
		Count:          uint64(len(b.slots)),
		FirstIndex:     b.first,
		FirstTimestamp: Instant{b.firstTime},
		LastTimestamp:  Instant{b.lastTime},
		KeyIDs:         []keys.ID{s.signer.KeyID()},
		Range:          leaves.Hashes,
	}
	return nil
}

// sign puts the signature into its place in the line.
func (s *sealer) sign(line []byte, h *lineHead) (err error) {
	s.sig, err = s.signer.AppendSignature(s.sig[:0], line[h.signed:len(line)-1])
	if err != nil {
		return fmt.Errorf("signing an entry with key %s: %w", s.signer.KeyID(), err)
	}
	base64.StdEncoding.Encode(line[h.signature:], s.sig)
	return nil
}

var leafPrefix = []byte{0}

// leafHash is the package's leafHash without its allocations.
func (s *sealer) leafHash(line []byte) Hash {
	s.leaf.Reset()
	s.leaf.Write(leafPrefix)
	s.leaf.Write(line)
	s.leaf.Sum(s.sum[:0])
	return s.sum
}

// newEntries makes room for what receipts will say of a batch's entries. IDs are mostly ULIDs, or not much longer.
func newEntries(b *batch) entries {
	n := len(b.slots)
	return entries{
		ids:    make([]byte, 0, n*32),
		idEnds: make([]uint32, 0, n),
		start:  b.firstTime,
		after:  make([]time.Duration, 0, n),
		leaves: make([]Hash, 0, n),
	}
}

func (e *entries) add(id []byte, after time.Duration, leaf Hash) {
	e.ids = append(e.ids, id...)
	e.idEnds = append(e.idEnds, uint32(len(e.ids)))
	e.after = append(e.after, after)
	e.leaves = append(e.leaves, leaf)
}
