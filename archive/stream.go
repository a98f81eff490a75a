package archive

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/wormlog/wormlog/keys"
)

const (
	// maxStreamAge bounds a stream, so that finding what is new never means listing what is old.
	maxStreamAge = 7 * 24 * time.Hour
	// lateness is how long after its stream has closed to new entries a segment may still be written for the first time.
	lateness = 24 * time.Hour
	// promiseMargin is added to the store's time before a promise is computed from it: our notion of it is off by the
	// reply's way and by S3's whole seconds, and a promise must not be short by a second at midnight.
	promiseMargin = time.Minute
)

// stream is one stream that this writer owns. What accepting needs never changes; the chain belongs to the committer.
type stream struct {
	name     StreamName
	key      *keys.SigningKey
	signer   keys.EntrySigner // to be cloned
	ownKey   *keys.StreamKey  // nil if the record key signs everything
	head     lineHead
	opened   time.Time
	closesAt time.Time // no entry is accepted from then on

	// manifestsUntil is the one date to which all manifests of the stream are locked: the retention, counted from the
	// last moment at which a promise can be made in this stream. A manifest has to outlive the latest promise of its
	// stream, even one made in a later manifest, and its lock is set before that is known.
	manifestsUntil time.Time

	next uint64    // index of the next entry; under the writer's lock
	last time.Time // timestamp of the last entry; under the writer's lock

	before    *stream // the stream that this one continues
	committed bool    // sequence 0 is in the archive
	sequence  uint64  // of the next manifest
	previous  Previous
	tree      Range

	ctx context.Context // ends when the stream does
	end context.CancelCauseFunc
}

// openStream asks for the signing key and makes a stream.
func (w *Writer) openStream(ctx context.Context, before *stream) (*stream, error) {
	key, err := w.signingKey(ctx)
	if err != nil {
		return nil, err
	}
	return w.newStream(ctx, key, before)
}

func (w *Writer) signingKey(ctx context.Context) (*keys.SigningKey, error) {
	key, err := w.cfg.Key(ctx)
	if err != nil {
		return nil, fmt.Errorf("getting the signing key: %w", err)
	}
	return key, nil
}

// newStream makes a stream. Nothing is written: a crash from here to the first manifest leaves at most segments without
// one, which hold nothing that was acknowledged.
func (w *Writer) newStream(ctx context.Context, key *keys.SigningKey, before *stream) (*stream, error) {
	opened := w.now()
	id, err := ulid.New(ulid.Timestamp(opened), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("naming the stream: %w", err)
	}
	s := &stream{name: StreamName{Writer: w.cfg.Writer, ID: id}, key: key, opened: opened, before: before}
	s.closesAt = opened.Add(w.cfg.StreamAge)
	s.manifestsUntil = Retain(w.storeTime(s.closesAt).Add(lateness+promiseMargin), w.cfg.RetentionDays)
	if err := w.checkKey(ctx, key, s.name); err != nil {
		return nil, err
	}
	if s.signer, err = key.EntrySigner(s.name.String()); err != nil {
		return nil, err
	}
	s.head = newLineHead(s.name.String(), s.signer)
	if !w.cfg.NoStreamKey {
		if s.ownKey, err = keys.NewStreamKey(); err != nil {
			return nil, err
		}
	}
	s.ctx, s.end = context.WithCancelCause(w.ctx)
	return s, nil
}

// stamp returns the timestamp for the next entry: never before the last one's, whatever the clock does.
func (s *stream) stamp(now time.Time) time.Time {
	if now.After(s.last) {
		s.last = now
	}
	return s.last
}

// endedBy says that the stream takes no more entries: it is as old as it may be, or the clock was set back so far that the
// time of an entry could not be told in it.
func (s *stream) endedBy(now time.Time) bool {
	return !now.Before(s.closesAt) || s.last.Sub(now) > maxClockSkew
}

func (s *stream) lineSize(sc *scratch) int { return s.head.size(sc) }

// manifestSigner is the record key for sequence 0, which introduces the stream key, and the stream key afterwards.
func (s *stream) manifestSigner() keys.Signer {
	if s.sequence > 0 && s.ownKey != nil {
		return s.ownKey.Signer()
	}
	return s.key.Signer()
}

// manifest describes the given batches, which follow what was committed before, as the next link of the chain.
func (w *Writer) manifest(s *stream, group []*batch) (*Manifest, Range, error) {
	m := &Manifest{
		LogID: w.cfg.Log.ID, Stream: s.name.String(), Sequence: s.sequence,
		SealedAt: Instant{w.cfg.Now()}, Software: w.cfg.Software,
	}
	if m.SealedAt.Before(s.opened) { // the clock went back, perhaps to before 2000, which no manifest can say
		m.SealedAt = Instant{s.opened}
	}
	if s.sequence == 0 {
		m.Open = w.opening(s)
	} else {
		p := s.previous
		m.Previous = &p
	}
	tree := s.tree.Clone()
	for _, b := range group {
		m.Final = m.Final || b.final
		if len(b.slots) == 0 {
			continue
		}
		if err := tree.Merge(b.segment.Leaves()); err != nil {
			return nil, tree, fmt.Errorf("segment %s: %w", b.segment.Key, err)
		}
		m.Segments = append(m.Segments, b.segment)
	}
	m.Tree = TreeState{tree.End, tree.Hashes}
	return m, tree, nil
}

func (w *Writer) opening(s *stream) *Open {
	o := &Open{Liveness: FormatLiveness(w.cfg.Heartbeat)}
	if s.ownKey != nil {
		o.StreamKey = &StreamKey{Algorithm: s.ownKey.Algorithm(), PublicKey: s.ownKey.PublicKey()}
	}
	if p := s.predecessor(); p != nil {
		o.Continues = &Continues{Stream: p.name.String(), Sequence: p.sequence - 1, SHA256: p.previous.SHA256}
	}
	return o
}

// predecessor is the last stream before this one of which something is in the archive.
func (s *stream) predecessor() *stream {
	for p := s.before; p != nil; p = p.before {
		if p.committed {
			return p
		}
	}
	return nil
}

// advance notes that a manifest is in the archive.
func (s *stream) advance(tree Range, placed Placed) {
	s.committed = true
	s.sequence++
	s.tree = tree
	s.previous = Previous{SHA256: placed.SHA256, VersionID: placed.VersionID, RetainUntil: Second{placed.RetainUntil}}
	// A chain of streams years long must not stay in memory.
	s.before = nil
}

// close ends what the stream holds: uploads under way, and the key that could extend it.
func (s *stream) close(cause error) {
	s.end(cause)
	if s.ownKey != nil {
		s.ownKey.Destroy()
	}
}
