package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Placed says where a create put its object and what lock was asked for.
type Placed struct {
	Key         string
	VersionID   string
	SHA256      Hash
	RetainUntil time.Time
	Date        time.Time // the store's clock when the object was known to exist
	ReadBack    bool      // found by reading back: the reply to the create itself was lost

	attempts int
}

// ErrTaken: another object is under the key, so another owner writes there.
var ErrTaken = errors.New("the key is taken by another object")

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
)

// put creates an object and returns once it is known to exist with exactly these bytes and at least this lock.
//
// The bytes and the date are frozen: after a conflict, a throttling, or an answer that says nothing, the same create is
// repeated until the store says yes, or that the key exists, or ctx ends. When it exists it is read back by Head: equal
// is success, different is ErrTaken. Absence is never concluded from a 404. ErrDenied and ErrRefused end it at once. If
// ctx ends, or such an error comes, after an attempt whose outcome is unknown, the error wraps ErrUncertain as well: the
// object may exist.
func put(ctx context.Context, s Store, key string, body []byte, contentType string, retainUntil time.Time) (Placed, error) {
	p := Placed{Key: key, SHA256: sha256.Sum256(body), RetainUntil: retainUntil}
	o := CreateOptions{RetainUntil: retainUntil, SHA256: p.SHA256, ContentType: contentType}
	uncertain := false
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		p.attempts++
		created, err := s.Create(ctx, key, body, o)
		switch {
		case err == nil:
			p.VersionID, p.Date = created.VersionID, created.Date
			return p, nil
		case errors.Is(err, ErrExists):
			done, headErr := readBack(ctx, s, &p, int64(len(body)))
			if done {
				return p, headErr
			}
			uncertain, err = true, headErr
		case errors.Is(err, ErrDenied), errors.Is(err, ErrRefused):
			return p, putError(key, uncertain, err)
		case errors.Is(err, ErrThrottled):
		default:
			uncertain = true
		}
		if !sleep(ctx, pause) {
			return p, putError(key, uncertain, errors.Join(err, context.Cause(ctx)))
		}
	}
}

func putError(key string, uncertain bool, err error) error {
	if uncertain && !errors.Is(err, ErrUncertain) {
		return fmt.Errorf("writing %s: %w: an earlier attempt may have taken effect: %w", key, ErrUncertain, err)
	}
	return fmt.Errorf("writing %s: %w", key, err)
}

// readBack looks at what a key holds that exists already. done says that the question is settled.
func readBack(ctx context.Context, s Store, p *Placed, size int64) (done bool, err error) {
	o, err := s.Head(ctx, p.Key, "")
	switch {
	case errors.Is(err, ErrDenied):
		return true, fmt.Errorf("writing %s: %w, and it may not be read back: %w", p.Key, ErrTaken, err)
	case err != nil:
		return false, err
	case !o.HasSHA256 || o.Size != size || Hash(o.SHA256) != p.SHA256:
		return true, fmt.Errorf("writing %s: %w: version %s has %d bytes and SHA-256 %s", p.Key, ErrTaken, o.VersionID, o.Size, Hash(o.SHA256))
	case !o.RetentionHidden && (o.Lock.Mode != Compliance || o.Lock.RetainUntil.Before(p.RetainUntil)):
		return true, fmt.Errorf("writing %s: %w: version %s has equal bytes but the lock %s until %s", p.Key, ErrTaken, o.VersionID, o.Lock.Mode, o.Lock.RetainUntil.Format(secondLayout))
	}
	p.VersionID, p.Date, p.ReadBack = o.VersionID, o.Date, true
	return true, nil
}

// sleep waits for about d, and says whether ctx still runs.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
