package devserver_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/wormlog/wormlog/archive/devserver"
)

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

func TestPutHeadGetListLock(t *testing.T) {
	f := serve(t, devserver.Config{})
	put, err := f.s3.PutObject(ctx(t), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("a/b"), Body: bytes.NewReader([]byte("hello")),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, IfNoneMatch: aws.String("*"),
		ObjectLockMode: types.ObjectLockModeCompliance, ObjectLockRetainUntilDate: aws.Time(start.Add(48 * time.Hour))})
	if err != nil {
		t.Fatal(err)
	}
	head, err := f.s3.HeadObject(ctx(t), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("a/b"), VersionId: put.VersionId, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		t.Fatal(err)
	}
	if head.ObjectLockMode != "COMPLIANCE" || !head.ObjectLockRetainUntilDate.Equal(start.Add(48*time.Hour)) || *head.ChecksumSHA256 != *put.ChecksumSHA256 {
		t.Fatalf("%+v", head)
	}
	list, err := f.s3.ListObjectVersions(ctx(t), &s3.ListObjectVersionsInput{Bucket: aws.String(bucket)})
	if err != nil || len(list.Versions) != 1 || *list.Versions[0].VersionId != *put.VersionId {
		t.Fatal(list, err)
	}
	_, err = f.s3.DeleteObject(ctx(t), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("a/b"), VersionId: put.VersionId})
	failsWith(t, err, 403, "AccessDenied")
}
