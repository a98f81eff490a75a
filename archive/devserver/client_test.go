package devserver_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
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

// at is a date so many days after the tests' beginning.
func at(days int) *time.Time { return aws.Time(start.AddDate(0, 0, days)) }

// put stores a body under the key, with whatever change adds to the request.
func (f *fixture) put(t *testing.T, key string, change ...func(*s3.PutObjectInput)) (*s3.PutObjectOutput, error) {
	t.Helper()
	in := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader("body of " + key),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256}
	for _, c := range change {
		c(in)
	}
	return f.s3.PutObject(t.Context(), in)
}

// mustPut is put that must succeed; it returns the version ID.
func (f *fixture) mustPut(t *testing.T, key string, change ...func(*s3.PutObjectInput)) string {
	t.Helper()
	out, err := f.put(t, key, change...)
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.VersionId)
}

// locked asks for a retention until so many days from the beginning.
func locked(mode types.ObjectLockMode, days int) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.ObjectLockMode, in.ObjectLockRetainUntilDate = mode, at(days) }
}

func held(in *s3.PutObjectInput) { in.ObjectLockLegalHoldStatus = types.ObjectLockLegalHoldStatusOn }

func createOnly(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

// head is HeadObject of a version, or of the latest if the ID is "".
func (f *fixture) head(t *testing.T, key, version string) (*s3.HeadObjectOutput, error) {
	t.Helper()
	return f.s3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: &key, VersionId: optional(version), ChecksumMode: types.ChecksumModeEnabled})
}

func (f *fixture) mustHead(t *testing.T, key, version string) *s3.HeadObjectOutput {
	t.Helper()
	out, err := f.head(t, key, version)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// retain is PutObjectRetention.
func (f *fixture) retain(t *testing.T, key, version string, mode types.ObjectLockRetentionMode, until *time.Time, bypass bool) error {
	t.Helper()
	_, err := f.s3.PutObjectRetention(t.Context(), &s3.PutObjectRetentionInput{Bucket: aws.String(bucket), Key: &key, VersionId: optional(version),
		BypassGovernanceRetention: optionalTrue(bypass), Retention: &types.ObjectLockRetention{Mode: mode, RetainUntilDate: until}})
	return err
}

// hold is PutObjectLegalHold.
func (f *fixture) hold(t *testing.T, key, version string, status types.ObjectLockLegalHoldStatus) error {
	t.Helper()
	_, err := f.s3.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{Bucket: aws.String(bucket), Key: &key, VersionId: optional(version),
		LegalHold: &types.ObjectLockLegalHold{Status: status}})
	return err
}

// remove is DeleteObject.
func (f *fixture) remove(t *testing.T, key, version string, bypass bool) (*s3.DeleteObjectOutput, error) {
	t.Helper()
	return f.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: &key, VersionId: optional(version), BypassGovernanceRetention: optionalTrue(bypass)})
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func optionalTrue(b bool) *bool {
	if !b {
		return nil
	}
	return &b
}

// send sends a request as it is, with a credential but no signature.
func send(t *testing.T, url, method, path string, header map[string]string, body []byte) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=raw/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply, string(text)
}

// refused checks the status and the code of a raw reply.
func refused(t *testing.T, reply *http.Response, body string, status int, code string) {
	t.Helper()
	if reply.StatusCode != status || !strings.Contains(body, "<Code>"+code+"</Code>") {
		t.Fatalf("%d %s, want %d %s", reply.StatusCode, body, status, code)
	}
}
