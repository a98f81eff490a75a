package archivetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// calls makes one call of every operation on the version of key "k".
func calls(ctx context.Context, s archive.Store, version string) map[Op]func() error {
	until := testStart.Truncate(time.Second).AddDate(0, 0, 7)
	return map[Op]func() error{
		OpCreate:          func() error { _, err := s.Create(ctx, "new", nil, options("", until)); return err },
		OpHead:            func() error { _, err := s.Head(ctx, "k", ""); return err },
		OpGet:             func() error { _, _, err := s.Get(ctx, "k", "", 10); return err },
		OpVersions:        func() error { _, err := listed(ctx, s); return err },
		OpExtendRetention: func() error { return s.ExtendRetention(ctx, "k", version, until) },
		OpSetLegalHold:    func() error { return s.SetLegalHold(ctx, "k", version, true) },
		OpSettings:        func() error { _, err := s.Settings(ctx); return err },
		OpNow:             func() error { _, err := s.Now(ctx); return err },
	}
}

// listed returns how many versions come before the error.
func listed(ctx context.Context, s archive.Store) (n int, err error) {
	for _, err := range s.Versions(ctx, "", "") {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func TestFaultsInBothForms(t *testing.T) {
	errs := []error{
		archive.ErrUncertain, archive.ErrThrottled, archive.ErrConflict, archive.ErrDenied, context.DeadlineExceeded,
	}
	changed := map[Op]func(*Memory) bool{ // by operations that change something
		OpCreate: func(m *Memory) bool { return count(m.Raw()) == 2 },
		OpExtendRetention: func(m *Memory) bool {
			o, _ := m.Head(t.Context(), "k", "")
			return o.Lock.RetainUntil.After(testStart.AddDate(0, 0, 2))
		},
		OpSetLegalHold: func(m *Memory) bool { o, _ := m.Head(t.Context(), "k", ""); return o.Lock.LegalHold },
	}
	for _, op := range Ops {
		for _, form := range Forms {
			for _, want := range errs {
				t.Run(fmt.Sprintf("%s/%s/%s", op, form, want), func(t *testing.T) {
					m := NewMemory(t, testHome, newClock().now)
					version := mustCreate(t, m, "k", "").VersionID
					f := NewFaulty(m, Fault{Op: op, Call: 1, Form: form, Err: want})
					again := calls(t.Context(), f, version)[op]
					if err := again(); !errors.Is(err, want) {
						t.Fatalf("error %v, want %v", err, want)
					}
					if effect, ok := changed[op]; ok && effect(m) != (form == AfterEffect) {
						t.Errorf("took effect: %v", effect(m))
					}
					if left := f.Unstruck(); len(left) > 0 {
						t.Errorf("unstruck: %v", left)
					}
					err := again() // the second call is not struck
					if op == OpCreate && form == AfterEffect {
						if !errors.Is(err, archive.ErrExists) {
							t.Errorf("the repeated create met %v", err)
						}
					} else if err != nil {
						t.Errorf("the repeated call failed: %v", err)
					}
				})
			}
		}
	}
}

func TestFaultStrikesWhatThePlanSays(t *testing.T) {
	m := NewMemory(t, testHome, newClock().now)
	f := NewFaulty(m,
		Fault{Op: OpCreate, Key: "manifests/*/2.json", Call: 2, Err: archive.ErrThrottled},
		Fault{Op: OpCreate, Key: "manifests/*", Call: 4, Err: archive.ErrConflict},
		Fault{Op: OpHead, Key: "exact", Err: archive.ErrDenied})
	want := []struct {
		key string
		err error
	}{
		{"segments/a/2.json", nil},
		{"manifests/a/1.json", nil},
		{"manifests/a/2.json", nil},
		{"manifests/b/2.json", archive.ErrThrottled},
		{"manifests/b/2.json", archive.ErrConflict}, // the fourth manifest: struck calls count for all faults
		{"manifests/b/2.json", nil},
	}
	for i, w := range want {
		if _, err := create(t, f, w.key, ""); !errors.Is(err, w.err) {
			t.Errorf("create %d of %s: %v, want %v", i, w.key, err, w.err)
		}
	}
	for range 2 {
		if _, err := f.Head(t.Context(), "exact", ""); !errors.Is(err, archive.ErrDenied) {
			t.Errorf("head: %v", err)
		}
	}
	if _, err := f.Head(t.Context(), "exactly", ""); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("head: %v", err)
	}
}

func TestFaultBreaksListing(t *testing.T) {
	m := NewMemory(t, testHome, newClock().now)
	for i := range 3 {
		mustCreate(t, m, fmt.Sprint(i), "")
	}
	for _, elements := range []int{0, 2, 3, 100} {
		f := NewFaulty(m, Fault{Op: OpVersions, Call: 1, Elements: elements, Err: archive.ErrUncertain})
		if n, err := listed(t.Context(), f); n != min(elements, 3) || !errors.Is(err, archive.ErrUncertain) {
			t.Errorf("after %d: %d listed, %v", elements, n, err)
		}
		if n, err := listed(t.Context(), f); n != 3 || err != nil {
			t.Errorf("second listing: %d listed, %v", n, err)
		}
	}
}

func TestStopEndsTheWorld(t *testing.T) {
	for _, form := range Forms {
		t.Run(form.String(), func(t *testing.T) {
			m := NewMemory(t, testHome, newClock().now)
			version := mustCreate(t, m, "k", "").VersionID
			f := NewFaulty(m, Fault{Op: OpCreate, Call: 2, Form: form, Stop: true})
			mustCreate(t, f, "first", "")
			select {
			case <-f.Stopped():
				t.Fatal("stopped before its time")
			default:
			}
			if _, err := create(t, f, "second", ""); !errors.Is(err, archive.ErrUncertain) {
				t.Errorf("the last call: %v", err)
			}
			<-f.Stopped()
			for op, call := range calls(t.Context(), f, version) {
				if err := call(); !errors.Is(err, archive.ErrUncertain) {
					t.Errorf("%s after the end: %v", op, err)
				}
			}
			if n, want := count(m.Raw()), 2+int(form); n != want {
				t.Errorf("%d versions, want %d", n, want)
			}
		})
	}
}

func TestStopEndsCallsUnderWay(t *testing.T) {
	m := NewMemory(t, testHome, newClock().now)
	mustCreate(t, m, "k", "")
	before, after := NewPause(), NewPause()
	f := NewFaulty(m,
		Fault{Op: OpCreate, Key: "before", Pause: before},
		Fault{Op: OpCreate, Key: "after", Form: AfterEffect, Pause: after},
		Fault{Op: OpNow, Stop: true, Err: archive.ErrDenied})
	errs := make(chan error, 3)
	for _, key := range []string{"before", "after"} {
		go func() {
			_, err := create(t, f, key, "")
			errs <- err
		}()
	}
	<-before.Reached()
	<-after.Reached()
	for _, err := range f.Versions(t.Context(), "", "") { // a listing under way
		if err == nil {
			_, err := f.Now(t.Context())
			errs <- err
			continue
		}
		errs <- err
	}
	before.Resume()
	after.Resume()
	for range 4 {
		if err := <-errs; !errors.Is(err, archive.ErrDenied) {
			t.Errorf("a call under way ended with %v", err)
		}
	}
	if _, err := m.Head(t.Context(), "before", ""); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("the call held before its effect took effect: %v", err)
	}
	if _, err := m.Head(t.Context(), "after", ""); err != nil {
		t.Errorf("the call held after its effect took none: %v", err)
	}
}

func TestPauseWithoutError(t *testing.T) {
	m := NewMemory(t, testHome, newClock().now)
	p := NewPause()
	f := NewFaulty(m, Fault{Op: OpCreate, Pause: p})
	done := make(chan error)
	go func() {
		_, err := create(t, f, "k", "")
		done <- err
	}()
	<-p.Reached()
	if n := count(m.Raw()); n != 0 {
		t.Errorf("%d versions while the create is held", n)
	}
	p.Resume()
	if err := <-done; err != nil {
		t.Errorf("create: %v", err)
	}
	mustCreate(t, f, "later", "")
}

func TestPauseEndsWithContext(t *testing.T) {
	m := NewMemory(t, testHome, newClock().now)
	p := NewPause()
	f := NewFaulty(m, Fault{Op: OpHead, Pause: p})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := f.Head(ctx, "k", "")
		done <- err
	}()
	<-p.Reached()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("head: %v", err)
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, key string
		want         bool
	}{
		{"", "a", true},
		{"a", "a", true},
		{"a", "ab", false},
		{"*", "", true},
		{"a*", "a", true},
		{"a*", "a/b/c", true},
		{"a*", "b", false},
		{"*c", "a/b/c", true},
		{"*c", "a/b/cd", false},
		{"a*b*c", "a1b2c", true},
		{"a*b*c", "a1c2b", false},
		{"a*a", "a", false},
		{"*a*a", "ba", false},
		{"*/2.json", "m/s/2.json", true},
		{"*/2.json", "m/s/12.json", false},
		{"a**b", "ab", true},
	}
	for _, tt := range tests {
		if got := match(tt.pattern, tt.key); got != tt.want {
			t.Errorf("match(%q, %q) = %v", tt.pattern, tt.key, got)
		}
	}
}
