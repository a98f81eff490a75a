package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/s3lock"
	"github.com/wormlog/wormlog/keys"
)

// session is a run that has its configuration and its bucket.
type session struct {
	*app
	*loaded
	logger *slog.Logger
	bucket *s3lock.Store
	store  archive.Store // the bucket, as the archive is to see it
}

// open loads the configuration and prepares the bucket. Nothing is sent.
func (a *app) open(c *cobra.Command) (*session, error) {
	l, err := load(a.file, a.environ, c.Flags())
	if err != nil {
		return nil, err
	}
	s := &session{app: a, loaded: l, logger: a.logger()}
	if l.Bucket == "" {
		return nil, withHint(errors.New("no bucket is named"),
			`set bucket in wormlog.yaml, WORMLOG_BUCKET or --bucket; eval "$(wormlog-dev --print-env)" makes one on this machine`)
	}
	s.bucket, err = s3lock.Open(c.Context(), s3lock.Config{
		Bucket: l.Bucket, Prefix: l.Prefix, Region: l.Region, Endpoint: l.Endpoint,
		SSE: l.SSE, KMSKeyID: l.KMSKeyID, TLSMinVersion: l.TLSMinVersion, Logger: s.logger,
	})
	if err != nil {
		return nil, err
	}
	s.store = s.bucket
	if !l.EnforceWORM {
		s.logger.Warn("enforce_worm is false: the bucket's Object Lock is not asked for, and what is written here is no evidence")
		s.store = unenforced{s.bucket}
	}
	return s, nil
}

func (a *app) logger() *slog.Logger {
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
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

// openLog reads log.json and compares it with the pinned log ID, if there is one.
func (s *session) openLog(ctx context.Context) (*archive.Log, error) {
	l, err := archive.OpenLog(ctx, s.store, s.LogID)
	if errors.Is(err, archive.ErrNotFound) {
		if s3 := new(s3lock.Error); errors.As(err, &s3) && s3.Code == "NoSuchBucket" {
			return nil, err
		}
		if _, nowErr := s.store.Now(ctx); nowErr != nil {
			return nil, nowErr
		}
		return nil, withHint(fmt.Errorf("there is no log %s", s.where()), "check bucket and prefix, or make one with `wormlog init`")
	}
	return l, s.hidden(err)
}

// hidden explains an error that comes of a delete marker over log.json.
func (s *session) hidden(err error) error {
	if !errors.Is(err, archive.ErrDeleteMarker) {
		return err
	}
	return withHint(fmt.Errorf("the log %s is hidden by a %w over its log.json", s.where(), archive.ErrDeleteMarker),
		"`wormlog verify` says what else happened; a delete marker destroys nothing and can be removed by its version ID")
}

// where says where the archive is, for people.
func (s *session) where() string {
	if s.Prefix == "" {
		return "in bucket " + s.Bucket
	}
	return "in bucket " + s.Bucket + " under " + strings.Trim(s.Prefix, "/") + "/"
}

// endpointLine says so, for people, if the archive is not on AWS: what such a server says of locks and dates is its own
// word. It is empty on AWS.
func (s *session) endpointLine() string {
	if s.bucket.OnAWS() {
		return ""
	}
	return visible(fmt.Sprintf("Endpoint %s (not AWS, named by %s).", s.bucket.Endpoint(), s.given["endpoint"].from)) + "\n"
}

// Names of secrets, derived from the log's origin where they are not set.

func (s *session) signingSecret(origin string) string {
	return cmp.Or(s.SigningSecret, secretName(origin, s.Writer))
}

func (s *session) authoritySecret(origin string) string {
	return cmp.Or(s.AuthoritySecret, secretName(origin, "authority"))
}

func (s *session) actsSecret(origin string) string {
	return cmp.Or(s.ActsSecret, secretName(origin, "acts"))
}

func (s *session) verificationSecrets(origin string) string {
	return cmp.Or(s.VerificationSecrets, secretName(origin, "verification"))
}

// secretName is wormlog/<origin>/<last>, with '-' for what Secrets Manager does not take in a name.
func secretName(origin, last string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/_=.@-", r) {
			return r
		}
		return '-'
	}, origin)
	return "wormlog/" + strings.Trim(clean, "/") + "/" + last
}

// signingKey reads the signing key and its record, each time it is asked.
func (s *session) signingKey(l *archive.Log, provider keys.Provider) func(context.Context) (*keys.SigningKey, error) {
	return func(ctx context.Context) (*keys.SigningKey, error) {
		bundle, err := provider.Current(ctx)
		if err != nil {
			return nil, err
		}
		if bundle.LogID() != l.ID {
			return nil, fmt.Errorf("%w: the signing key %s is of log %s, and this is log %s", keys.ErrMismatch, bundle.KeyID(), bundle.LogID(), l.ID)
		}
		record, err := l.Record(ctx, s.store, bundle.KeyID())
		if errors.Is(err, archive.ErrNotFound) {
			return nil, withHint(fmt.Errorf("the signing key %s has no record in the archive: %w", bundle.KeyID(), err), "`wormlog init` publishes it")
		}
		if err != nil {
			return nil, err
		}
		return bundle.SigningKey(record)
	}
}
