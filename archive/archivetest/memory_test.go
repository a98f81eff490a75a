package archivetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
)

var (
	testHome  = archive.Home{Bucket: "audit", Prefix: "logs", Region: "eu-central-1"}
	testStart = time.Date(2026, 11, 22, 17, 26, 0, 123456789, time.UTC)
)

// clock stands still until a test moves it.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: testStart} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// recorder is a TB that keeps what was reported.
type recorder struct{ errors []string }

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func memoryUnderTest(m *Memory) StoreUnderTest {
	return StoreUnderTest{
		Store:        m,
		DeleteMarker: func(_ context.Context, key string) (string, error) { return m.Raw().DeleteMarker(key) },
		PutVersion: func(_ context.Context, key string, body []byte) (string, error) {
			return m.Raw().PutVersion(key, body, archive.Lock{}, time.Time{})
		},
	}
}

func TestMemoryKeepsTheContract(t *testing.T) {
	// The suite breaks the caller's rules on purpose; they fail the recorder's test, not this one.
	broken := map[string]int{}
	TestStore(t, func(t *testing.T) StoreUnderTest {
		r := new(recorder)
		t.Cleanup(func() { broken[t.Name()] = len(r.errors) })
		m := NewMemory(r, testHome, newClock().now)
		m.SetPageSize(3)
		return memoryUnderTest(m)
	}, SuiteOptions{PageSize: 3})
	want := map[string]int{
		"create-wrong-checksum-refused":    1,
		"create-past-retain-until-refused": 2,
		"retention-shortening-refused":     1,
	}
	for name, n := range broken {
		rule := strings.TrimPrefix(name, t.Name()+"/")
		if n != want[rule] {
			t.Errorf("%s: %d rules reported as broken, want %d", rule, n, want[rule])
		}
	}
}

func TestWrappersKeepTheContract(t *testing.T) {
	TestStore(t, func(t *testing.T) StoreUnderTest {
		s := memoryUnderTest(NewMemory(new(recorder), testHome, newClock().now))
		s.Store = NewCounting(NewFaulty(s.Store))
		return s
	}, SuiteOptions{PageSize: 3})
}

// create makes an object that is locked for a day.
func create(t *testing.T, s archive.Store, key, body string) (archive.Created, error) {
	t.Helper()
	return s.Create(t.Context(), key, []byte(body), options(body, testStart.Truncate(time.Second).AddDate(0, 0, 1)))
}

func options(body string, until time.Time) archive.CreateOptions {
	return archive.CreateOptions{RetainUntil: until, SHA256: sha256.Sum256([]byte(body))}
}

func mustCreate(t *testing.T, s archive.Store, key, body string) archive.Created {
	t.Helper()
	created, err := create(t, s, key, body)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

func TestMemoryFailsTheTestOfABadCaller(t *testing.T) {
	day := testStart.Truncate(time.Second).AddDate(0, 0, 1)
	tests := []struct {
		name string
		call func(m *Memory, version string) error
		err  error
		says string
	}{
		{"create without lock", func(m *Memory, _ string) error {
			_, err := m.Create(t.Context(), "new", nil, options("", time.Time{}))
			return err
		}, archive.ErrRefused, "no retain-until"},
		{"create with a past date", func(m *Memory, _ string) error {
			_, err := m.Create(t.Context(), "new", nil, options("", testStart.Truncate(time.Second)))
			return err
		}, archive.ErrRefused, "not in the future"},
		{"create with a fractional date", func(m *Memory, _ string) error {
			_, err := m.Create(t.Context(), "new", nil, options("", day.Add(time.Millisecond)))
			return err
		}, archive.ErrRefused, "whole seconds"},
		{"create with a wrong checksum", func(m *Memory, _ string) error {
			_, err := m.Create(t.Context(), "new", []byte("x"), options("y", day))
			return err
		}, archive.ErrRefused, "SHA-256"},
		{"create without key", func(m *Memory, _ string) error {
			_, err := m.Create(t.Context(), "", nil, options("", day))
			return err
		}, archive.ErrRefused, "a key has"},
		{"shorter retention", func(m *Memory, version string) error {
			return m.ExtendRetention(t.Context(), "old", version, day.Add(-time.Second))
		}, archive.ErrDenied, "earlier than"},
		{"fractional retention", func(m *Memory, version string) error {
			return m.ExtendRetention(t.Context(), "old", version, day.Add(time.Millisecond))
		}, archive.ErrRefused, "whole seconds"},
		{"past retention", func(m *Memory, version string) error {
			return m.ExtendRetention(t.Context(), "old", version, testStart.Truncate(time.Second))
		}, archive.ErrRefused, "not in the future"},
		{"retention of no version", func(m *Memory, _ string) error {
			return m.ExtendRetention(t.Context(), "old", "", day)
		}, archive.ErrRefused, "no version named"},
		{"hold on no version", func(m *Memory, _ string) error {
			return m.SetLegalHold(t.Context(), "old", "", true)
		}, archive.ErrRefused, "no version named"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := new(recorder)
			m := NewMemory(r, testHome, newClock().now)
			created := mustCreate(t, m, "old", "old")
			if err := tt.call(m, created.VersionID); !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if len(r.errors) != 1 || !strings.Contains(r.errors[0], tt.says) {
				t.Errorf("the test was told %q, want one with %q", r.errors, tt.says)
			}
			if n := count(m.Raw()); n != 1 {
				t.Errorf("%d versions afterwards", n)
			}
			if o, err := m.Head(t.Context(), "old", ""); err != nil || o.Lock != (archive.Lock{Mode: archive.Compliance, RetainUntil: day}) {
				t.Errorf("afterwards %+v, %v", o.Lock, err)
			}
		})
	}
}

func count(raw Tamperer) int {
	n := 0
	for range raw.All() {
		n++
	}
	return n
}

func TestMemoryCountsOverwrites(t *testing.T) {
	m := NewMemory(t, testHome, newClock().now)
	mustCreate(t, m, "a", "bytes")
	for _, body := range []string{"bytes", "others", "bytes", "more"} {
		if _, err := create(t, m, "a", body); !errors.Is(err, archive.ErrExists) {
			t.Fatalf("create: %v", err)
		}
	}
	if got := m.Overwrites(); !slices.Equal(got, []string{"a", "a"}) {
		t.Errorf("overwrites %q", got)
	}
}

func TestMemoryDatesInWholeSeconds(t *testing.T) {
	c := newClock()
	m := NewMemory(t, testHome, c.now)
	want := testStart.Truncate(time.Second)
	created := mustCreate(t, m, "a", "")
	c.add(90 * time.Second)
	o, err := m.Head(t.Context(), "a", "")
	if err != nil {
		t.Fatal(err)
	}
	if created.Date != want || o.LastModified != want || o.Date != want.Add(90*time.Second) {
		t.Errorf("created %s, modified %s, asked %s", created.Date, o.LastModified, o.Date)
	}
}

func TestMemoryVersionIDs(t *testing.T) {
	id := func(m *Memory, key string) string { return mustCreate(t, m, key, "").VersionID }
	m := NewMemory(t, testHome, newClock().now)
	a := id(m, "a")
	if len(a) != 32 || strings.Trim(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._") != "" {
		t.Errorf("version ID %q", a)
	}
	again := NewMemory(t, testHome, newClock().now)
	id(again, "z")
	if got := id(again, "a"); got != a {
		t.Errorf("a second run gives %s, the first gave %s", got, a)
	}
	if err := m.Raw().RemoveKey("a"); err != nil {
		t.Fatal(err)
	}
	elsewhere := NewMemory(t, archive.Home{Bucket: "other"}, newClock().now)
	for _, other := range []string{id(m, "a"), id(m, "b"), id(elsewhere, "a")} {
		if other == a {
			t.Errorf("version ID %s came twice", a)
		}
	}
}

func TestMemoryListingSeesWhatComesBetweenPages(t *testing.T) {
	m := NewMemory(t, testHome, newClock().now)
	m.SetPageSize(1)
	for _, key := range []string{"a", "b", "c"} {
		mustCreate(t, m, key, "")
	}
	var got []string
	for v, err := range m.Versions(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v.Key)
		if v.Key == "b" {
			if err := m.Raw().RemoveKey("b"); err != nil {
				t.Fatal(err)
			}
			mustCreate(t, m, "bb", "")
		}
	}
	if !slices.Equal(got, []string{"a", "b", "bb", "c"}) {
		t.Errorf("listed %q", got)
	}
}

func TestMemoryConcurrentUse(t *testing.T) {
	m := NewMemory(t, testHome, newClock().now)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			key := fmt.Sprintf("key/%d", i)
			created := mustCreate(t, m, key, key)
			until := testStart.Truncate(time.Second).AddDate(0, 0, 2)
			err := errors.Join(
				m.ExtendRetention(t.Context(), key, created.VersionID, until),
				m.SetLegalHold(t.Context(), key, created.VersionID, true))
			body, o, getErr := m.Get(t.Context(), key, "", 100)
			if err := errors.Join(err, getErr); err != nil || !bytes.Equal(body, []byte(key)) || !o.Lock.LegalHold {
				t.Errorf("%s: %q %+v %v", key, body, o.Lock, err)
			}
			for _, err := range m.Versions(t.Context(), "key/", "") {
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
