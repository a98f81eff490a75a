package archive_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// bundles is a provider whose current bundle a test chooses.
type bundles struct {
	current atomic.Pointer[keys.Bundle]
	failure atomic.Pointer[error]
	asked   atomic.Int64
}

func (b *bundles) Current(context.Context) (*keys.Bundle, error) {
	b.asked.Add(1)
	if err := b.failure.Load(); err != nil {
		return nil, *err
	}
	return b.current.Load(), nil
}

func (b *bundles) Version(context.Context, string) (*keys.Bundle, error) {
	return nil, keys.ErrNotFound
}

// bundle makes a key of writer app, and publishes its record unless it is told not to.
func (s *site) bundle(publish bool) *keys.Bundle {
	s.t.Helper()
	b, r, err := keys.NewKey(s.log.ID, keys.RoleWriter, "app.*", keys.AlgorithmHMACSHA256, map[string]string{"kind": "test"}, "")
	if err != nil {
		s.t.Fatal(err)
	}
	line, id, err := keys.SignRecord(r, s.online.Signer())
	if err != nil {
		s.t.Fatal(err)
	}
	s.copies[id], s.ids[id] = b.VerificationCopy(), r
	if publish {
		must(s.log.CreateRecord(s.t.Context(), s.mem, id, line))(s.t)
	}
	return b
}

// parsed is the bundle as another read of its secret gives it.
func parsed(t testing.TB, b *keys.Bundle, edit func(string) string) *keys.Bundle {
	t.Helper()
	text := string(must(b.Secret())(t))
	if edit != nil {
		text = edit(text)
	}
	return must(keys.ParseBundle([]byte(text)))(t)
}

// A record is read once a key, and a bundle that was looked at before costs no call to anybody but the provider.
func TestSigningKeysReadOncePerKey(t *testing.T) {
	s := newSite(t)
	first, second := s.bundle(true), s.bundle(true)
	counting := archivetest.NewCounting(s.mem)
	p := new(bundles)
	key := archive.SigningKeys(s.log, counting, p)
	for _, tt := range []struct {
		bundle *keys.Bundle
		calls  int
	}{
		{first, 1}, {first, 1}, {parsed(t, first, nil), 1}, {second, 2}, {second, 2}, {first, 3},
	} {
		p.current.Store(tt.bundle)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if k, err := key(t.Context()); err != nil || k.ID() != tt.bundle.KeyID() {
					t.Errorf("got %v, %v; want key %s", k, err, tt.bundle.KeyID())
				}
			})
		}
		wg.Wait()
		if n := counting.Count("", ""); n != tt.calls {
			t.Errorf("%d calls to the store, want %d: %v", n, tt.calls, counting.Calls())
		}
	}
	if n := p.asked.Load(); n != 6*8 {
		t.Errorf("the provider was asked %d times", n)
	}
}

func TestSigningKeysRefuse(t *testing.T) {
	s, other := newSite(t), newSite(t)
	good := s.bundle(true)
	forged, record := s.unpublishedKey(keys.RoleWriter, "app.*", keys.AlgorithmEd25519)
	unsigned := s.bundle(false)
	line, _, err := keys.SignRecord(s.ids[unsigned.KeyID()], other.online.Signer())
	if err != nil {
		t.Fatal(err)
	}
	must(s.mem.Raw().PutVersion(archive.RecordKey(unsigned.KeyID()), line, archive.Lock{}, s.log.Created.Time))(t)
	must(s.mem.Raw().PutVersion(archive.RecordKey(forged.ID()), append([]byte("x"), record...), archive.Lock{}, s.log.Created.Time))(t)
	seed := func(text string) string { // one seed for another
		i := strings.Index(text, `"manifest_key":"`) + len(`"manifest_key":"`)
		return text[:i] + strings.Repeat("A", 43) + "=" + text[i+44:]
	}
	for name, tt := range map[string]struct {
		bundle *keys.Bundle
		fault  error
		want   []error
		text   string
	}{
		"another log": {other.bundle(true), nil, []error{archive.ErrKey}, "and this is log " + string(s.log.ID)},
		"no record":   {s.bundle(false), nil, []error{archive.ErrKey, archive.ErrNotFound}, "has no record in the archive"},
		"unsigned":    {unsigned, nil, []error{archive.ErrKey, keys.ErrBadSignature}, "not signed by the online authority"},
		"edited":      {parsed(t, good, seed), nil, []error{archive.ErrKey, keys.ErrMismatch}, "manifest key"},
		"store away":  {good, archive.ErrUncertain, []error{archive.ErrUncertain}, string(good.KeyID())},
		"denied":      {good, archive.ErrDenied, []error{archive.ErrDenied}, string(good.KeyID())},
	} {
		t.Run(name, func(t *testing.T) {
			faulty := archivetest.NewFaulty(s.mem)
			if tt.fault != nil {
				faulty.Add(archivetest.Fault{Err: tt.fault, Op: archivetest.OpGet, Call: 1})
			}
			p := new(bundles)
			p.current.Store(tt.bundle)
			key := archive.SigningKeys(s.log, faulty, p)
			k, err := key(t.Context())
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			}
			if k != nil || err == nil || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, tt.text)
			}
			if tt.fault != nil && errors.Is(err, archive.ErrKey) {
				t.Errorf("%v says that the key does not fit", err)
			}
			p.current.Store(good)
			if _, err := key(t.Context()); err != nil {
				t.Errorf("afterwards, with a good key: %v", err)
			}
		})
	}
}

// A caller whose context ends does not wait for another one's read.
func TestSigningKeysWait(t *testing.T) {
	s := newSite(t)
	pause := archivetest.NewPause()
	p := new(bundles)
	p.current.Store(s.bundle(true))
	key := archive.SigningKeys(s.log, archivetest.NewFaulty(s.mem, archivetest.Fault{Op: archivetest.OpGet, Pause: pause}), p)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := key(t.Context()); err != nil {
			t.Error(err)
		}
	})
	<-pause.Reached()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := key(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	pause.Resume()
	wg.Wait()
}
