package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	// maxRenewLead is how long before a stream must close its successor is made. It is the time there is to get a key
	// before appenders have to wait.
	maxRenewLead = time.Hour
	// keyPatience bounds one look at the signing key.
	keyPatience = time.Minute
	// maxTurns is how many batches the queue may have beyond its size for the sake of a key that turned: each turn ends a
	// stream, for which there need not be room.
	maxTurns = 4
)

func (s *stream) renewAt() time.Time {
	age := s.closesAt.Sub(s.opened)
	return s.closesAt.Add(-min(maxRenewLead, age/16))
}

// renewal is what a stream is due for.
type renewal int

const (
	renewalNone  renewal = iota
	renewalAge           // the next stream has to be made
	renewalKey           // it is time to ask whether the key has turned
	renewalMoved         // another stream has taken its place
)

// renewStreams replaces each stream by the next one: in time before it is too old, and when the signing key has turned.
// The old one goes on taking entries until the new one is ready, so appenders wait only if that takes longer than the
// lead, and never for a key that turns.
func (w *Writer) renewStreams() {
	for {
		old := w.present()
		due, ok := w.untilRenewal(old)
		switch {
		case !ok:
			return
		case due == renewalKey:
			w.followKey(old)
		case due == renewalAge:
			next, err := w.openStreamPatiently(old, false)
			if err != nil {
				w.fail(fmt.Errorf("opening the stream after %s: %w", old.name, err))
				return
			}
			w.switchTo(next, old, renewalAge)
		}
	}
}

func (w *Writer) present() *stream {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stream
}

// untilRenewal waits until something is due for s; false: the writer has ended.
func (w *Writer) untilRenewal(s *stream) (due renewal, ok bool) {
	for w.ctx.Err() == nil {
		due, wait := w.renewalDue(s)
		if due != renewalNone {
			return due, true
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-w.renewNow: // an entry came later than the timer: those of a machine that slept are late
		case <-w.ctx.Done():
		}
		t.Stop()
	}
	return renewalNone, false
}

// renewalDue says what s is due for, or for how long nothing.
func (w *Writer) renewalDue(s *stream) (due renewal, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	wait = s.renewAt().Sub(now)
	switch {
	case w.closing || w.err != nil: // the last stream is the present one
		return renewalNone, max(wait, time.Minute)
	case w.stream != s:
		return renewalMoved, 0
	case wait <= 0 || s.endedBy(now):
		return renewalAge, 0
	case w.checkKeyAt.IsZero():
		return renewalNone, wait
	}
	check := w.checkKeyAt.Sub(now)
	if check <= 0 || check > w.cfg.KeyCheck { // the latter if the clock was set back
		return renewalKey, 0
	}
	return renewalNone, min(wait, check)
}

// followKey asks for the signing key, and if it is another one than the stream's, opens the next stream with it. What can
// go wrong changes nothing: old goes on with its key.
func (w *Writer) followKey(old *stream) {
	err := w.turnKey(old)
	if w.ctx.Err() != nil {
		return
	}
	w.keyChecked(err)
	if err == nil {
		w.keyTrouble.Worked()
		return
	}
	w.keyTrouble.Failed(keyLevel(err), err, "key_id", string(old.key.ID()))
}

// keyLevel is how loudly it is told that there is no key: one that does not fit is not a matter of trying again.
func keyLevel(err error) slog.Level {
	if errors.Is(err, ErrKey) {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// keyChecked notes what came of a look at the key, and when the next one is due.
func (w *Writer) keyChecked(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.KeyTrouble = err
	if w.cfg.KeyCheck > 0 {
		w.checkKeyAt = w.now().Add(w.cfg.KeyCheck)
	}
}

func (w *Writer) turnKey(old *stream) error {
	ctx, cancel := context.WithTimeout(w.ctx, keyPatience)
	defer cancel()
	key, err := w.signingKey(ctx)
	if err != nil || key.ID() == old.key.ID() {
		return err
	}
	next, err := w.newStream(ctx, key, old)
	if err != nil {
		return err
	}
	w.awaitTurn(ctx)
	w.switchTo(next, old, renewalKey)
	return nil
}

// awaitTurn waits until the queue has no more than a few ends of streams beyond its size, or ctx ends. Keys that turn while
// the archive is away must not fill the memory.
func (w *Writer) awaitTurn(ctx context.Context) {
	for {
		wait := w.turnLater()
		if wait == nil {
			return
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return
		}
	}
}

func (w *Writer) turnLater() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing || w.err != nil || len(w.queue) < w.queueSize+maxTurns {
		return nil
	}
	return w.roomLater()
}

// switchTo ends old and makes next the stream of what comes. The final manifest of old is committed before anything of
// next, because the queue keeps its order.
func (w *Writer) switchTo(next, old *stream, why renewal) {
	if !w.switched(next, old, why) {
		next.close(errStreamClosed)
		return
	}
	w.sayOpened(next)
}

func (w *Writer) switched(next, old *stream, why renewal) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream != old || w.closing || w.err != nil {
		return false
	}
	if why == renewalKey {
		if len(w.queue) >= w.queueSize+maxTurns {
			return false
		}
		w.stats.KeyTurns++
	}
	w.sealFinal()
	w.use(next)
	w.makeRoom()
	return true
}

// openStreamPatiently tries until there is a key that fits, or the writer gives up. Its patience counts from when somebody
// waits for the stream: at once if it is urgent, else from when the one before takes nothing more.
func (w *Writer) openStreamPatiently(before *stream, urgent bool) (*stream, error) {
	var since time.Time
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		s, err := w.openStream(w.ctx, before)
		if err == nil {
			w.openTrouble.Worked()
			return s, nil
		}
		if w.ctx.Err() != nil {
			return nil, err
		}
		if since.IsZero() && (urgent || w.ended(before)) {
			since = w.cfg.Now()
		}
		if w.cfg.GiveUpAfter > 0 && !since.IsZero() && w.cfg.Now().Sub(since) > w.cfg.GiveUpAfter {
			return nil, fmt.Errorf("%w: %w", errGaveUp, err)
		}
		w.openTrouble.Failed(keyLevel(err), err)
		if !sleep(w.ctx, pause) {
			return nil, err
		}
	}
}

func (w *Writer) ended(s *stream) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return s.endedBy(w.now())
}
