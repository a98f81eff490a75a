package devserver_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/wormlog/wormlog/archive/devserver"
)

func TestRawDeletesAndUnlocks(t *testing.T) {
	f := serve(t, devserver.Config{})
	v := f.mustPut(t, "k", locked(compliance, 9), held)
	failsWith(t, f.Raw().SetLock(bucket, "k", v, devserver.Lock{Mode: devserver.Governance, RetainUntil: *at(1)}), 0, "")
	if got := f.mustHead(t, "k", v); got.ObjectLockMode != governance || got.ObjectLockLegalHoldStatus != "" {
		t.Errorf("%+v", got)
	}
	failsWith(t, f.Raw().DeleteVersion(bucket, "k", v), 0, "")
	_, err := f.head(t, "k", v)
	failsWith(t, err, 404, "NotFound")
	for _, err := range []error{
		f.Raw().DeleteVersion(bucket, "k", v),
		f.Raw().DeleteVersion("nonesuch", "k", v),
		f.Raw().SetLock(bucket, "other", v, devserver.Lock{}),
	} {
		if err == nil {
			t.Error("no error for what does not exist")
		}
	}
}

func TestRawReplacesBodies(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		f := serve(t, devserver.Config{Dir: dir})
		v := f.mustPut(t, "k", locked(compliance, 9))
		before := f.mustHead(t, "k", v)
		f.advance(time.Hour)
		failsWith(t, f.Raw().ReplaceBody(bucket, "k", v, []byte("forged")), 0, "")
		after := f.mustHead(t, "k", v)
		if f.get(t, "k") != "forged" || *after.ChecksumSHA256 != sha256Of("forged") || *after.ETag == *before.ETag ||
			!after.LastModified.Equal(*before.LastModified) || after.ObjectLockMode != compliance || *after.ContentLength != 6 {
			t.Errorf("%+v", after)
		}
		failsWith(t, f.Raw().CorruptBody(bucket, "k", v, []byte("rotten")), 0, "")
		body, err := f.Raw().Body(bucket, "k", v)
		if got := f.mustHead(t, "k", v); err != nil || string(body) != "rotten" || *got.ChecksumSHA256 != sha256Of("forged") || *got.ETag != *after.ETag {
			t.Errorf("%q %v %+v", body, err, got)
		}
	}
}

func TestRawPutsVersionsInThePast(t *testing.T) {
	f := serve(t, devserver.Config{})
	real := f.mustPut(t, "k", locked(compliance, 9))
	lock := devserver.Lock{Mode: devserver.Compliance, RetainUntil: *at(9)}
	before, err := f.Raw().PutVersion(bucket, devserver.Version{Key: "k", VersionID: "chosen", LastModified: start.Add(-time.Hour), Body: []byte("earlier"), Lock: lock,
		Metadata: map[string]string{"nonce": "7"}})
	failsWith(t, err, 0, "")
	after, err := f.Raw().PutVersion(bucket, devserver.Version{Key: "k", LastModified: start.Add(time.Hour), Marker: true})
	failsWith(t, err, 0, "")
	if before != "chosen" || after == "" {
		t.Fatal(before, after)
	}
	all, err := f.Raw().Versions(bucket, "")
	if err != nil || len(all) != 3 || all[0].VersionID != after || !all[0].Marker || all[1].VersionID != real || all[2].VersionID != before {
		t.Fatalf("%+v %v", all, err)
	}
	if all[2].Lock != lock || all[2].Metadata["nonce"] != "7" || all[2].Size != 7 || all[2].Checksums["SHA256"] != sha256Of("earlier") {
		t.Errorf("%+v", all[2])
	}
	_, err = f.remove(t, "k", "chosen", false)
	failsWith(t, err, 403, "AccessDenied") // what the back door made is enforced at the front
	failsWith(t, f.Raw().SetLastModified(bucket, "k", real, start.Add(5*time.Hour)), 0, "")
	if got := f.mustHead(t, "k", real); !got.LastModified.Equal(start.Add(5 * time.Hour)) {
		t.Errorf("%v", got.LastModified)
	}
}

func TestRawBuckets(t *testing.T) {
	f := serve(t, devserver.Config{})
	f.mustPut(t, "k", locked(compliance, 9))
	failsWith(t, f.Raw().SetVersioning(bucket, "Suspended"), 0, "")
	versioning, err := f.s3.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: aws.String(bucket)})
	if err != nil || versioning.Status != "Suspended" {
		t.Errorf("%+v %v", versioning, err)
	}
	failsWith(t, f.Raw().SetObjectLock(bucket, false), 0, "")
	_, err = f.s3.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{Bucket: aws.String(bucket)})
	failsWith(t, err, 404, "ObjectLockConfigurationNotFoundError")
	failsWith(t, f.Raw().DropBucket(bucket), 0, "")
	if f.HasBucket(bucket) {
		t.Error("the bucket is still there")
	}
}
