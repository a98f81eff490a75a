package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// startBatch opens a batch in the present stream. Callers hold the lock.
func (w *Writer) startBatch() {
	b := newBatch(w.stream, w.stream.next, w.takeBuffers())
	b.timer = time.AfterFunc(w.cfg.BatchAge, func() { w.aged(b) })
	w.open = b
}

// aged seals a batch that is old enough, at once or when the queue has room.
func (w *Writer) aged(b *batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == b && !w.trySeal() {
		b.due = true
	}
}

// trySeal moves the open batch, if there is one, into the queue, if there is room. While the archive is behind, batches
// thus grow to their full size instead of becoming many. Callers hold the lock.
func (w *Writer) trySeal() bool {
	if w.open == nil {
		return true
	}
	if len(w.queue) >= w.queueSize {
		return false
	}
	w.seal()
	return true
}

// seal moves the open batch into the queue. Callers hold the lock.
func (w *Writer) seal() {
	b := w.open
	w.open = nil
	b.timer.Stop()
	w.enqueue(b)
}

// sealFinal ends the present stream with the open batch, or with one that has no entries. Callers hold the lock.
func (w *Writer) sealFinal() {
	if w.open != nil {
		w.open.final = true
		w.seal()
		return
	}
	b := newBatch(w.stream, w.stream.next, buffers{})
	b.final = true
	w.enqueue(b)
}

func (w *Writer) enqueue(b *batch) {
	w.queue = append(w.queue, b)
	w.wg.Go(func() { w.process(b) })
	signal(w.wake)
}

// signal leaves an element in a channel of size one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// roomLater returns a channel that is closed when there may be room, or when the writer ends. Callers hold the lock.
func (w *Writer) roomLater() <-chan struct{} {
	if w.room == nil {
		w.room = make(chan struct{})
	}
	return w.room
}

func (w *Writer) makeRoom() {
	if w.room != nil {
		close(w.room)
		w.room = nil
	}
}

func (w *Writer) takeBuffers() buffers {
	if n := len(w.spare); n > 0 {
		b := w.spare[n-1]
		w.spare = w.spare[:n-1]
		return b
	}
	return buffers{raw: make([]byte, 0, w.cfg.BatchBytes), slots: make([]slot, 0, min(w.cfg.BatchEntries, 4096))}
}

func (w *Writer) giveBuffers(b buffers) {
	if cap(b.raw) > 0 && len(w.spare) <= w.queueSize {
		w.spare = append(w.spare, b.reset(w.cfg.BatchBytes))
	}
}

// process seals a queued batch and puts its segment into the archive. A crash before the segment is written loses what
// nobody was told to be kept; one after it leaves a segment that no manifest names, which is no evidence of anything.
func (w *Writer) process(b *batch) {
	defer close(b.placed)
	if len(b.slots) > 0 {
		b.err = w.place(b)
	}
}

func (w *Writer) place(b *batch) error {
	ctx := b.stream.ctx
	if err := w.sealSegment(ctx, b); err != nil {
		return err
	}
	select {
	case w.uploads <- struct{}{}:
		defer func() { <-w.uploads }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	until := w.promise(b)
	if until.After(b.stream.manifestsUntil) {
		return fmt.Errorf("segment %s: %w", b.segment.Key, errOutlived)
	}
	b.attempted = true
	placed, err := w.put(ctx, b.segment.Key, b.sealed, "application/zstd", until)
	if err != nil || placed.attempts > 1 {
		b.sealed = nil // a transport may still be reading from it for an attempt that was given up
	}
	if err != nil {
		return err
	}
	b.segment.SHA256, b.segment.VersionID = placed.SHA256, placed.VersionID
	b.segment.RetainUntil = Second{placed.RetainUntil}
	return nil
}

func (w *Writer) sealSegment(ctx context.Context, b *batch) error {
	select {
	case s := <-w.sealers:
		defer func() { w.sealers <- s }()
		return s.seal(b)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errOutlived: a segment comes so late that its promise would reach beyond the locks of its stream's manifests.
var errOutlived = errors.New("the stream is too old for another promise")

// promise is until when a segment will be kept, computed when it is about to be written for the first time: the first
// midnight that is at least the retention after the store's present time and after its last entry.
func (w *Writer) promise(b *batch) time.Time {
	from := w.storeTime(w.cfg.Now()).Add(promiseMargin)
	if b.lastTime.After(from) {
		from = b.lastTime
	}
	return Retain(from, w.cfg.RetentionDays)
}

// storeTime is the store's clock when ours shows t.
func (w *Writer) storeTime(t time.Time) time.Time { return t.Add(time.Duration(w.clock.Load())) }

var errGaveUp = errors.New("given up after the time that was set for it")

// put is the package's put with the writer's patience, and learns the store's time from it.
func (w *Writer) put(ctx context.Context, key string, body []byte, contentType string, until time.Time) (Placed, error) {
	if w.cfg.GiveUpAfter > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, w.cfg.GiveUpAfter, errGaveUp)
		defer cancel()
	}
	p, err := put(ctx, w.cfg.Store, key, body, contentType, until)
	if err == nil {
		w.learnTime(p.Date)
	}
	return p, err
}

// learnTime notes how far the store's clock is ahead of ours.
func (w *Writer) learnTime(store time.Time) {
	ahead := store.Sub(w.cfg.Now())
	before := time.Duration(w.clock.Swap(int64(ahead)))
	if ahead.Abs() > maxClockSkew && before.Abs() <= maxClockSkew {
		w.log.Warn("the clocks of this machine and of the store went apart; entries get the time of this machine", "store_ahead", ahead)
	}
}

// telling is the store, with an eye on its errors: what stalls a writer must not be a secret.
type telling struct {
	Store
	w *Writer
}

// Create implements [Store].
func (t telling) Create(ctx context.Context, key string, body []byte, o CreateOptions) (Created, error) {
	c, err := t.Store.Create(ctx, key, body, o)
	switch {
	case err == nil:
		t.w.writeTrouble.Worked()
	case errors.Is(err, ErrExists): // settled by reading back
	default:
		t.failed(ctx, key, err)
	}
	return c, err
}

// Head implements [Store]. A writer reads back what it could not tell was written.
func (t telling) Head(ctx context.Context, key, versionID string) (Object, error) {
	o, err := t.Store.Head(ctx, key, versionID)
	switch {
	case err == nil:
		t.w.writeTrouble.Worked()
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrDeleteMarker), errors.Is(err, ErrDenied): // an answer
	default:
		t.failed(ctx, key, err)
	}
	return o, err
}

// failed tells of an attempt, unless it was the writer that ended it.
func (t telling) failed(ctx context.Context, key string, err error) {
	if ctx.Err() == nil {
		t.w.writeTrouble.Failed(slog.LevelWarn, err, "key", key)
	}
}

// behind is the error of a call that ended while it waited for the archive.
func (w *Writer) behind(cause error) error {
	err := fmt.Errorf("the archive is behind: %w", cause)
	if last := w.writeTrouble.Err(); last != nil {
		err = fmt.Errorf("%w; the last attempt to write failed: %w", err, last)
	}
	if last := w.openTrouble.Err(); last != nil {
		err = fmt.Errorf("%w; the last attempt to open a stream failed: %w", err, last)
	}
	return err
}
