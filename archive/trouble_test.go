package archive_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
)

// flaky is a store whose creates fail while failing holds an error, each time in other words.
type flaky struct {
	archive.Store
	failing atomic.Pointer[func(n int64) error]
	n       atomic.Int64
}

func (f *flaky) fail(with func(n int64) error) {
	if with == nil {
		f.failing.Store(nil)
		return
	}
	f.failing.Store(&with)
}

func (f *flaky) Create(ctx context.Context, key string, body []byte, o archive.CreateOptions) (archive.Created, error) {
	if with := f.failing.Load(); with != nil {
		if err := (*with)(f.n.Add(1)); err != nil {
			return archive.Created{}, err
		}
	}
	return f.Store.Create(ctx, key, body, o)
}

func throttled(n int64) error { return fmt.Errorf("request %d: %w", n, archive.ErrThrottled) }

// An outage is a line for each cause, a few more the longer it lasts, and one when it is over.
func TestOutageIsToldSparingly(t *testing.T) {
	for _, tt := range []struct {
		lasts    time.Duration
		min, max int // lines about one cause
	}{{time.Second, 1, 1}, {time.Minute, 3, 4}, {time.Hour, 9, 10}, {24 * time.Hour, 30, 33}} {
		t.Run(tt.lasts.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				store := &flaky{Store: s.mem}
				lines := new(lines)
				w := s.open(onStore(store), lines.use, smallBatches(1))
				store.fail(throttled)
				ids, pending := s.add(w, "a", 4) // four uploads at a time
				time.Sleep(tt.lasts)
				if n := lines.count("an attempt to write failed"); n < tt.min || n > tt.max {
					t.Errorf("%d lines for %d attempts:\n%s", n, store.n.Load(), lines)
				}
				store.fail(nil)
				s.acknowledged(pending)
				synctest.Wait()
				all := strings.Split(strings.TrimSpace(lines.String()), "\n")
				if last := all[len(all)-1]; !strings.Contains(last, "writing works again") || !strings.Contains(last, fmt.Sprintf("failed_attempts=%d", store.n.Load())) ||
					lines.count("works again") != 1 || !strings.Contains(last, "level=WARN") {
					t.Errorf("the last line is %s", last)
				}
				s.close(w)
				s.recheck().once(t, ids...)
			})
		})
	}
}

// A cause that comes up during another one is told at once.
func TestEveryCauseIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		store := &flaky{Store: s.mem}
		lines := new(lines)
		w := s.open(onStore(store), lines.use)
		store.fail(throttled)
		s.add(w, "a", 1)
		time.Sleep(time.Hour)
		before := lines.count("level=WARN")
		store.fail(func(n int64) error { return fmt.Errorf("%d: %w", n, archive.ErrUncertain) })
		time.Sleep(30 * time.Second)
		if n := lines.count("outcome unknown"); n < 1 || lines.count("level=WARN") != before+n {
			t.Errorf("%d lines tell of the other cause:\n%s", n, lines)
		}
		store.fail(nil)
		s.close(w)
	})
}

// A store that throttles every other attempt is told of about once a minute, and the last line is true.
func TestTroubleThatComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		store := &flaky{Store: s.mem}
		lines := new(lines)
		w := s.open(onStore(store), lines.use, smallBatches(1))
		store.fail(func(n int64) error {
			if n%2 == 0 {
				return nil
			}
			return throttled(n)
		})
		for i := range 600 {
			_, pending := s.add(w, fmt.Sprint(i, "-"), 1)
			s.acknowledged(pending)
			time.Sleep(time.Second)
		}
		if n := lines.count("level=WARN"); n < 10 || n > 30 || lines.count("works again") != n/2 {
			t.Errorf("%d lines for ten minutes:\n%s", n, lines)
		}
		store.fail(nil)
		s.close(w)
	})
}

// What hinders the reading back stalls a writer as well.
func TestReadingBackIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		faulty := archivetest.NewFaulty(s.mem,
			archivetest.Fault{Op: archivetest.OpCreate, Call: 1, Form: archivetest.AfterEffect, Err: archive.ErrUncertain})
		lines := new(lines)
		w := s.open(onStore(faulty), lines.use)
		faulty.Add(archivetest.Fault{Op: archivetest.OpHead, Err: fmt.Errorf("no answer to HEAD: %w", archive.ErrUncertain)})
		_, pending := s.add(w, "a", 1)
		time.Sleep(time.Minute)
		if n := lines.count("no answer to HEAD"); n < 1 || n > 6 {
			t.Errorf("%d lines:\n%s", n, lines)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.Close(ctx); !errors.Is(err, archive.ErrUncertain) || !strings.Contains(err.Error(), "no answer to HEAD") {
			t.Errorf("close: %v", err)
		}
		if _, err := pending[0].Wait(t.Context()); !errors.Is(err, archive.ErrUncertain) {
			t.Errorf("wait: %v", err)
		}
	})
}

// What the writer gave up itself is no trouble of the store.
func TestOwnEndIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		pause := archivetest.NewPause()
		lines := new(lines)
		w := s.open(onStore(archivetest.NewFaulty(s.mem, archivetest.Fault{Op: archivetest.OpCreate, Pause: pause})), lines.use)
		s.add(w, "a", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := w.Close(ctx); err == nil {
			t.Error("closed")
		}
		if lines.count("an attempt to write failed") != 0 {
			t.Error(lines)
		}
	})
}
