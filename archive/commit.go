package archive

import (
	"errors"
	"fmt"
	"time"
)

// maxGroup bounds the segments that one manifest takes, so that it stays far below MaxManifestBytes.
const maxGroup = 64

// commitAll commits the queue's batches in order until the writer is closed or fails.
func (w *Writer) commitAll() {
	defer w.finish()
	beat := w.heartbeat()
	defer beat.Stop()
	for {
		group := w.nextGroup(beat)
		if group == nil {
			return
		}
		written, err := w.commit(group)
		if err == nil {
			w.acknowledge(group)
			if written && w.cfg.Heartbeat > 0 {
				beat.Reset(w.cfg.Heartbeat)
			}
			continue
		}
		if errors.Is(err, ErrTaken) || errors.Is(err, errOutlived) {
			err = w.moveOn(group[0].stream, err)
		}
		if err != nil {
			w.fail(err)
			return
		}
	}
}

// heartbeat returns a timer that fires when the stream has to show that it is alive, never if it need not.
func (w *Writer) heartbeat() *time.Timer {
	if w.cfg.Heartbeat <= 0 {
		t := time.NewTimer(time.Hour)
		t.Stop()
		return t
	}
	return time.NewTimer(w.cfg.Heartbeat)
}

// nextGroup waits until the queue's first batch is placed and returns it with those behind it that go into the same
// manifest. nil: the writer has failed, or is closed and has nothing left to do.
func (w *Writer) nextGroup(beat *time.Timer) []*batch {
	for {
		first, done := w.first()
		if done {
			return nil
		}
		if first == nil {
			select {
			case <-w.wake:
			case <-beat.C:
				w.beat()
			case <-w.ctx.Done():
				return nil
			}
			continue
		}
		select {
		case <-first.placed:
			return w.group()
		case <-w.ctx.Done():
			return nil
		}
	}
}

func (w *Writer) first() (b *batch, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) > 0 {
		return w.queue[0], false
	}
	return nil, w.closing
}

// group returns the batches at the head of the queue that are placed, of one stream, and without error but for the first.
func (w *Writer) group() []*batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 1
	for n < min(len(w.queue), maxGroup) && w.queue[n].stream == w.queue[0].stream {
		select {
		case <-w.queue[n].placed:
		default:
			return w.queue[:n:n]
		}
		if w.queue[n].err != nil {
			break
		}
		n++
	}
	return w.queue[:n:n]
}

// beat puts an empty batch into the queue: a manifest without segments.
func (w *Writer) beat() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 && !w.closing && w.err == nil {
		w.enqueue(newBatch(w.stream, w.stream.next, buffers{}))
	}
}

// commit writes the manifest of a group. A crash before it is written leaves segments without a manifest; one after it
// leaves entries that are archived and were not acknowledged, which their owner hands over again under the same IDs.
func (w *Writer) commit(group []*batch) (written bool, err error) {
	if err := group[0].err; err != nil {
		return false, err
	}
	s := group[0].stream
	m, tree, err := w.manifest(s, group)
	if err != nil {
		return false, err
	}
	if m.Final {
		defer func() {
			if err == nil {
				s.close(errStreamClosed)
			}
		}()
	}
	if m.Sequence == 0 && m.Final && len(m.Segments) == 0 {
		return false, nil // nothing was ever written to this stream, so there is nothing to end
	}
	b, err := SignManifest(m, s.manifestSigner())
	if err != nil {
		return false, fmt.Errorf("manifest %d of stream %s: %w", m.Sequence, m.Stream, err)
	}
	placed, err := w.put(s.ctx, s.name.ManifestKey(m.Sequence), b, "application/x-ndjson", s.manifestsUntil)
	if err != nil {
		return false, err
	}
	s.advance(tree, placed)
	w.countManifest(m)
	return true, nil
}

var errStreamClosed = errors.New("the stream is closed")

func (w *Writer) countManifest(m *Manifest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moves = 0
	w.stats.Manifests++
	if len(m.Segments) == 0 && !m.Final {
		w.stats.Heartbeats++
	}
	for i := range m.Segments {
		w.stats.Segments++
		w.stats.Archived += m.Segments[i].Count
		w.stats.RawBytes += m.Segments[i].RawBytes
		w.stats.SegmentBytes += m.Segments[i].Bytes
	}
}

// acknowledge takes a group that is in the archive out of the queue and tells who waits for it.
func (w *Writer) acknowledge(group []*batch) {
	for _, b := range group {
		b.fate.stream, b.fate.first = b.stream, b.first
		close(b.fate.done)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range group {
		w.pendingBytes -= b.bytes
		w.giveBuffers(b.buffers)
	}
	w.queue = append(w.queue[:0], w.queue[len(group):]...)
	if w.open != nil && w.open.due {
		w.trySeal()
	}
	w.makeRoom()
}

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
	next, err := w.openStreamPatiently(lost)
	if err != nil {
		return err
	}
	w.log.Warn("stream given up", "stream", lost.name.String(), "continued_in", next.name.String(), "error", cause)
	lost.close(cause)
	m := w.detach(lost, next)
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

// fail ends the writer. The committer settles what is left.
func (w *Writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
		w.log.Error("the writer has failed", "error", err)
	}
	w.cancel(w.err)
	w.makeRoom()
}

// finish is the committer's last deed: after a failure it settles everything that is left as not archived.
func (w *Writer) finish() {
	w.mu.Lock()
	left, open, cause := w.queue, w.open, w.err
	w.queue, w.open, w.closing = nil, nil, true
	w.pendingBytes = 0
	w.stream.close(errStreamClosed)
	w.cancel(ErrClosed)
	w.makeRoom()
	w.mu.Unlock()
	for _, b := range left {
		<-b.placed
		b.stream.close(errStreamClosed)
		b.settleLost(cause)
	}
	if open != nil {
		open.timer.Stop()
		open.settleLost(cause)
	}
}

// settleLost tells who waits for the batch that it was given up, and whether it may exist all the same.
func (b *batch) settleLost(cause error) {
	switch {
	case !b.attempted || b.err != nil && !errors.Is(b.err, ErrUncertain):
		// Not %w: that the outcome of something else is unknown is not true of these entries.
		b.fate.err = fmt.Errorf("%w, and nothing of it was written: %v", ErrNotArchived, cause)
	case errors.Is(cause, ErrUncertain):
		b.fate.err = fmt.Errorf("%w, as far as is known: %w", ErrNotArchived, cause)
	default:
		b.fate.err = fmt.Errorf("%w, as far as is known: %w: its segment may exist: %w", ErrNotArchived, ErrUncertain, cause)
	}
	close(b.fate.done)
}
