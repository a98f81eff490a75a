package archive

import (
	"errors"
	"fmt"
	"slices"
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
	w.moves = 0
	w.countManifest(m)
	return true, nil
}

var errStreamClosed = errors.New("the stream is closed")

func (w *Writer) countManifest(m *Manifest) {
	w.mu.Lock()
	defer w.mu.Unlock()
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
	w.queue = slices.Delete(w.queue, 0, len(group))
	if w.open != nil && w.open.due {
		w.trySeal()
	}
	w.makeRoom()
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
