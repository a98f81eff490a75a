package devserver_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/wormlog/wormlog/archive/devserver"
)

func TestDenyHidesLockHeaders(t *testing.T) {
	f := serve(t, devserver.Config{})
	v := f.mustPut(t, "seen/k", locked(compliance, 1), held)
	f.mustPut(t, "other/k", locked(compliance, 1), held)
	allow := f.Deny("s3:GetObjectRetention", "seen/")
	defer f.Deny("s3:GetObjectLegalHold", "seen/")()
	got := f.mustHead(t, "seen/k", v)
	if got.ObjectLockMode != "" || got.ObjectLockRetainUntilDate != nil || got.ObjectLockLegalHoldStatus != "" {
		t.Errorf("shown: %+v", got)
	}
	_, err := f.s3.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{Bucket: aws.String(bucket), Key: aws.String("seen/k")})
	failsWith(t, err, 403, "AccessDenied")
	if message(err) == lockedMessage {
		t.Error("a refusal by permission reads as one by lock")
	}
	if got := f.mustHead(t, "other/k", ""); got.ObjectLockMode != compliance || got.ObjectLockLegalHoldStatus == "" {
		t.Errorf("hidden elsewhere: %+v", got)
	}
	allow()
	if got := f.mustHead(t, "seen/k", v); got.ObjectLockMode != compliance {
		t.Errorf("still hidden: %+v", got)
	}
}

func TestDenySinglePermissions(t *testing.T) {
	tests := []struct {
		action string
		call   func(*testing.T, *fixture, string) error
	}{
		{"s3:PutObject", func(t *testing.T, f *fixture, _ string) error { _, err := f.put(t, "x"); return err }},
		{"s3:PutObjectRetention", func(t *testing.T, f *fixture, _ string) error {
			_, err := f.put(t, "x", locked(compliance, 1))
			return err
		}},
		{"s3:PutObjectRetention", func(t *testing.T, f *fixture, v string) error {
			return f.retain(t, "k", v, toComply, at(9), false)
		}},
		{"s3:PutObjectLegalHold", func(t *testing.T, f *fixture, _ string) error { _, err := f.put(t, "x", held); return err }},
		{"s3:ListBucketVersions", func(t *testing.T, f *fixture, _ string) error {
			_, err := f.s3.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String(bucket)})
			return err
		}},
		{"s3:ListBucket", func(t *testing.T, f *fixture, _ string) error {
			_, err := f.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
			return err
		}},
		{"s3:GetObject", func(t *testing.T, f *fixture, _ string) error {
			_, err := f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
			return err
		}},
		{"s3:GetObjectVersion", func(t *testing.T, f *fixture, v string) error {
			_, err := f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), VersionId: &v})
			return err
		}},
		{"s3:DeleteObject", func(t *testing.T, f *fixture, _ string) error { _, err := f.remove(t, "k", "", false); return err }},
		{"s3:DeleteObjectVersion", func(t *testing.T, f *fixture, v string) error {
			_, err := f.remove(t, "k", v, false)
			return err
		}},
		{"s3:GetBucketObjectLockConfiguration", func(t *testing.T, f *fixture, _ string) error {
			_, err := f.s3.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{Bucket: aws.String(bucket)})
			return err
		}},
		{"s3:GetBucketVersioning", func(t *testing.T, f *fixture, _ string) error {
			_, err := f.s3.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: aws.String(bucket)})
			return err
		}},
	}
	for _, test := range tests {
		t.Run(test.action, func(t *testing.T) {
			f := serve(t, devserver.Config{})
			v := f.mustPut(t, "k")
			allow := f.Deny(test.action, "")
			failsWith(t, test.call(t, f, v), 403, "AccessDenied")
			allow()
			failsWith(t, test.call(t, f, v), 0, "")
		})
	}
}

func TestAbsentIsForbiddenWithoutListBucket(t *testing.T) {
	f := serve(t, devserver.Config{})
	f.Deny("s3:ListBucket", "")
	reply, body := send(t, f.url, "GET", "/audit/absent", nil, nil)
	refused(t, reply, body, 403, "AccessDenied")
}

func TestPermissionsOfOneCaller(t *testing.T) {
	f := serve(t, devserver.Config{})
	f.mustPut(t, "k")
	thief, _ := f.clients("stolen-writer", "us-east-1")
	f.Deny("s3:Get*", "", "stolen-writer")
	_, err := thief.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	failsWith(t, err, 403, "Forbidden")
	f.mustHead(t, "k", "")

	f.AllowOnly("stolen-writer", "s3:PutObject")
	in := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("forged"), Body: strings.NewReader("x")}
	_, err = thief.PutObject(t.Context(), in)
	failsWith(t, err, 0, "")
	_, err = thief.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	failsWith(t, err, 403, "AccessDenied")
	f.AllowOnly("stolen-writer")
	_, err = thief.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	failsWith(t, err, 0, "")
}

func TestCredentials(t *testing.T) {
	f := serve(t, devserver.Config{Region: "us-east-1"})
	tests := []struct {
		fault    devserver.CredentialFault
		status   int
		s3       string
		secretly string
	}{
		{devserver.TokenExpired, 400, "ExpiredToken", "ExpiredTokenException"},
		{devserver.AccessKeyUnknown, 403, "InvalidAccessKeyId", "UnrecognizedClientException"},
		{devserver.SignatureWrong, 403, "SignatureDoesNotMatch", "InvalidSignatureException"},
		{devserver.CredentialsAccepted, 0, "", ""},
	}
	for _, test := range tests {
		f.RejectCredentials("tester", test.fault)
		_, err := f.put(t, "k")
		failsWith(t, err, test.status, test.s3)
		_, err = f.sm.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
		failsWith(t, err, 400, test.secretly)
	}
	reply, err := http.Get(f.url + "/audit/k")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != 403 {
		t.Errorf("without credentials: %s", reply.Status)
	}
	elsewhere, secretsElsewhere := f.clients("tester", "eu-central-1")
	_, err = elsewhere.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: aws.String(bucket)})
	failsWith(t, err, 400, "AuthorizationHeaderMalformed")
	_, err = secretsElsewhere.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	failsWith(t, err, 400, "InvalidSignatureException")
}

func TestExpectedBucketOwner(t *testing.T) {
	f := serve(t, devserver.Config{})
	own := func(account string) func(*s3.PutObjectInput) {
		return func(in *s3.PutObjectInput) { in.ExpectedBucketOwner = &account }
	}
	_, err := f.put(t, "k", own("111111111111"))
	failsWith(t, err, 403, "AccessDenied")
	_, err = f.put(t, "k", own(devserver.AccountID))
	failsWith(t, err, 0, "")
}

// lost reports whether the client learned nothing: no reply at all.
func lost(err error) bool {
	var api smithy.APIError
	return err != nil && !errors.As(err, &api)
}

func TestFaults(t *testing.T) {
	f := serve(t, devserver.Config{})
	exists := func(key string) bool { v, err := f.Raw().Versions(bucket, key); return err == nil && len(v) == 1 }

	f.Inject(devserver.Fault{Operation: "PutObject"})
	if _, err := f.put(t, "lost"); !lost(err) || exists("lost") {
		t.Errorf("lost: %v, exists %v", err, exists("lost"))
	}
	f.Inject(devserver.Fault{Operation: "PutObject", Outcome: devserver.ReplyLost})
	if _, err := f.put(t, "reply lost"); !lost(err) || !exists("reply lost") {
		t.Errorf("reply lost: %v, exists %v", err, exists("reply lost"))
	}
	f.Inject(devserver.Fault{Operation: "PutObject", Outcome: devserver.ReplyLost, Status: 503, Code: "ServiceUnavailable"})
	_, err := f.put(t, "503 after")
	failsWith(t, err, 503, "ServiceUnavailable")
	if !exists("503 after") {
		t.Error("503 after: not there")
	}
	f.Inject(devserver.Throttle("PutObject", 2))
	for range 2 {
		_, err = f.put(t, "slow down")
		failsWith(t, err, 503, "SlowDown")
	}
	_, err = f.put(t, "slow down")
	failsWith(t, err, 0, "")

	f.Inject(devserver.Fault{Operation: "PutObject", Prefix: "seg/", Nth: 2, Status: 409, Code: "ConditionalRequestConflict"})
	f.mustPut(t, "seg/1")
	f.mustPut(t, "elsewhere")
	_, err = f.put(t, "seg/2")
	failsWith(t, err, 409, "ConditionalRequestConflict")
	f.mustPut(t, "seg/2")

	remove := f.Inject(devserver.Fault{Operation: "HeadObject", Times: -1, Status: 500, Code: "InternalError"})
	for range 3 {
		_, err = f.head(t, "seg/1", "")
		failsWith(t, err, 500, "InternalServerError")
	}
	remove()
	f.mustHead(t, "seg/1", "")

	hooked := false
	f.Inject(devserver.Fault{Operation: "GetObject", Outcome: devserver.Slow, Delay: time.Millisecond, Hook: func() { hooked = true }})
	f.get(t, "seg/1")
	if !hooked {
		t.Error("the hook did not run")
	}

	f.Inject(devserver.Fault{Operation: "GetObject", Outcome: devserver.Truncated})
	out, err := f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("seg/1")})
	failsWith(t, err, 0, "")
	if body, err := io.ReadAll(out.Body); err == nil {
		t.Errorf("truncated: all of %q", body)
	}
	out.Body.Close()
}

// get is the body of the latest version.
func (f *fixture) get(t *testing.T, key string) string {
	t.Helper()
	out, err := f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &key})
	failsWith(t, err, 0, "")
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	failsWith(t, err, 0, "")
	return string(body)
}

func TestSecretFaults(t *testing.T) {
	f := serve(t, devserver.Config{})
	f.createSecret(t, "s", "one")
	f.Inject(devserver.Fault{Operation: "PutSecretValue", Prefix: "s", Outcome: devserver.ReplyLost})
	_, err := f.sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("two")})
	if !lost(err) || f.secretValue(t, "s", "") != "two" {
		t.Errorf("%v", err)
	}
	f.Inject(devserver.Fault{Operation: "GetSecretValue", Status: 400, Code: "ThrottlingException"})
	_, err = f.sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
	failsWith(t, err, 400, "ThrottlingException")
	allow := f.Deny("secretsmanager:GetSecretValue", "s")
	_, err = f.sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
	failsWith(t, err, 400, "AccessDeniedException")
	allow()
	f.secretValue(t, "s", "")
}

func TestCounts(t *testing.T) {
	f := serve(t, devserver.Config{})
	f.mustPut(t, "k")
	f.mustPut(t, "k")
	f.mustHead(t, "k", "")
	_, _ = f.head(t, "absent", "")
	f.createSecret(t, "s", "x")
	send(t, f.url, "GET", "/audit?unheard-of", nil, nil)
	got := f.Counts()
	if got["PutObject"] != 2 || got["HeadObject"] != 2 || got["CreateSecret"] != 1 || got["Unknown"] != 1 || len(got) != 4 {
		t.Errorf("%v", got)
	}
	f.ResetCounts()
	if got := f.Counts(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestOnlyLoopback(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "example.com:0", "[::]:0", "127.0.0.1"} {
		srv, err := devserver.New(devserver.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if url, err := srv.Start(addr); err == nil {
			t.Errorf("listens on %s", url)
		}
		srv.Close()
	}
}

// One create-only key has one winner, however many try.
func TestConcurrentCreates(t *testing.T) {
	f := serve(t, devserver.Config{})
	var group sync.WaitGroup
	won := make(chan string, 16)
	for range cap(won) {
		group.Go(func() {
			if out, err := f.put(t, "k", createOnly, locked(compliance, 1)); err == nil {
				won <- *out.VersionId
			}
			f.page(t, &s3.ListObjectVersionsInput{})
		})
	}
	group.Wait()
	if len(won) != 1 {
		t.Fatalf("%d winners", len(won))
	}
}
