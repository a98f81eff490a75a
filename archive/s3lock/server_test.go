package s3lock_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/archive/s3lock"
)

const bucket = "audit"

var home atomic.Int64

// configFor is for a server at endpoint, with fast retries and a prefix of its own.
func configFor(endpoint string) s3lock.Config {
	return s3lock.Config{
		Bucket: bucket, Prefix: fmt.Sprintf("home-%d", home.Add(1)), Endpoint: endpoint, MaxBackoff: time.Millisecond,
		AWS: &aws.Config{
			Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("tester", "secret of the tester", ""),
		},
	}
}

func open(t *testing.T, c s3lock.Config) *s3lock.Store {
	t.Helper()
	s, err := s3lock.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startDev returns a running devserver with a lock bucket.
func startDev(t *testing.T, c devserver.Config) (*devserver.Server, string) {
	t.Helper()
	srv, err := devserver.New(c)
	if err != nil {
		t.Fatal(err)
	}
	url, err := srv.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	if err := srv.CreateBucket(bucket, true); err != nil {
		t.Fatal(err)
	}
	return srv, url
}

// replying is a store on a server that gives the same answers to everything.
func replying(t *testing.T, handler http.HandlerFunc) *s3lock.Store {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	c := configFor(srv.URL)
	c.Prefix, c.Attempts = "logs", 2
	return open(t, c)
}

// underTest is a store with the raw writes that the contract suite needs.
func underTest(t *testing.T, c s3lock.Config) archivetest.StoreUnderTest {
	t.Helper()
	client := s3.NewFromConfig(*c.AWS, func(o *s3.Options) {
		o.BaseEndpoint, o.UsePathStyle = &c.Endpoint, true
	})
	return archivetest.StoreUnderTest{
		Store: open(t, c),
		DeleteMarker: func(ctx context.Context, key string) (string, error) {
			out, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.Bucket, Key: aws.String(c.Prefix + "/" + key)})
			if err != nil {
				return "", err
			}
			return aws.ToString(out.VersionId), nil
		},
		PutVersion: func(ctx context.Context, key string, body []byte) (string, error) {
			out, err := client.PutObject(ctx, &s3.PutObjectInput{
				Bucket: &c.Bucket, Key: aws.String(c.Prefix + "/" + key), Body: bytes.NewReader(body),
				ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
			})
			if err != nil {
				return "", err
			}
			return aws.ToString(out.VersionId), nil
		},
	}
}

func options(body []byte) archive.CreateOptions {
	return archive.CreateOptions{
		RetainUntil: time.Now().UTC().Truncate(time.Second).Add(time.Hour), SHA256: sha256.Sum256(body), ContentType: "text/plain",
	}
}

func create(t *testing.T, s archive.Store, key string, body []byte) archive.Created {
	t.Helper()
	created, err := s.Create(t.Context(), key, body, options(body))
	if err != nil {
		t.Fatal(err)
	}
	return created
}
