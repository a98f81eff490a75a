package config

import (
	"context"
	"errors"
	"log/slog"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/s3lock"
)

// OpenBucket prepares the bucket, and the store that the archive is to use: the bucket itself, unless enforce_worm is
// false. Nothing is sent.
func (c *Config) OpenBucket(ctx context.Context, logger *slog.Logger) (*s3lock.Store, archive.Store, error) {
	if c.Bucket == "" {
		return nil, nil, errors.New("no bucket is named; set " + envPrefix + "BUCKET")
	}
	bucket, err := s3lock.Open(ctx, s3lock.Config{
		Bucket: c.Bucket, Prefix: c.Prefix, Region: c.Region, Endpoint: c.Endpoint,
		SSE: c.SSE, KMSKeyID: c.KMSKeyID, TLSMinVersion: c.TLSMinVersion, Logger: logger,
	})
	if err != nil {
		return nil, nil, err
	}
	if c.EnforceWORM {
		return bucket, bucket, nil
	}
	logger.Warn("enforce_worm is false: the bucket's Object Lock is not asked for, and what is written here is no evidence")
	return bucket, unenforced{bucket}, nil
}

// unenforced is a store whose Object Lock is nobody's business: enforce_worm: false, for S3 servers on loopback that take
// lock headers without knowing them. Writes carry the headers as ever, and verify says what is missing.
type unenforced struct{ archive.Store }

func (u unenforced) Settings(ctx context.Context) (archive.Settings, error) {
	s, err := u.Store.Settings(ctx)
	unasked := errors.New("not asked for, as enforce_worm is false")
	s.ObjectLock = archive.Known[bool]{Err: unasked}
	s.Versioning = archive.Known[string]{Err: unasked}
	return s, err
}
