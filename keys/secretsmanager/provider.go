package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wormlog/wormlog/keys"
)

// Config says which secret a [Provider] reads and how long it trusts what it read. API and SecretID are required.
type Config struct {
	API      Reader
	SecretID string // name or ARN

	// MaxAge is how long a bundle is used without asking again; 0 is 1 hour. After a rotation a writer may sign with the
	// previous key for that long, which verifiers expect.
	MaxAge time.Duration
	// MinInterval is the least time between two attempts to read the current bundle, whatever came of the first; 0 is 1
	// minute, or MaxAge if that is less.
	MinInterval time.Duration
	// Grace is how long beyond MaxAge a bundle is used while every attempt to read it fails; 0 is 6 hours. MaxAge and
	// Grace together are at most 24 hours: a verifier raises attention when a retired key signs for longer.
	Grace time.Duration
	// Timeout bounds one read including the SDK's retries; 0 is 30 seconds.
	Timeout time.Duration
	// OnStale is told why a bundle past MaxAge is used, once for every attempt that failed; nil tells nobody. It is
	// called while callers of Current wait.
	OnStale func(error)
}

// Provider reads signing bundles from one secret and implements [keys.Provider]. It is safe for concurrent use; callers
// that wait for the same bundle share one call.
type Provider struct {
	cfg    Config
	flight singleflight.Group

	mu       sync.Mutex
	current  *keys.Bundle
	fetched  time.Time // when the call that brought current began
	tried    time.Time // when the last call began
	failed   error     // why the last call failed; nil after a success
	versions map[string]*keys.Bundle
}

// maxVersions bounds the versions remembered; Secrets Manager keeps about 100 of a secret.
const maxVersions = 128

// NewProvider checks the configuration; it calls nothing.
func NewProvider(cfg Config) (*Provider, error) {
	if cfg.API == nil || cfg.SecretID == "" {
		return nil, errors.New("a provider of signing bundles needs a Secrets Manager client and the name of the signing secret")
	}
	if cfg.MaxAge < 0 || cfg.MinInterval < 0 || cfg.Grace < 0 || cfg.Timeout < 0 {
		return nil, errors.New("the times of a provider of signing bundles cannot be negative")
	}
	setDefault(&cfg.MaxAge, time.Hour)
	setDefault(&cfg.MinInterval, min(time.Minute, cfg.MaxAge))
	setDefault(&cfg.Grace, min(6*time.Hour, max(24*time.Hour-cfg.MaxAge, 0)))
	setDefault(&cfg.Timeout, 30*time.Second)
	if cfg.MaxAge+cfg.Grace > 24*time.Hour {
		return nil, errors.New("a signing bundle may be used for 24 hours at most without being read again; lower its maximum age or its grace")
	}
	if cfg.MinInterval > cfg.MaxAge {
		return nil, errors.New("the least interval between reads of the signing secret cannot exceed the maximum age of what was read")
	}
	return &Provider{cfg: cfg, versions: map[string]*keys.Bundle{}}, nil
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

// Current returns the bundle labelled AWSCURRENT, at most MaxAge old; and at most MaxAge + Grace old while it cannot be
// read, with OnStale told why. After that, or when none was ever read, it returns the error of the last attempt. A context
// that ends only ends the waiting.
func (p *Provider) Current(ctx context.Context) (*keys.Bundle, error) {
	if b, err, ok := p.cached(); ok {
		return b, err
	}
	return p.share(ctx, "current", p.refresh)
}

// Version returns the bundle of one version ID. A version never changes, so it is read once.
func (p *Provider) Version(ctx context.Context, version string) (*keys.Bundle, error) {
	if version == "" {
		return nil, errors.New("name the version of the signing secret by its version ID")
	}
	p.mu.Lock()
	b := p.versions[version]
	p.mu.Unlock()
	if b != nil {
		return b, nil
	}
	return p.share(ctx, "version "+version, func(ctx context.Context) (*keys.Bundle, error) {
		return p.readVersion(ctx, version)
	})
}

// share runs get once for all who ask for the same at the same time, detached from the context of whoever asked first.
func (p *Provider) share(ctx context.Context, what string, get func(context.Context) (*keys.Bundle, error)) (*keys.Bundle, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", describe(p.cfg.SecretID, ""), err)
	}
	done := p.flight.DoChan(what, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Timeout)
		defer cancel()
		return get(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for %s: %w", describe(p.cfg.SecretID, ""), ctx.Err())
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*keys.Bundle), nil
	}
}

// cached answers without a call while what was read is fresh, or while it is too early to try again.
func (p *Provider) cached() (b *keys.Bundle, err error, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil && age(p.fetched) < p.cfg.MaxAge {
		return p.current, nil, true
	}
	if p.failed != nil && age(p.tried) < p.cfg.MinInterval {
		b, err := p.stale()
		return b, err, true
	}
	return nil, nil, false
}

// stale returns what to use after a failed attempt; p.mu is held.
func (p *Provider) stale() (*keys.Bundle, error) {
	if p.current == nil {
		return nil, p.failed
	}
	if age(p.fetched) < p.cfg.MaxAge+p.cfg.Grace {
		return p.current, nil
	}
	return nil, fmt.Errorf("the signing bundle was last read %s ago and is too old to use: %w", age(p.fetched).Round(time.Second), p.failed)
}

func (p *Provider) refresh(ctx context.Context) (*keys.Bundle, error) {
	if b, err, ok := p.cached(); ok { // somebody else's call ended between our look and our turn
		return b, err
	}
	began := time.Now()
	b, err := readBundle(ctx, p.cfg.API, p.cfg.SecretID, "")
	p.mu.Lock()
	p.tried, p.failed = began, err
	if err == nil {
		p.current, p.fetched = b, began
		p.mu.Unlock()
		return b, nil
	}
	b, staleErr := p.stale()
	p.mu.Unlock()
	if staleErr == nil && p.cfg.OnStale != nil {
		p.cfg.OnStale(fmt.Errorf("using the signing bundle of key %s past its age of %s: %w", b.KeyID(), p.cfg.MaxAge, err))
	}
	return b, staleErr
}

func (p *Provider) readVersion(ctx context.Context, version string) (*keys.Bundle, error) {
	b, err := readBundle(ctx, p.cfg.API, p.cfg.SecretID, version)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.versions) >= maxVersions {
		clear(p.versions)
	}
	p.versions[version] = b
	return b, nil
}

func readBundle(ctx context.Context, api Reader, secret, version string) (*keys.Bundle, error) {
	value, err := read(ctx, api, secret, version)
	if err != nil {
		return nil, err
	}
	b, err := keys.ParseBundle(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.TrimSuffix(describe(secret, version), ","), err)
	}
	return b, nil
}

// age is the longer of what the monotonic and the wall clock say has passed: the one stands still while a Lambda sandbox
// is frozen, the other can be set back.
func age(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}
