// Package rotatetest makes a log whose keys can be rotated, on a development server. It is for tests.
package rotatetest

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/archive/s3lock"
	"github.com/wormlog/wormlog/internal/rotate"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// Names that a [Site] uses.
const (
	Bucket        = "wormlog-test"
	Origin        = "example.com/dev-audit"
	Signing       = "wormlog/example.com/dev-audit/main"
	Authority     = "wormlog/example.com/dev-audit/authority"
	Acts          = "wormlog/example.com/dev-audit/acts"
	Verification  = "wormlog/example.com/dev-audit/verification"
	RetentionDays = 30
)

// Site is a log as init makes it: genesis, and keys of the online authority, for acts and of the writer main.
type Site struct {
	*devserver.Server
	tb    testing.TB
	ahead atomic.Int64

	Log      *archive.Log
	Store    archive.Store
	API      *sm.Client // whose calls are not retried
	Recovery *keys.AuthorityKey
	First    keys.ID // the writer's first key
	ActsKey  keys.ID
}

// New starts a server and makes the log. The writer's entries are signed by the algorithm.
func New(tb testing.TB, algorithm keys.Algorithm) *Site {
	tb.Helper()
	return NewWith(tb, algorithm, archive.RetentionPolicy{Days: RetentionDays, MaxDays: RetentionDays + 180})
}

// NewWith is [New] with another retention than 30 days.
func NewWith(tb testing.TB, algorithm keys.Algorithm, retention archive.RetentionPolicy) *Site {
	tb.Helper()
	s := &Site{tb: tb}
	var err error
	s.Server, err = devserver.New(devserver.Config{Region: "us-east-1", Now: s.Now})
	s.check(err)
	tb.Cleanup(func() { s.check(s.Close()) })
	_, err = s.Start("127.0.0.1:0")
	s.check(errors.Join(err, s.CreateBucket(Bucket, true)))
	tb.Setenv("AWS_ACCESS_KEY_ID", devserver.AccessKeyID)
	tb.Setenv("AWS_SECRET_ACCESS_KEY", devserver.SecretAccessKey)
	store, err := s3lock.Open(tb.Context(), s3lock.Config{Bucket: Bucket, Region: "us-east-1", Endpoint: s.URL(), Logger: slog.New(slog.DiscardHandler)})
	s.check(err)
	s.Store = store
	s.API = sm.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(s.URL()),
		Credentials: credentials.NewStaticCredentialsProvider(devserver.AccessKeyID, devserver.SecretAccessKey, ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	})
	s.init(algorithm, retention)
	return s
}

// Now is the clock of the server, and of jobs.
func (s *Site) Now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// Wait lets time pass.
func (s *Site) Wait(d time.Duration) { s.ahead.Add(int64(d)) }

func (s *Site) init(algorithm keys.Algorithm, retention archive.RetentionPolicy) {
	s.tb.Helper()
	ctx, secrets := s.tb.Context(), secretsmanager.Store{API: s.API}
	online, err := keys.NewAuthorityKey(archive.OnlineAuthority)
	s.check(err)
	s.Recovery, err = keys.NewAuthorityKey(archive.RecoveryAuthority)
	s.check(errors.Join(err, secrets.CreateAuthority(ctx, Authority, online)))
	s.Log, err = archive.NewLog(archive.Genesis{
		Origin: Origin, Nonce: archive.NewNonce(), Created: archive.Instant{Time: s.Now().UTC()}, Home: s.Store.Home(),
		Authorities: []keys.Authority{online.Authority(), s.Recovery.Authority()},
		Retention:   retention, HeartbeatSeconds: 3600,
	}, online)
	s.check(err)
	_, err = s.Log.Create(ctx, s.Store)
	s.check(err)
	s.ActsKey = s.key(Acts, keys.RoleAuthority, "authority.*", keys.AlgorithmEd25519, s.Recovery)
	s.First = s.key(Signing, keys.RoleWriter, "main.*", algorithm, online)
}

// key makes a key and publishes it.
func (s *Site) key(secret string, role keys.Role, streams string, algorithm keys.Algorithm, by *keys.AuthorityKey) keys.ID {
	s.tb.Helper()
	ctx := s.tb.Context()
	bundle, record, err := keys.NewKey(s.Log.ID, role, streams, algorithm, secretsmanager.Source(secret), "")
	s.check(err)
	s.check(secretsmanager.Store{API: s.API}.CreateBundle(ctx, secret, bundle))
	if c := bundle.VerificationCopy(); c != nil {
		s.check(s.Copies().PutCopy(ctx, c))
	}
	b, id, err := keys.SignRecord(record, by.Signer())
	s.check(err)
	_, err = s.Log.CreateRecord(ctx, s.Store, id, b)
	s.check(err)
	return id
}

// Copies are the verification copies.
func (s *Site) Copies() secretsmanager.Copies {
	return secretsmanager.Copies{API: s.API, Prefix: Verification}
}

// Job rotates the log's keys.
func (s *Site) Job() *rotate.Job {
	return &rotate.Job{
		Log: s.Log, Store: s.Store, API: s.API, Now: s.Now, Software: "test",
		AuthoritySecret: Authority, VerificationSecrets: Verification, ActsSecret: Acts,
	}
}

// Write archives an entry with the key that the signing secret holds, and returns the key's ID.
func (s *Site) Write(data string) keys.ID {
	s.tb.Helper()
	ctx := s.tb.Context()
	key := s.Key(Signing)
	w, err := archive.OpenWriter(ctx, archive.WriterConfig{Store: s.Store, Log: s.Log, Key: key, Writer: "main", Now: s.Now})
	s.check(err)
	pending, err := w.Append(ctx, archive.Record{Data: []byte(data)})
	s.check(errors.Join(err, w.Close(ctx)))
	_, err = pending.Wait(ctx)
	s.check(err)
	k, err := key(ctx)
	s.check(err)
	return k.ID()
}

// Key reads the key that a secret holds, as a writer does.
func (s *Site) Key(secret string) func(context.Context) (*keys.SigningKey, error) {
	return func(ctx context.Context) (*keys.SigningKey, error) {
		p, err := secretsmanager.NewProvider(secretsmanager.Config{API: s.API, SecretID: secret})
		if err != nil {
			return nil, err
		}
		return archive.SigningKeys(s.Log, s.Store, p)(ctx)
	}
}

// Verify looks at everything.
func (s *Site) Verify() *archive.Report {
	s.tb.Helper()
	r, err := archive.Verify(context.WithoutCancel(s.tb.Context()), archive.VerifyConfig{Store: s.Store, LogID: s.Log.ID, Copies: s.Copies(), RequireHMAC: true})
	s.check(err)
	return r
}

// KeyActs returns since when the archive says that a key is retired, and compromised.
func (s *Site) KeyActs(id keys.ID) (retired, compromised time.Time) {
	s.tb.Helper()
	r, err := archive.OpenReader(s.tb.Context(), archive.ReaderConfig{Store: s.Store, LogID: s.Log.ID})
	s.check(err)
	return r.KeyActs(id)
}

// Labels returns which version of a secret has which label.
func (s *Site) Labels(secret string) map[string]string {
	s.tb.Helper()
	out, err := s.API.DescribeSecret(s.tb.Context(), &sm.DescribeSecretInput{SecretId: &secret})
	s.check(err)
	labels := map[string]string{}
	for version, all := range out.VersionIdsToStages {
		for _, label := range all {
			labels[label] = version
		}
	}
	return labels
}

func (s *Site) check(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}
