package secretsmanager

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wormlog/wormlog/keys"
)

const signing = "wormlog/payments"

var _ keys.Provider = (*Provider)(nil)

func newProvider(t *testing.T, f *fake, onStale func(error)) *Provider {
	t.Helper()
	p, err := NewProvider(Config{API: f, SecretID: signing, OnStale: onStale})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantCurrent(t *testing.T, p *Provider, want *keys.Bundle) {
	t.Helper()
	b, err := p.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b.KeyID() != want.KeyID() {
		t.Fatalf("the bundle of key %s, want %s", b.KeyID(), want.KeyID())
	}
}

func TestCurrentIsCachedForMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		first, value := newBundle(t)
		f.set(signing, "v1", value)
		p := newProvider(t, f, nil)
		wantCurrent(t, p, first)
		second, value := newBundle(t)
		f.set(signing, "v2", value)
		time.Sleep(time.Hour - time.Second)
		wantCurrent(t, p, first)
		if n := f.count("GetSecretValue"); n != 1 {
			t.Errorf("%d calls within the maximum age", n)
		}
		time.Sleep(time.Second)
		wantCurrent(t, p, second)
	})
}

func TestFailedRefreshUsesTheBundleForGraceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		b, value := newBundle(t)
		f.set(signing, "v1", value)
		var told []error
		p := newProvider(t, f, func(err error) { told = append(told, err) })
		wantCurrent(t, p, b)
		f.set(signing, "v2", "") // every read from now on finds an empty version
		time.Sleep(time.Hour)
		for range 3 { // one attempt a minute, however often it is asked for
			wantCurrent(t, p, b)
		}
		if len(told) != 1 || f.count("GetSecretValue") != 2 {
			t.Errorf("told %d times after %d calls, want 1 after 2", len(told), f.count("GetSecretValue"))
		}
		if !strings.Contains(told[0].Error(), "has no value") || !strings.Contains(told[0].Error(), string(b.KeyID())) {
			t.Errorf("told %q", told[0])
		}
		time.Sleep(time.Minute)
		wantCurrent(t, p, b)
		if len(told) != 2 {
			t.Errorf("told %d times after two attempts", len(told))
		}
		time.Sleep(6*time.Hour - 2*time.Minute)
		wantCurrent(t, p, b)
		time.Sleep(time.Minute)
		if _, err := p.Current(t.Context()); err == nil || !strings.Contains(err.Error(), "too old to use") || !strings.Contains(err.Error(), "has no value") {
			t.Errorf("after the grace: %v", err)
		}
		f.set(signing, "v3", value)
		time.Sleep(time.Minute)
		wantCurrent(t, p, b)
	})
}

func TestGraceEndsBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		b, value := newBundle(t)
		f.set(signing, "v1", value)
		p, err := NewProvider(Config{API: f, SecretID: signing, MaxAge: time.Hour, Grace: 90 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		wantCurrent(t, p, b)
		time.Sleep(time.Hour + time.Minute)
		f.fail("GetSecretValue", false, errLost)
		wantCurrent(t, p, b)
		time.Sleep(30 * time.Second) // too early for the next attempt, too late for the bundle
		if _, err := p.Current(t.Context()); !errors.Is(err, errLost) {
			t.Errorf("%v, want the error of the last attempt", err)
		}
	})
}

func TestFirstFailureIsRememberedForMinInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		p := newProvider(t, f, func(err error) { t.Errorf("told %v without a bundle", err) })
		for range 3 {
			if _, err := p.Current(t.Context()); !errors.Is(err, keys.ErrNotFound) {
				t.Errorf("%v, want ErrNotFound", err)
			}
		}
		if n := f.count("GetSecretValue"); n != 1 {
			t.Errorf("%d calls within the least interval", n)
		}
		b, value := newBundle(t)
		f.set(signing, "v1", value)
		time.Sleep(time.Minute)
		wantCurrent(t, p, b)
	})
}

func TestCallersShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.gate = make(chan struct{})
		b, value := newBundle(t)
		f.set(signing, "v1", value)
		p := newProvider(t, f, nil)
		// Whoever came first gives up; the others get their bundle all the same.
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error, 1)
		go func() { _, err := p.Current(ctx); gaveUp <- err }()
		synctest.Wait()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if got, err := p.Current(t.Context()); err != nil || got.KeyID() != b.KeyID() {
					t.Errorf("%v, %v", got, err)
				}
			})
		}
		synctest.Wait()
		cancel()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want context.Canceled", err)
		}
		close(f.gate)
		wg.Wait()
		if n := f.count("GetSecretValue"); n != 1 {
			t.Errorf("%d calls for 9 callers", n)
		}
		if _, err := p.Version(ctx, "v1"); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: %v", err)
		}
	})
}

func TestReadTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.gate = make(chan struct{}) // never opens
		began := time.Now()
		_, err := newProvider(t, f, nil).Current(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 30*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestVersionIsReadOnce(t *testing.T) {
	f := newFake()
	old, oldValue := newBundle(t)
	_, newValue := newBundle(t)
	f.set(signing, "v1", oldValue)
	f.set(signing, "v2", newValue)
	p := newProvider(t, f, nil)
	f.fail("GetSecretValue", false, errLost)
	if _, err := p.Version(t.Context(), "v1"); !errors.Is(err, errLost) {
		t.Errorf("%v, want the fault", err)
	}
	for range 3 {
		if b, err := p.Version(t.Context(), "v1"); err != nil || b.KeyID() != old.KeyID() {
			t.Errorf("%v, %v", b, err)
		}
	}
	if n := f.count("GetSecretValue"); n != 2 {
		t.Errorf("%d calls, want the failed one and one more", n)
	}
	_, err := p.Version(t.Context(), "v9")
	if !errors.Is(err, keys.ErrNotFound) || !strings.Contains(err.Error(), "v9") {
		t.Errorf("a version that is not there: %v", err)
	}
	if _, err := p.Version(t.Context(), ""); err == nil {
		t.Error("no version passes as one")
	}
}

func TestConfigIsChecked(t *testing.T) {
	f := newFake()
	for name, cfg := range map[string]Config{
		"no client":     {SecretID: signing},
		"no secret":     {API: f},
		"negative":      {API: f, SecretID: signing, MaxAge: -1},
		"over a day":    {API: f, SecretID: signing, MaxAge: 20 * time.Hour, Grace: 5 * time.Hour},
		"age over all":  {API: f, SecretID: signing, MaxAge: 25 * time.Hour},
		"long interval": {API: f, SecretID: signing, MinInterval: 2 * time.Hour},
	} {
		if _, err := NewProvider(cfg); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
	if _, err := NewProvider(Config{API: f, SecretID: signing, MaxAge: time.Second}); err != nil {
		t.Error(err)
	}
}
