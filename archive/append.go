package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/wormlog/wormlog/keys"
)

const defaultType = "entry"

// Append accepts a record and returns at once, unless so much is unarchived that it has to wait. The record is archived
// when the [Pending] says so, not before. ErrRecord: it cannot be archived as it is. ErrClosed, or the error that ended
// the writer: nothing more is accepted. If ctx ends before there is room, the record was not accepted.
func (w *Writer) Append(ctx context.Context, r Record) (Pending, error) {
	if ctx.Err() != nil {
		return Pending{}, context.Cause(ctx)
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	if err := s.prepare(&r, w.role); err != nil {
		return Pending{}, err
	}
	for {
		p, wait, err := w.accept(s)
		if wait == nil {
			return p, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return Pending{}, w.behind(context.Cause(ctx))
		}
	}
}

// accept gives a prepared record its place: stream, index, timestamp. If there is no room for it now, wait is closed when
// there may be. The lock is held for a copy of the record and little else, so that appenders hardly meet.
func (w *Writer) accept(s *scratch) (p Pending, wait <-chan struct{}, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.refusal(); err != nil {
		return Pending{}, nil, err
	}
	size := w.stream.lineSize(s)
	now := w.now()
	if w.stream.endedBy(now) {
		signal(w.renewNow)
		return Pending{}, w.roomLater(), nil
	}
	if !w.checkKeyAt.IsZero() && now.After(w.checkKeyAt) { // the timer is late, as those of a machine that slept are
		signal(w.renewNow)
	}
	if b := w.open; b != nil && !b.takes(size, &w.cfg) && !w.trySeal() {
		return Pending{}, w.roomLater(), nil
	}
	if w.pendingBytes > 0 && w.pendingBytes+size > w.cfg.MaxPendingBytes {
		w.trySeal() // or nothing would ever make room
		return Pending{}, w.roomLater(), nil
	}
	if w.open == nil {
		w.startBatch()
	}
	p = w.open.add(s, w.stream.stamp(now))
	w.stream.next++
	w.pendingBytes += size
	w.count(s)
	if w.open.full(&w.cfg) {
		w.trySeal()
	}
	return p, nil, nil
}

// now is the time as it is written. Round strips the monotonic reading: with it, two times would compare as the process
// ran and not as they are written.
func (w *Writer) now() time.Time { return w.cfg.Now().Round(0).UTC() }

func (w *Writer) count(s *scratch) {
	w.stats.Accepted++
	if s.reason != "" {
		w.stats.Base64[string(s.reason)]++
	}
}

// scratch holds what of an entry can be made before its place is known: the ID, and everything from the type on.
type scratch struct {
	id     []byte
	tail   []byte // `","type":"…` up to the end of the line, newline included
	reason payloadFault
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// maxScratch is the largest buffer that is kept for the next record.
const maxScratch = 256 << 10

func (s *scratch) release() {
	if cap(s.tail) <= maxScratch {
		scratches.Put(s)
	}
}

// prepare checks a record and lays it out, without the lock: this is where its JSON is checked and compacted.
func (s *scratch) prepare(r *Record, role keys.Role) error {
	if r.Type == "" {
		r.Type = defaultType
	}
	if err := r.check(role); err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	s.id = append(s.id[:0], r.ID...)
	if r.ID == "" {
		s.id = appendULID(s.id)
	}
	s.tail, s.reason = appendTail(s.tail[:0], r)
	return nil
}

func (r *Record) check(role keys.Role) error {
	if len(r.Data) > MaxPayloadBytes {
		return fmt.Errorf("the payload has %d bytes, over %d; split it, or archive it elsewhere and record its hash",
			len(r.Data), MaxPayloadBytes)
	}
	if r.ID != "" {
		if err := checkPlain("id", r.ID); err != nil {
			return err
		}
	}
	if err := checkPlain("type", r.Type); err != nil {
		return err
	}
	if err := checkMap("source", r.Source); err != nil {
		return err
	}
	if err := checkMap("meta", r.Meta); err != nil {
		return err
	}
	if !IsAct(r.Type) {
		return nil
	}
	if role == keys.RoleWriter {
		return fmt.Errorf(errActInAnotherStreams, r.Type)
	}
	_, err := ParseAct(role, r.Type, r.Data)
	return err
}

// appendTail appends an entry from its type on. The fault says why the payload is kept as base64, if it is.
func appendTail(dst []byte, r *Record) ([]byte, payloadFault) {
	dst = append(dst, `","type":"`...)
	dst = append(dst, r.Type...)
	dst = append(dst, '"')
	dst = appendMaps(dst, r.Source, r.Meta, nil)
	start := len(dst)
	dst = append(dst, `,"data":`...)
	dst, err := appendCompact(dst, r.Data)
	if err == nil {
		return append(dst, "}}\n"...), ""
	}
	var fault *payloadError
	errors.As(err, &fault)
	dst = appendBinary(dst[:start], r.Data)
	return append(dst, "}}\n"...), fault.fault
}

// appendULID appends a new ULID. It need not be secret, only unlike any other: its 80 random bits are from the runtime's
// ChaCha8.
func appendULID(dst []byte) []byte {
	var u ulid.ULID
	_ = u.SetTime(ulid.Now())
	binary.BigEndian.PutUint16(u[6:], uint16(rand.Uint32()))
	binary.BigEndian.PutUint64(u[8:], rand.Uint64())
	dst = append(dst, make([]byte, ulid.EncodedSize)...)
	_ = u.MarshalTextTo(dst[len(dst)-ulid.EncodedSize:])
	return dst
}

// lineHead is what every line of a stream begins with, up to the index.
type lineHead struct {
	text      []byte
	signature int // where the base64 of the signature goes
	signed    int // where the bytes begin that are signed
}

func newLineHead(stream string, signer keys.EntrySigner) lineHead {
	var h lineHead
	h.text = append(h.text, `{"key_id":"`...)
	h.text = append(h.text, signer.KeyID()...)
	h.text = append(h.text, `","signature":"`...)
	h.signature = len(h.text)
	h.text = append(h.text, make([]byte, (signer.SignatureSize()+2)/3*4)...)
	h.text = append(h.text, `","entry":`...)
	h.signed = len(h.text)
	h.text = append(h.text, `{"stream":"`...)
	h.text = append(h.text, stream...)
	h.text = append(h.text, `","index":`...)
	return h
}

// slot says where the parts of a line are.
type slot struct {
	start uint32 // of the line
	id    uint32
	tail  uint32
	after time.Duration // its timestamp, since the batch's first
}

const (
	beforeID    = `,"id":"`
	beforeStamp = `","timestamp":"`
	maxIndex    = 16 // digits of 2^53-1
)

// idEnd is where the ID of a slot ends.
func (s slot) idEnd() uint32 { return s.tail - uint32(len(instantLayout)+len(beforeStamp)) }

// append appends a line with room for its signature.
func (h *lineHead) append(dst []byte, index uint64, id []byte, at time.Time, tail []byte) ([]byte, slot) {
	var s slot
	s.start = uint32(len(dst))
	dst = append(dst, h.text...)
	dst = strconv.AppendUint(dst, index, 10)
	dst = append(dst, beforeID...)
	s.id = uint32(len(dst))
	dst = append(dst, id...)
	dst = append(dst, beforeStamp...)
	dst = appendInstant(dst, at)
	s.tail = uint32(len(dst))
	return append(dst, tail...), s
}

// size bounds the length of a line.
func (h *lineHead) size(s *scratch) int {
	return len(h.text) + maxIndex + len(beforeID) + len(s.id) + len(beforeStamp) + len(instantLayout) + len(s.tail)
}
