package archive

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// Manifest is line 1 of a manifest: the signed, chained description of segments, and the record that commits them.
type Manifest struct {
	Format   string            `json:"format"`
	LogID    keys.LogID        `json:"log_id"`
	Stream   string            `json:"stream"`
	Sequence uint64            `json:"sequence"`
	Previous *Previous         `json:"previous,omitzero"` // absent in sequence 0 only
	SealedAt Instant           `json:"sealed_at"`
	Software string            `json:"software"`
	Open     *Open             `json:"open,omitzero"` // in sequence 0 only
	Segments []SegmentRef      `json:"segments"`      // empty in a heartbeat
	Tree     TreeState         `json:"tree"`
	Final    bool              `json:"final,omitzero"` // nothing follows
	Ext      map[string]string `json:"ext,omitempty"`
}

// Previous names the manifest before: its hash covers the whole stored object.
type Previous struct {
	SHA256      Hash   `json:"sha256"`
	VersionID   string `json:"version_id"`
	RetainUntil Second `json:"retain_until"`
}

// Open is what a stream says of itself in sequence 0.
type Open struct {
	// Liveness is "none", or "heartbeat:<seconds>": silent after twice that, by S3's dates.
	Liveness string `json:"liveness"`
	// StreamKey signs every later manifest of the stream, if present.
	StreamKey *StreamKey `json:"stream_key,omitzero"`
	// Continues ends the named stream, at its last manifest that the writer knows to be committed.
	Continues *Continues `json:"continues,omitzero"`
}

// StreamKey is the ephemeral key that signs all of a stream's manifests but the first.
type StreamKey struct {
	Algorithm keys.Algorithm `json:"algorithm"`
	PublicKey keys.PublicKey `json:"public_key"`
}

// Continues names the head of the stream that this one goes on from.
type Continues struct {
	Stream   string `json:"stream"`
	Sequence uint64 `json:"sequence"`
	SHA256   Hash   `json:"sha256"`
}

// SegmentRef pins one segment: identity, placement and promise.
type SegmentRef struct {
	Key            string    `json:"key"`
	VersionID      string    `json:"version_id"`
	Bytes          uint64    `json:"bytes"`
	SHA256         Hash      `json:"sha256"`
	RawBytes       uint64    `json:"raw_bytes"`
	Count          uint64    `json:"count"`
	FirstIndex     uint64    `json:"first_index"`
	FirstTimestamp Instant   `json:"first_timestamp"`
	LastTimestamp  Instant   `json:"last_timestamp"`
	KeyIDs         []keys.ID `json:"key_ids"` // distinct, ascending
	Range          []Hash    `json:"range"`   // compact range of its own leaves
	RetainUntil    Second    `json:"retain_until"`
}

// TreeState is the stream's RFC 6962 tree after this manifest: its size and the compact range of all of it.
type TreeState struct {
	Size  uint64 `json:"size"`
	Range []Hash `json:"range"`
}

// Caps of a manifest.
const (
	MaxManifestBytes    = 1 << 20 // both lines
	MaxManifestSegments = 1000
)

// Liveness values.
const livenessNone = "none"

// FormatLiveness returns the open.liveness of a stream that writes at least every interval; "none" for 0.
func FormatLiveness(interval time.Duration) string {
	if interval <= 0 {
		return livenessNone
	}
	return "heartbeat:" + strconv.FormatInt(int64(interval/time.Second), 10)
}

// Heartbeat is the interval that open.liveness promises, 0 if none.
func (o *Open) Heartbeat() (time.Duration, error) {
	if o.Liveness == livenessNone {
		return 0, nil
	}
	s, ok := strings.CutPrefix(o.Liveness, "heartbeat:")
	n, err := strconv.ParseUint(s, 10, 31)
	if !ok || err != nil || n == 0 || strconv.FormatUint(n, 10) != s {
		return 0, fmt.Errorf("the liveness %q is neither none nor heartbeat:<seconds>", o.Liveness)
	}
	return time.Duration(n) * time.Second, nil
}

// SignManifest checks m against the format's rules and returns it as stored.
func SignManifest(m *Manifest, signer keys.Signer) ([]byte, error) {
	m.Format = Format
	if m.Segments == nil {
		m.Segments = []SegmentRef{}
	}
	if m.Tree.Range == nil {
		m.Tree.Range = []Hash{}
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	b, err := signLine(keys.KindManifest, m.LogID, signer, m)
	if err != nil {
		return nil, err
	}
	if len(b) > MaxManifestBytes {
		return nil, fmt.Errorf("the manifest of %d segments has %d bytes, over %d", len(m.Segments), len(b), MaxManifestBytes)
	}
	return b, nil
}

// ParseManifest parses a manifest strictly and checks all that one manifest can be judged by alone: members, bounds,
// segment keys, indices, ranges. It judges neither the signature (returned with line 1) nor the chain.
func ParseManifest(b []byte) (*Manifest, lineobject.Object, error) {
	if len(b) > MaxManifestBytes {
		return nil, lineobject.Object{}, fmt.Errorf("%w: %d bytes, over %d", ErrMalformed, len(b), MaxManifestBytes)
	}
	m := new(Manifest)
	o, err := parseLineObject(b, m)
	if err != nil {
		return nil, o, err
	}
	if err := m.check(); err != nil {
		return nil, o, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return m, o, nil
}

// ManifestDigest is what previous, heads and attestations name a manifest by: the SHA-256 of the stored object.
func ManifestDigest(b []byte) Hash { return sha256.Sum256(b) }

func (m *Manifest) check() error {
	name, err := ParseStreamName(m.Stream)
	if err != nil {
		return err
	}
	if err := m.LogID.Valid(); err != nil {
		return err
	}
	if err := checkIntegers(m.Sequence, m.Tree.Size); err != nil {
		return err
	}
	if m.Sequence >= 1e12 {
		return fmt.Errorf("the sequence %d has over 12 digits", m.Sequence)
	}
	if (m.Sequence == 0) != (m.Previous == nil) || (m.Sequence == 0) != (m.Open != nil) {
		return fmt.Errorf("sequence %d: open belongs to sequence 0 alone and previous to all others", m.Sequence)
	}
	if m.Open != nil {
		if err := m.Open.check(name); err != nil {
			return err
		}
	}
	if m.Previous != nil {
		if err := checkText("previous.version_id", m.Previous.VersionID, 1024); err != nil {
			return err
		}
	}
	if err := errors.Join(checkText("software", m.Software, 128), checkMap("ext", m.Ext)); err != nil {
		return err
	}
	return m.checkSegments(name)
}

func (o *Open) check(name StreamName) error {
	if _, err := o.Heartbeat(); err != nil {
		return err
	}
	if k := o.StreamKey; k != nil {
		if err := k.PublicKey.Check(k.Algorithm); err != nil {
			return fmt.Errorf("the stream key: %w", err)
		}
	}
	if c := o.Continues; c != nil {
		before, err := ParseStreamName(c.Stream)
		if err != nil {
			return fmt.Errorf("continues: %w", err)
		}
		if before.Writer != name.Writer || before == name {
			return fmt.Errorf("continues: the stream %s is not another stream of the writer %s", before, name.Writer)
		}
		return checkIntegers(c.Sequence)
	}
	return nil
}

// ID is the stream key's ID.
func (k *StreamKey) ID() keys.ID { return keys.StreamKeyID(k.PublicKey) }

func (m *Manifest) checkSegments(name StreamName) error {
	if m.Segments == nil || m.Tree.Range == nil {
		return fmt.Errorf("segments and tree.range are lists, never null")
	}
	if len(m.Segments) > MaxManifestSegments {
		return fmt.Errorf("%d segments, over %d", len(m.Segments), MaxManifestSegments)
	}
	if _, err := NewRange(0, m.Tree.Size, m.Tree.Range); err != nil {
		return fmt.Errorf("tree: %w", err)
	}
	begin := m.Begin()
	if begin > m.Tree.Size {
		return fmt.Errorf("tree: size %d is less than the entries of the segments", m.Tree.Size)
	}
	if m.Sequence == 0 && begin != 0 {
		return fmt.Errorf("tree: sequence 0 begins at entry %d", begin)
	}
	next := begin
	for i := range m.Segments {
		s := &m.Segments[i]
		if err := s.check(name); err != nil {
			return fmt.Errorf("segment %d: %w", i, err)
		}
		if s.FirstIndex != next {
			return fmt.Errorf("segment %d: first_index %d, want %d", i, s.FirstIndex, next)
		}
		if i > 0 && s.FirstTimestamp.Before(m.Segments[i-1].LastTimestamp.Time) {
			return fmt.Errorf("segment %d: first_timestamp is before the last_timestamp of the one before", i)
		}
		next += s.Count
	}
	if next != m.Tree.Size {
		return fmt.Errorf("tree: size %d, but the segments end at %d", m.Tree.Size, next)
	}
	return nil
}

// Begin is the index of the first entry that this manifest commits.
func (m *Manifest) Begin() uint64 {
	if len(m.Segments) == 0 {
		return m.Tree.Size
	}
	return m.Segments[0].FirstIndex
}

// Range is the compact range of the whole tree.
func (m *Manifest) Range() Range { return Range{0, m.Tree.Size, m.Tree.Range} }

// Leaves is the compact range of the segment's own leaves.
func (s *SegmentRef) Leaves() Range {
	return Range{s.FirstIndex, s.FirstIndex + s.Count, s.Range}
}

func (s *SegmentRef) check(name StreamName) error {
	if err := checkIntegers(s.Bytes, s.RawBytes, s.Count, s.FirstIndex, s.FirstIndex+s.Count); err != nil {
		return err
	}
	if want := name.SegmentKey(s.FirstIndex, s.FirstTimestamp.Time); s.Key != want {
		return fmt.Errorf("the key is %q, want %q", s.Key, want)
	}
	if err := checkText("version_id", s.VersionID, 1024); err != nil {
		return err
	}
	if s.Count == 0 || s.RawBytes < s.Count || s.RawBytes > MaxSegmentBytes || s.Bytes == 0 || s.Bytes > maxStoredSegment {
		return fmt.Errorf("count %d, raw_bytes %d or bytes %d is out of bounds", s.Count, s.RawBytes, s.Bytes)
	}
	if s.LastTimestamp.Before(s.FirstTimestamp.Time) {
		return fmt.Errorf("last_timestamp is before first_timestamp")
	}
	if len(s.KeyIDs) == 0 {
		return fmt.Errorf("key_ids is empty")
	}
	for i, id := range s.KeyIDs {
		if err := id.Valid(); err != nil {
			return fmt.Errorf("key_ids: %w", err)
		}
		if i > 0 && id <= s.KeyIDs[i-1] {
			return fmt.Errorf("key_ids are not distinct and ascending")
		}
	}
	if s.Range == nil {
		return fmt.Errorf("range is null")
	}
	_, err := NewRange(s.FirstIndex, s.FirstIndex+s.Count, s.Range)
	return err
}

// checkText accepts 1 to limit characters of printable ASCII.
func checkText(what, s string, limit int) error {
	if len(s) < 1 || len(s) > limit {
		return fmt.Errorf("%s does not have 1 to %d characters", what, limit)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return fmt.Errorf("%s %q is not printable ASCII", what, s)
		}
	}
	return nil
}
