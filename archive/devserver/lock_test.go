package devserver_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/wormlog/wormlog/archive/devserver"
)

const (
	compliance = types.ObjectLockModeCompliance
	governance = types.ObjectLockModeGovernance
	toComply   = types.ObjectLockRetentionModeCompliance
	toGovern   = types.ObjectLockRetentionModeGovernance
)

const lockedMessage = "Access Denied because object protected by object lock."

// lockRules has one test for each rule of Object Lock, by name (Amazon S3 User
// Guide, "How S3 Object Lock works" and "Managing Object Lock").
var lockRules = map[string]func(*testing.T, *fixture){
	"a COMPLIANCE version cannot be deleted": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 2))
		_, err := f.remove(t, "k", v, false)
		failsWith(t, err, 403, "AccessDenied")
		if message(err) != lockedMessage {
			t.Fatalf("message %q", message(err))
		}
	},
	"no bypass lifts COMPLIANCE": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 2))
		_, err := f.remove(t, "k", v, true)
		failsWith(t, err, 403, "AccessDenied")
		failsWith(t, f.retain(t, "k", v, toGovern, at(3), true), 403, "AccessDenied")
		failsWith(t, f.retain(t, "k", v, toComply, at(1), true), 403, "AccessDenied")
	},
	"COMPLIANCE is not shortened": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 2))
		failsWith(t, f.retain(t, "k", v, toComply, at(1), false), 403, "AccessDenied")
		if got := f.mustHead(t, "k", v); !got.ObjectLockRetainUntilDate.Equal(*at(2)) {
			t.Fatalf("date changed to %v", got.ObjectLockRetainUntilDate)
		}
	},
	"COMPLIANCE is not turned into GOVERNANCE": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 2))
		failsWith(t, f.retain(t, "k", v, toGovern, at(9), false), 403, "AccessDenied")
	},
	"COMPLIANCE is not removed by an empty retention": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 2))
		failsWith(t, f.retain(t, "k", v, "", nil, true), 403, "AccessDenied")
	},
	"COMPLIANCE is extended, and set to the same date": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 2))
		failsWith(t, f.retain(t, "k", v, toComply, at(2), false), 0, "")
		failsWith(t, f.retain(t, "k", v, toComply, at(3), false), 0, "")
		f.advance(2*24*time.Hour + time.Minute)
		_, err := f.remove(t, "k", v, false)
		failsWith(t, err, 403, "AccessDenied")
	},
	"what has expired can be deleted": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 2))
		f.advance(2*24*time.Hour - time.Second)
		_, err := f.remove(t, "k", v, false)
		failsWith(t, err, 403, "AccessDenied")
		f.advance(time.Second)
		_, err = f.remove(t, "k", v, false)
		failsWith(t, err, 0, "")
	},
	"what has expired can be retained anew": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 2))
		f.advance(3 * 24 * time.Hour)
		failsWith(t, f.retain(t, "k", v, toGovern, at(4), false), 0, "")
	},
	"GOVERNANCE yields to the bypass only": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(governance, 5))
		_, err := f.remove(t, "k", v, false)
		failsWith(t, err, 403, "AccessDenied")
		failsWith(t, f.retain(t, "k", v, toGovern, at(1), false), 403, "AccessDenied")
		failsWith(t, f.retain(t, "k", v, toGovern, at(1), true), 0, "")
		_, err = f.remove(t, "k", v, true)
		failsWith(t, err, 0, "")
	},
	"GOVERNANCE is removed with the bypass": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(governance, 5))
		failsWith(t, f.retain(t, "k", v, "", nil, false), 403, "AccessDenied")
		failsWith(t, f.retain(t, "k", v, "", nil, true), 0, "")
		_, err := f.remove(t, "k", v, false)
		failsWith(t, err, 0, "")
	},
	"GOVERNANCE is extended and turned into COMPLIANCE without a bypass": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(governance, 2))
		failsWith(t, f.retain(t, "k", v, toGovern, at(3), false), 0, "")
		failsWith(t, f.retain(t, "k", v, toComply, at(3), false), 0, "")
		failsWith(t, f.retain(t, "k", v, toGovern, at(4), true), 403, "AccessDenied")
	},
	"the bypass needs its permission": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(governance, 2))
		f.Deny("s3:BypassGovernanceRetention", "")
		_, err := f.remove(t, "k", v, true)
		failsWith(t, err, 403, "AccessDenied")
	},
	"a legal hold protects without a date, and after it": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 1), held)
		f.advance(48 * time.Hour)
		_, err := f.remove(t, "k", v, true)
		failsWith(t, err, 403, "AccessDenied")
		failsWith(t, f.hold(t, "k", v, types.ObjectLockLegalHoldStatusOff), 0, "")
		_, err = f.remove(t, "k", v, false)
		failsWith(t, err, 0, "")
	},
	"a bypass does not lift a legal hold": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(governance, 1), held)
		_, err := f.remove(t, "k", v, true)
		failsWith(t, err, 403, "AccessDenied")
	},
	"a hold that was never set is no header and 404; OFF is a header": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 1))
		if got := f.mustHead(t, "k", v).ObjectLockLegalHoldStatus; got != "" {
			t.Fatalf("hold %q", got)
		}
		_, err := f.s3.GetObjectLegalHold(t.Context(), &s3.GetObjectLegalHoldInput{Bucket: aws.String(bucket), Key: aws.String("k")})
		failsWith(t, err, 404, "NoSuchObjectLockConfiguration")
		failsWith(t, f.hold(t, "k", v, types.ObjectLockLegalHoldStatusOff), 0, "")
		if got := f.mustHead(t, "k", v).ObjectLockLegalHoldStatus; got != types.ObjectLockLegalHoldStatusOff {
			t.Fatalf("hold %q", got)
		}
	},
	"locks are per version": func(t *testing.T, f *fixture) {
		first := f.mustPut(t, "k", locked(compliance, 1))
		second := f.mustPut(t, "k")
		failsWith(t, f.retain(t, "k", first, toComply, at(7), false), 0, "")
		_, err := f.remove(t, "k", second, false)
		failsWith(t, err, 0, "")
		if got := f.mustHead(t, "k", first); !got.ObjectLockRetainUntilDate.Equal(*at(7)) {
			t.Fatalf("first version until %v", got.ObjectLockRetainUntilDate)
		}
	},
	"without a version ID the latest is locked": func(t *testing.T, f *fixture) {
		first, second := f.mustPut(t, "k"), f.mustPut(t, "k")
		failsWith(t, f.retain(t, "k", "", toComply, at(1), false), 0, "")
		if f.mustHead(t, "k", first).ObjectLockMode != "" || f.mustHead(t, "k", second).ObjectLockMode != compliance {
			t.Fatal("the wrong version is locked")
		}
	},
	"PutObjectRetention leaves body, date and ETag": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 1))
		before := f.mustHead(t, "k", v)
		f.advance(time.Hour)
		failsWith(t, f.retain(t, "k", v, toComply, at(3), false), 0, "")
		after := f.mustHead(t, "k", v)
		if *before.ETag != *after.ETag || !before.LastModified.Equal(*after.LastModified) || *before.ChecksumSHA256 != *after.ChecksumSHA256 {
			t.Fatalf("%+v became %+v", before, after)
		}
	},
	"a delete without a version ID succeeds and hides": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 1), held)
		out, err := f.remove(t, "k", "", false)
		failsWith(t, err, 0, "")
		if !aws.ToBool(out.DeleteMarker) || aws.ToString(out.VersionId) == "" {
			t.Fatalf("%+v", out)
		}
		_, err = f.head(t, "k", "")
		failsWith(t, err, 404, "NotFound")
		f.mustHead(t, "k", v)
	},
	"a delete marker is not protected": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 1))
		marker, err := f.remove(t, "k", "", false)
		failsWith(t, err, 0, "")
		_, err = f.remove(t, "k", *marker.VersionId, false)
		failsWith(t, err, 0, "")
		if got := f.mustHead(t, "k", ""); *got.VersionId != v {
			t.Fatalf("latest is %s, want %s", *got.VersionId, v)
		}
	},
	"a marker's lock cannot be read or set": func(t *testing.T, f *fixture) {
		f.mustPut(t, "k")
		marker, err := f.remove(t, "k", "", false)
		failsWith(t, err, 0, "")
		for _, version := range []string{"", *marker.VersionId} {
			_, err = f.s3.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{Bucket: aws.String(bucket), Key: aws.String("k"), VersionId: optional(version)})
			failsWith(t, err, 405, "MethodNotAllowed")
			failsWith(t, f.retain(t, "k", version, toComply, at(1), false), 405, "MethodNotAllowed")
		}
	},
	"DeleteObjects is 200 with an error per key": func(t *testing.T, f *fixture) {
		kept, gone := f.mustPut(t, "kept", locked(compliance, 1)), f.mustPut(t, "gone")
		out, err := f.s3.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
			{Key: aws.String("kept"), VersionId: &kept}, {Key: aws.String("gone"), VersionId: &gone}, {Key: aws.String("kept")}}}})
		failsWith(t, err, 0, "")
		if len(out.Errors) != 1 || *out.Errors[0].Code != "AccessDenied" || *out.Errors[0].VersionId != kept || *out.Errors[0].Message != lockedMessage {
			t.Fatalf("errors %+v", out.Errors)
		}
		if len(out.Deleted) != 2 || *out.Deleted[0].VersionId != gone || !aws.ToBool(out.Deleted[1].DeleteMarker) {
			t.Fatalf("deleted %+v", out.Deleted)
		}
		f.mustHead(t, "kept", kept)
	},
	"the expired first of many does not free the rest": func(t *testing.T, f *fixture) {
		expired, kept := f.mustPut(t, "a", locked(compliance, 1)), f.mustPut(t, "b", locked(compliance, 9))
		f.advance(48 * time.Hour)
		out, err := f.s3.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Quiet: aws.Bool(true), Objects: []types.ObjectIdentifier{
			{Key: aws.String("a"), VersionId: &expired}, {Key: aws.String("b"), VersionId: &kept}}}})
		failsWith(t, err, 0, "")
		if len(out.Errors) != 1 || len(out.Deleted) != 0 {
			t.Fatalf("%+v", out)
		}
		f.mustHead(t, "b", kept)
	},
	"GetObjectRetention of what is unlocked is 404": func(t *testing.T, f *fixture) {
		f.mustPut(t, "k")
		_, err := f.s3.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{Bucket: aws.String(bucket), Key: aws.String("k")})
		failsWith(t, err, 404, "NoSuchObjectLockConfiguration")
	},
	"GetObjectRetention tells mode and date": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k", locked(compliance, 1))
		out, err := f.s3.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{Bucket: aws.String(bucket), Key: aws.String("k"), VersionId: &v})
		failsWith(t, err, 0, "")
		if out.Retention.Mode != toComply || !out.Retention.RetainUntilDate.Equal(*at(1)) {
			t.Fatalf("%+v", out.Retention)
		}
	},
	"a retention in the past is refused": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k")
		err := f.retain(t, "k", v, toComply, at(-1), false)
		failsWith(t, err, 400, "InvalidArgument")
		if message(err) != "The retain until date must be in the future!" {
			t.Fatal(message(err))
		}
	},
	"an unknown mode is refused": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k")
		failsWith(t, f.retain(t, "k", v, "compliance", at(1), false), 400, "MalformedXML")
		failsWith(t, f.hold(t, "k", v, "on"), 400, "MalformedXML")
	},
	"a bucket without lock has no locks": func(t *testing.T, f *fixture) {
		if err := f.CreateBucket("plain", false); err != nil {
			t.Fatal(err)
		}
		plain := func(in *s3.PutObjectInput) { in.Bucket = aws.String("plain") }
		_, err := f.put(t, "k", plain, locked(compliance, 1))
		failsWith(t, err, 400, "InvalidRequest")
		f.mustPut(t, "k", plain)
		_, err = f.s3.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{Bucket: aws.String("plain"), Key: aws.String("k")})
		failsWith(t, err, 400, "InvalidRequest")
		_, err = f.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("plain"), Key: aws.String("k"), BypassGovernanceRetention: aws.Bool(true)})
		failsWith(t, err, 400, "InvalidArgument")
	},
	"lock changes need a checksum": func(t *testing.T, f *fixture) {
		v := f.mustPut(t, "k")
		reply, body := send(t, f.url, "PUT", "/audit/k?retention&versionId="+v, nil,
			[]byte("<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2027-01-01T00:00:00Z</RetainUntilDate></Retention>"))
		refused(t, reply, body, 400, "InvalidRequest")
		if f.mustHead(t, "k", v).ObjectLockMode != "" {
			t.Fatal("it was locked")
		}
	},
}

func TestLockRules(t *testing.T) {
	for name, rule := range lockRules {
		t.Run(name, func(t *testing.T) { rule(t, serve(t, devserver.Config{})) })
	}
}
