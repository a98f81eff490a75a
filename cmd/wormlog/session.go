package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/dirstore"
	"github.com/wormlog/wormlog/archive/s3lock"
	"github.com/wormlog/wormlog/internal/config"
)

// session is a run that has its configuration and its bucket.
type session struct {
	*app
	*config.Loaded
	logger *slog.Logger
	bucket *s3lock.Store   // nil if a directory takes its place
	dir    *dirstore.Store // nil if it is a bucket
	store  archive.Store   // the bucket, as the archive is to see it
}

// open loads the configuration and prepares the bucket. Nothing is sent.
func (a *app) open(c *cobra.Command) (*session, error) {
	l, err := config.Load(a.file, a.environ, c.Flags())
	if err != nil {
		return nil, err
	}
	s := &session{app: a, Loaded: l, logger: a.logger()}
	if l.Bucket == "" {
		return nil, withHint(errors.New("no bucket is named"),
			`set bucket in wormlog.yaml, WORMLOG_BUCKET or --bucket; eval "$(wormlog-dev --print-env)" makes one on this machine`)
	}
	s.bucket, s.store, err = l.OpenBucket(c.Context(), s.logger)
	if err != nil {
		return nil, err
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

// openHome is openLog for what writes: a copy is to stay one.
func (s *session) openHome(ctx context.Context) (*archive.Log, error) {
	l, err := s.openLog(ctx)
	if err != nil {
		return nil, err
	}
	return l, s.atHome(l)
}

// atHome refuses to work in a copy of a log.
func (s *session) atHome(l *archive.Log) error {
	if here := s.store.Home(); here.Bucket != l.Home.Bucket || here.Prefix != l.Home.Prefix {
		return fmt.Errorf("the log %s is a copy: its home is bucket %s, prefix %q; work there", s.where(), l.Home.Bucket, l.Home.Prefix)
	}
	return nil
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
	if s.dir != nil {
		return visible(fmt.Sprintf("Directory %s, by this machine's clock.", strings.TrimPrefix(s.dir.Home().Bucket, "file://"))) + "\n"
	}
	if s.bucket.OnAWS() {
		return ""
	}
	return visible(fmt.Sprintf("Endpoint %s (not AWS, named by %s).", s.bucket.Endpoint(), s.Given("endpoint").From)) + "\n"
}

// endpoint is where the bucket is, empty for a directory.
func (s *session) endpoint() string {
	if s.dir != nil {
		return ""
	}
	return s.bucket.Endpoint()
}

// unpublished says what to do if err is that a signing key has no record.
func unpublished(err error) error {
	if errors.Is(err, archive.ErrKey) && errors.Is(err, archive.ErrNotFound) {
		return withHint(err, "`wormlog init` publishes it")
	}
	return err
}
