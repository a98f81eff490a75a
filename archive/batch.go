package archive

import "time"

// batch is a run of entries of one stream on their way: open (it takes entries), then queued (sealed, uploaded and
// committed in the order of the queue). Without entries it stands for a heartbeat or for the end of a stream.
//
// While it is open, the writer's lock guards it. Then it belongs to its process goroutine until placed is closed, and to
// the committer afterwards.
type batch struct {
	stream *stream
	first  uint64 // index of the first entry
	buffers
	firstTime, lastTime time.Time
	bytes               int  // of MaxPendingBytes
	final               bool // the stream ends with it
	fate                *fate

	timer *time.Timer // seals it when it is old; nil without entries
	due   bool        // it was old when there was no room in the queue

	placed    chan struct{} // closed when the segment is known to exist, or err is set
	attempted bool          // the segment, or the manifest, may exist
	segment   SegmentRef
	err       error
}

// buffers are the large parts of a batch, which are used again.
type buffers struct {
	raw    []byte // the lines, with their newlines
	slots  []slot // one a line
	sealed []byte // the zstd frame
}

func newBatch(s *stream, first uint64, b buffers) *batch {
	return &batch{stream: s, first: first, buffers: b, fate: newFate(), placed: make(chan struct{})}
}

func (b *batch) takes(size int, c *WriterConfig) bool {
	return len(b.slots) == 0 || len(b.slots) < c.BatchEntries && len(b.raw)+size <= c.BatchBytes
}

// full says that the batch can be sealed without waiting for the next entry.
func (b *batch) full(c *WriterConfig) bool {
	return len(b.slots) >= c.BatchEntries || len(b.raw) >= c.BatchBytes
}

func (b *batch) add(s *scratch, now time.Time) Pending {
	p := Pending{b.fate, uint32(len(b.slots))}
	b.line(s.id, now, s.tail)
	b.bytes += b.stream.lineSize(s)
	return p
}

func (b *batch) line(id []byte, at time.Time, tail []byte) {
	var sl slot
	b.raw, sl = b.stream.head.append(b.raw, b.first+uint64(len(b.slots)), id, at, tail)
	if len(b.slots) == 0 {
		b.firstTime = at
	}
	b.lastTime, sl.after = at, at.Sub(b.firstTime)
	b.slots = append(b.slots, sl)
}

// end is where line i ends, newline included.
func (b *batch) end(i int) uint32 {
	if i+1 < len(b.slots) {
		return b.slots[i+1].start
	}
	return uint32(len(b.raw))
}

// moveTo lays the entries out again as entries of another stream: same IDs and contents, new places, new time. The fate
// stays, so whoever waits for an entry learns of its new place.
func (b *batch) moveTo(s *stream, first uint64, at time.Time, fresh buffers) (old buffers) {
	old = b.buffers
	b.stream, b.first, b.buffers = s, first, fresh
	b.placed, b.attempted, b.segment, b.err = make(chan struct{}), false, SegmentRef{}, nil
	for i, sl := range old.slots {
		end := uint32(len(old.raw))
		if i+1 < len(old.slots) {
			end = old.slots[i+1].start
		}
		b.line(old.raw[sl.id:sl.idEnd()], at, old.raw[sl.tail:end])
	}
	return old
}

// reset empties the buffers and drops what a single large entry has blown up.
func (b buffers) reset(keep int) buffers {
	if cap(b.raw) > keep {
		b.raw = nil
	}
	if cap(b.sealed) > keep {
		b.sealed = nil
	}
	return buffers{b.raw[:0], b.slots[:0], b.sealed[:0]}
}
