package archive

import (
	"errors"
	"fmt"
	"time"
)

// maxRenewLead is how long before a stream must close its successor is made. It is the time there is to get a key before
// appenders have to wait.
const maxRenewLead = time.Hour

func (s *stream) renewAt() time.Time {
	age := s.closesAt.Sub(s.opened)
	return s.closesAt.Add(-min(maxRenewLead, age/16))
}

// renewStreams replaces each stream in time by the next one. The old one goes on taking entries until the new one is
// ready, so appenders wait only if that takes longer than the lead.
func (w *Writer) renewStreams() {
	for {
		old := w.present()
		if !w.untilRenewal(old) {
			return
		}
		if w.present() != old {
			continue
		}
		next, err := w.openStreamPatiently(old)
		if err != nil {
			w.fail(fmt.Errorf("opening the stream after %s: %w", old.name, err))
			return
		}
		w.switchTo(next, old)
	}
}

func (w *Writer) present() *stream {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stream
}

// untilRenewal waits until it is time to replace s; false: the writer has ended.
func (w *Writer) untilRenewal(s *stream) bool {
	for !w.renewalDue(s) {
		t := time.NewTimer(s.renewAt().Sub(w.now()))
		select {
		case <-t.C:
		case <-w.renewNow: // an entry came after the end: a machine that slept has timers that are late
		case <-w.ctx.Done():
		}
		t.Stop()
		if w.ctx.Err() != nil {
			return false
		}
	}
	return true
}

// renewalDue is true also when s was replaced already.
func (w *Writer) renewalDue(s *stream) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	return w.stream != s || !now.Before(s.renewAt()) || s.endedBy(now)
}

// switchTo ends old and makes next the stream of what comes. The final manifest of old is committed before anything of
// next, because the queue keeps its order.
func (w *Writer) switchTo(next, old *stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream != old || w.closing || w.err != nil {
		next.close(errStreamClosed)
		return
	}
	w.sealFinal()
	w.use(next)
	w.makeRoom()
}

// openStreamPatiently tries until there is a key, unless there is one and it does not fit, or the writer gives up.
func (w *Writer) openStreamPatiently(before *stream) (*stream, error) {
	start := w.cfg.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		s, err := w.openStream(w.ctx, before)
		if err == nil || errors.Is(err, ErrKey) {
			return s, err
		}
		if w.cfg.GiveUpAfter > 0 && w.cfg.Now().Sub(start) > w.cfg.GiveUpAfter {
			return nil, fmt.Errorf("%w: %w", errGaveUp, err)
		}
		w.trouble.Store(&err)
		w.log.Warn("an attempt to open a stream failed", "error", err)
		if !sleep(w.ctx, pause) {
			return nil, err
		}
	}
}
