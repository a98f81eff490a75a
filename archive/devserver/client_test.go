package devserver_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/wormlog/wormlog/archive/devserver"
)

const bucket = "audit"

// start is where the clocks of these tests begin.
var start = time.Date(2026, 11, 22, 17, 26, 0, 0, time.UTC)

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is a server with one bucket that has Object Lock, and its clients.
type fixture struct {
	*devserver.Server
	*clock
	url string
	s3  *s3.Client
	sm  *secretsmanager.Client
}

func serve(t *testing.T, config devserver.Config) *fixture {
	t.Helper()
	f := &fixture{clock: newClock()}
	config.Now = f.clock.Now
	srv, err := devserver.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	f.Server = srv
	if f.url, err = srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if !srv.HasBucket(bucket) {
		if err := srv.CreateBucket(bucket, true); err != nil {
			t.Fatal(err)
		}
	}
	f.s3, f.sm = f.clients("tester", "us-east-1")
	return f
}

// clients returns the real SDK clients of a caller, without retries.
func (f *fixture) clients(accessKeyID, region string) (*s3.Client, *secretsmanager.Client) {
	config := aws.Config{
		Region:                     region,
		BaseEndpoint:               aws.String(f.url),
		Credentials:                credentials.NewStaticCredentialsProvider(accessKeyID, "secret", ""),
		HTTPClient:                 awshttp.NewBuildableClient(),
		Retryer:                    func() aws.Retryer { return aws.NopRetryer{} },
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
	return s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }), secretsmanager.NewFromConfig(config)
}

// failsWith checks the AWS error code and, where the client sees one, the HTTP
// status; code "" means that there must be no error.
func failsWith(t *testing.T, err error, status int, code string) {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("error = %v, want %d %s", err, status, code)
	}
	var reply *awshttp.ResponseError
	if !errors.As(err, &reply) || reply.HTTPStatusCode() != status || api.ErrorCode() != code {
		t.Fatalf("error = %v, want %d %s", err, status, code)
	}
}

// message is the text of an AWS error.
func message(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return ""
}

// raw sends a request as it is, with a credential but no signature.
func (f *fixture) raw(t *testing.T, method, path string, header map[string]string, body []byte) (*http.Response, string) {
	t.Helper()
	return send(t, f.url, method, path, header, body)
}

func ctx(t *testing.T) context.Context { return t.Context() }
