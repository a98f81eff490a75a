// Package trouble tells an operator of attempts that fail and are made again, sparingly.
package trouble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How often a trouble that lasts is told.
const (
	firstSilence   = 10 * time.Second // then doubling, up to
	longestSilence = time.Hour
	// restedSilence is the longest silence about a cause that had gone and comes back, forgotten is when that is as new.
	restedSilence = time.Minute
	forgotten     = 10 * time.Minute
	// maxCauses bounds what is told apart.
	maxCauses = 32
)

// Trouble is one thing that is attempted again and again. There is a line for each cause of failure as it comes up, more at
// growing intervals while it lasts, and one when an attempt worked again. It is safe for concurrent use.
type Trouble struct {
	log        *slog.Logger
	what, over string // the lines

	last atomic.Pointer[error] // of the last attempt; nil if that worked

	mu       sync.Mutex
	since    time.Time // of the first failure in a row
	failures int       // in a row
	told     bool      // about some of them
	causes   map[string]*cause
}

// cause is one reason for trouble.
type cause struct {
	untold  int       // failures since the last line
	seen    time.Time // last
	next    time.Time
	silence time.Duration // after the next line
}

// New returns a Trouble that has met none. what is said of a failure, over when one was told and an attempt has worked.
func New(log *slog.Logger, what, over string) *Trouble {
	return &Trouble{log: log, what: what, over: over, causes: make(map[string]*cause)}
}

// Err is why the last attempt failed, nil if it worked.
func (t *Trouble) Err() error {
	if p := t.last.Load(); p != nil {
		return *p
	}
	return nil
}

// Failed notes a failed attempt. attrs go into the line, if there is one.
func (t *Trouble) Failed(level slog.Level, err error, attrs ...any) {
	t.last.Store(&err)
	n, tell := t.note(causeOf(err), time.Now())
	if tell {
		t.log.Log(context.Background(), level, t.what, append(attrs, "attempts", n, "error", err)...)
	}
}

func (t *Trouble) note(id string, now time.Time) (attempts int, tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures == 0 {
		t.since = now
	}
	t.failures++
	c := t.causes[id]
	if c == nil {
		if len(t.causes) >= maxCauses {
			clear(t.causes)
		}
		c = new(cause)
		t.causes[id] = c
	}
	if now.Sub(c.seen) > forgotten {
		c.next, c.silence = time.Time{}, firstSilence
	}
	c.untold++
	c.seen = now
	if now.Before(c.next) {
		return 0, false
	}
	attempts, c.untold = c.untold, 0
	c.next, c.silence = now.Add(c.silence), min(2*c.silence, longestSilence)
	t.told = true
	return attempts, true
}

// Worked notes an attempt that did not fail.
func (t *Trouble) Worked() {
	if t.last.Load() == nil {
		return
	}
	t.last.Store(nil)
	if n, d, tell := t.end(time.Now()); tell {
		t.log.Warn(t.over, "failed_attempts", n, "after", d.Round(time.Millisecond))
	}
}

func (t *Trouble) end(now time.Time) (failures int, lasted time.Duration, tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	failures, lasted, tell = t.failures, now.Sub(t.since), t.told
	t.failures, t.told = 0, false
	for _, c := range t.causes {
		c.untold, c.silence = 0, min(c.silence, restedSilence)
		if rested := now.Add(restedSilence); c.next.After(rested) {
			c.next = rested
		}
	}
	return failures, lasted, tell
}

// causeOf is what an error has in common with others of the same cause. Its text has request IDs, ports and times.
func causeOf(err error) string {
	var parts []string
	collectCauses(err, &parts)
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), ", ")
}

func collectCauses(err error, parts *[]string) {
	if coded, ok := err.(interface{ ErrorCode() string }); ok { // as S3's and Secrets Manager's errors have
		*parts = append(*parts, coded.ErrorCode())
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			collectCauses(inner, parts)
		}
		return
	case interface{ Unwrap() error }:
		if inner := errors.Unwrap(err); inner != nil {
			collectCauses(inner, parts)
			return
		}
	}
	name := fmt.Sprintf("%T", err)
	if name == plainError {
		name = err.Error() // mostly a constant
	}
	*parts = append(*parts, name)
}

var plainError = fmt.Sprintf("%T", errors.New(""))
