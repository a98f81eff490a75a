package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// Defaults and bounds of a [WriterConfig].
const (
	defaultBatchEntries = 10_000
	maxBatchEntries     = 100_000
	defaultBatchBytes   = 4 << 20
	maxBatchBytes       = 24 << 20 // leaves room for longer signatures when a batch moves to a stream with another key
	defaultBatchAge     = 2 * time.Second
	defaultPending      = 6 // batches
	defaultUploads      = 4
	maxClockSkew        = 5 * time.Minute
)

// complete fills in the defaults, refuses what contradicts itself or the log, and returns the role that the writer's
// streams need.
func (c *WriterConfig) complete() (keys.Role, error) {
	if c.Store == nil || c.Log == nil || c.Key == nil {
		return "", errors.New("a writer needs a store, a log and a signing key")
	}
	if err := checkWriter(c.Writer); err != nil {
		return "", err
	}
	setDefault(&c.BatchEntries, defaultBatchEntries)
	setDefault(&c.BatchBytes, defaultBatchBytes)
	setDefault(&c.BatchAge, defaultBatchAge)
	setDefault(&c.MaxPendingBytes, defaultPending*c.BatchBytes)
	setDefault(&c.Uploads, defaultUploads)
	setDefault(&c.StreamAge, maxStreamAge)
	setDefault(&c.Software, "wormlog")
	setDefault(&c.RetentionDays, c.Log.Retention.Days)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = time.Duration(c.Log.HeartbeatSeconds) * time.Second
	}
	return StreamName{Writer: c.Writer}.Role(), c.check()
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

func (c *WriterConfig) check() error {
	switch {
	case c.BatchEntries < 1 || c.BatchEntries > maxBatchEntries:
		return fmt.Errorf("a batch of %d entries is not within 1 to %d", c.BatchEntries, maxBatchEntries)
	case c.BatchBytes < 1 || c.BatchBytes > maxBatchBytes:
		return fmt.Errorf("a batch of %d bytes is not within 1 to %d", c.BatchBytes, maxBatchBytes)
	case c.BatchAge < 0 || c.GiveUpAfter < 0 || c.Uploads < 1:
		return errors.New("the batch age, the patience and the number of uploads are not negative")
	case c.MaxPendingBytes < 2*c.BatchBytes:
		return fmt.Errorf("%d pending bytes are less than two batches of %d", c.MaxPendingBytes, c.BatchBytes)
	case c.StreamAge <= 0 || c.StreamAge > maxStreamAge:
		return fmt.Errorf("a stream age of %s is not within 7 days", c.StreamAge)
	case c.Heartbeat > 0 && c.Heartbeat%time.Second != 0:
		return fmt.Errorf("a heartbeat every %s is not in whole seconds", c.Heartbeat)
	case c.RetentionDays < c.Log.Retention.Days || c.RetentionDays > c.Log.Retention.MaxDays:
		return fmt.Errorf("a retention of %d days is not within the %d to %d days of the log's policy",
			c.RetentionDays, c.Log.Retention.Days, c.Log.Retention.MaxDays)
	}
	if _, err := c.Compression.level(); err != nil {
		return err
	}
	return checkText("software", c.Software, 128)
}

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
