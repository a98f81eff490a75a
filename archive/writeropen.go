package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wormlog/wormlog/keys"
)

const maxClockSkew = 5 * time.Minute

// checkClock compares our clock with the store's.
func (w *Writer) checkClock(ctx context.Context) error {
	store, err := w.cfg.Store.Now(ctx)
	if err != nil {
		return fmt.Errorf("asking the store for its time: %w", err)
	}
	ahead := store.Sub(w.cfg.Now())
	if ahead.Abs() > maxClockSkew {
		return fmt.Errorf("%w: this machine says %s, the store %s; set the clock, retention and evidence depend on it",
			ErrClock, Second{w.cfg.Now()}, Second{store})
	}
	w.clock.Store(int64(ahead))
	return nil
}

// checkBucket refuses a bucket that cannot keep anything. What may not be read does not stop the writer: its role need
// not have the permission, and S3 refuses locked writes to a bucket without Object Lock.
func (w *Writer) checkBucket(ctx context.Context) error {
	s, err := w.cfg.Store.Settings(ctx)
	if err != nil {
		return fmt.Errorf("asking for the bucket's settings: %w", err)
	}
	name := w.cfg.Store.Home().Bucket
	switch {
	case s.ObjectLock.Err != nil:
		w.log.Warn("whether the bucket has Object Lock could not be read", "bucket", name, "error", s.ObjectLock.Err)
	case !s.ObjectLock.Value:
		return fmt.Errorf("%w %s: create it with Object Lock enabled", ErrNoObjectLock, name)
	}
	switch {
	case s.Versioning.Err != nil:
		w.log.Warn("whether the bucket keeps versions could not be read", "bucket", name, "error", s.Versioning.Err)
	case s.Versioning.Value != "Enabled":
		return fmt.Errorf("%w %s: its versioning is %q, not Enabled", ErrNoObjectLock, name, s.Versioning.Value)
	}
	return nil
}

// checkKey says whether verifiers will accept what the key signs in this stream.
func (w *Writer) checkKey(ctx context.Context, key *keys.SigningKey, name StreamName) error {
	r := key.Record()
	switch {
	case r.LogID != w.cfg.Log.ID:
		return fmt.Errorf("%w: key %s is for log %s, not %s", ErrKey, key.ID(), r.LogID, w.cfg.Log.ID)
	case r.Role != w.role:
		return fmt.Errorf("%w: key %s has the role %s, and streams of %s need %s", ErrKey, key.ID(), r.Role, name.Writer, w.role)
	case !r.Covers(name.String()):
		return fmt.Errorf("%w: key %s is for the streams %s, not %s", ErrKey, key.ID(), r.Streams, name)
	}
	return w.checkPublished(ctx, key.ID())
}

// checkPublished looks for the key's record in the bucket, without which nobody can verify what the key signs.
func (w *Writer) checkPublished(ctx context.Context, id keys.ID) error {
	_, err := w.cfg.Store.Head(ctx, RecordKey(id), "")
	switch {
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%w: the bucket has no record of key %s at %s; publish it before the key is used", ErrKey, id, RecordKey(id))
	case errors.Is(err, ErrDenied), errors.Is(err, ErrDeleteMarker):
		w.log.Warn("the key record could not be looked at", "key", RecordKey(id), "error", err)
		return nil
	case err != nil:
		return fmt.Errorf("looking for the record of key %s: %w", id, err)
	}
	return nil
}
