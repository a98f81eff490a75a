//go:build s3server

package s3lock_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/archive/s3lock"
)

// deviations are the rules that a server breaks, by the name in WORMLOG_TEST_S3_SERVER. The suite fails if one of them is
// kept after all, so that this list cannot grow stale.
var deviations = map[string]map[string]string{
	"aws": {},
	"versitygw": {
		"create-over-delete-marker": "versitygw v1.8.0 answers 412 to If-None-Match: * over a delete marker, where S3 creates the object",
		"read-delete-marker":        "versitygw v1.8.0 answers HEAD of a key with a delete marker on top by 404 without x-amz-delete-marker (GET has it)",
	},
}

// TestContractOnServer runs the contract on the S3 server that the environment names; testdata/versitygw.sh sets it up.
//
//	go test -tags s3server -run OnServer ./archive/s3lock
func TestContractOnServer(t *testing.T) {
	server := os.Getenv("WORMLOG_TEST_S3_SERVER")
	if server == "" {
		server = "versitygw"
	}
	expected, ok := deviations[server]
	if !ok {
		t.Fatalf("WORMLOG_TEST_S3_SERVER is %q; it may be aws or versitygw", server)
	}
	archivetest.TestStore(t, func(t *testing.T) archivetest.StoreUnderTest {
		return underTest(t, serverConfig(t))
	}, archivetest.SuiteOptions{Deviations: expected})
}

// TestCanaryOnServer shows what the server enforces.
func TestCanaryOnServer(t *testing.T) {
	report, err := open(t, serverConfig(t)).Canary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range report.Lines {
		t.Logf("%-7s %s: %s", l.Status, l.Setting, l.Got)
	}
	if report.Status != s3lock.Pass {
		t.Errorf("the canary says %s", report.Status)
	}
}

func serverConfig(t *testing.T) s3lock.Config {
	t.Helper()
	c := configFor(required(t, "WORMLOG_TEST_S3_ENDPOINT"))
	c.Bucket = required(t, "WORMLOG_TEST_S3_BUCKET")
	c.AWS = &aws.Config{
		Region: required(t, "WORMLOG_TEST_S3_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(
			required(t, "WORMLOG_TEST_S3_ACCESS_KEY"), required(t, "WORMLOG_TEST_S3_SECRET_KEY"), os.Getenv("WORMLOG_TEST_S3_SESSION_TOKEN")),
	}
	return c
}

func required(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set; it is needed with the build tag s3server", name)
	}
	return value
}
