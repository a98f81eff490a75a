package archive

import (
	"errors"
	"fmt"
	"time"
)

// maxMoves is how many streams in a row may be lost without a manifest being written in between.
const maxMoves = 5

// moveOn gives up the stream at the head of the queue and takes its entries to a new one that continues it, in their
// order. Nothing of them was acknowledged. Segments of theirs that were written stay behind without a manifest; if the
// manifest itself was written and cannot be read back, its entries are in the archive twice, with the same IDs.
func (w *Writer) moveOn(lost *stream, cause error) error {
	w.moves++
	if w.moves > maxMoves {
		return fmt.Errorf("%d streams in a row could not be written: %w", w.moves, cause)
	}
	next, err := w.openStreamPatiently(lost, true)
	if err != nil {
		return err
	}
	w.log.Warn("stream given up", "stream", lost.name.String(), "continued_in", next.name.String(), "error", cause)
	lost.close(cause)
	m := w.detach(lost, next)
	w.sayOpened(next)
	if errors.Is(cause, ErrTaken) {
		w.countFenced()
	}
	w.carry(m)
	return nil
}

func (w *Writer) countFenced() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Fenced++
}

// move is a change of stream: what moves, where to, and the one time that all of it gets. The time is taken together with
// the lock under which the new stream begins to accept, or what moves could be later than what follows it.
type move struct {
	to     *stream
	at     time.Time
	queued []*batch
	open   *batch // nil if there was none
}

// detach takes all batches from the lost stream and makes next the stream of what comes. If the lost stream was about to
// end, its successor is there already; next then stands between the two and ends in the lost one's place.
func (w *Writer) detach(lost, next *stream) move {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := move{to: next, at: next.stamp(w.now())}
	for _, b := range w.queue {
		if b.stream == lost {
			m.queued = append(m.queued, b)
			next.next += uint64(len(b.slots))
		}
	}
	if w.stream != lost {
		w.noteOpened(next)
		w.insertBefore(next, lost)
		return m
	}
	if m.open = w.open; m.open != nil {
		m.open.timer.Stop()
		next.next += uint64(len(m.open.slots))
		w.queue = append(w.queue, m.open)
		w.open = nil
	}
	w.use(next)
	return m
}

// insertBefore makes the stream that continues lost continue next.
func (w *Writer) insertBefore(next, lost *stream) {
	for s := w.stream; s != nil; s = s.before {
		if s.before == lost {
			s.before = next
			return
		}
	}
}

// carry lays the moved batches out again and sends them on their way. They keep their places in the queue.
func (w *Writer) carry(m move) {
	var index uint64
	for _, b := range m.queued {
		<-b.placed // its goroutine is about to end, since its stream has
		w.relay(b, m, index)
		index += uint64(len(b.slots))
	}
	if m.open != nil {
		w.relay(m.open, m, index)
	}
}

func (w *Writer) relay(b *batch, m move, index uint64) {
	var fresh buffers
	if len(b.slots) > 0 {
		fresh = w.borrow()
	}
	old := b.moveTo(m.to, index, m.at, fresh)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.giveBuffers(old)
	w.wg.Go(func() { w.process(b) })
}

func (w *Writer) borrow() buffers {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.takeBuffers()
}
