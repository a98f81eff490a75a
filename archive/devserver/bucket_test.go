package devserver_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/wormlog/wormlog/archive/devserver"
)

// plain makes a bucket without Object Lock.
func (f *fixture) plain(t *testing.T) *string {
	t.Helper()
	name := aws.String("plain")
	_, err := f.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: name})
	failsWith(t, err, 0, "")
	return name
}

func (f *fixture) setVersioning(t *testing.T, name *string, status types.BucketVersioningStatus) error {
	t.Helper()
	_, err := f.s3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: name, VersioningConfiguration: &types.VersioningConfiguration{Status: status}})
	return err
}

func TestBucketLife(t *testing.T) {
	f := serve(t, devserver.Config{})
	name := f.plain(t)
	_, err := f.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: name})
	failsWith(t, err, 409, "BucketAlreadyOwnedByYou")
	_, err = f.s3.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: name})
	failsWith(t, err, 0, "")
	all, err := f.s3.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	failsWith(t, err, 0, "")
	if len(all.Buckets) != 2 || *all.Buckets[1].Name != "plain" {
		t.Errorf("%+v", all.Buckets)
	}
	location, err := f.s3.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: name})
	failsWith(t, err, 0, "")
	if location.LocationConstraint != "" {
		t.Errorf("location %q", location.LocationConstraint)
	}
	f.mustPut(t, "k", func(in *s3.PutObjectInput) { in.Bucket = name })
	_, err = f.s3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: name})
	failsWith(t, err, 409, "BucketNotEmpty")
	_, err = f.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: name, Key: aws.String("k")})
	failsWith(t, err, 0, "")
	_, err = f.s3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: name})
	failsWith(t, err, 0, "")
	_, err = f.s3.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: name})
	failsWith(t, err, 404, "NotFound")
	reply, body := send(t, f.url, "PUT", "/No_Bucket", nil, nil)
	refused(t, reply, body, 400, "InvalidBucketName")
}

func TestLockBucketIsVersionedForGood(t *testing.T) {
	f := serve(t, devserver.Config{})
	name := aws.String("locked")
	_, err := f.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: name, ObjectLockEnabledForBucket: aws.Bool(true)})
	failsWith(t, err, 0, "")
	versioning, err := f.s3.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: name})
	failsWith(t, err, 0, "")
	if versioning.Status != types.BucketVersioningStatusEnabled {
		t.Fatalf("versioning %q", versioning.Status)
	}
	failsWith(t, f.setVersioning(t, name, types.BucketVersioningStatusSuspended), 409, "InvalidBucketState")
	failsWith(t, f.setVersioning(t, name, types.BucketVersioningStatusEnabled), 0, "")
	lock, err := f.s3.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{Bucket: name})
	failsWith(t, err, 0, "")
	if lock.ObjectLockConfiguration.ObjectLockEnabled != types.ObjectLockEnabledEnabled || lock.ObjectLockConfiguration.Rule != nil {
		t.Fatalf("%+v", lock.ObjectLockConfiguration)
	}
}

func TestLockOnExistingBucket(t *testing.T) {
	f := serve(t, devserver.Config{})
	name := f.plain(t)
	enable := func() error {
		_, err := f.s3.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{Bucket: name,
			ObjectLockConfiguration: &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled}})
		return err
	}
	_, err := f.s3.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{Bucket: name})
	failsWith(t, err, 404, "ObjectLockConfigurationNotFoundError")
	failsWith(t, enable(), 409, "InvalidBucketState")
	failsWith(t, f.setVersioning(t, name, types.BucketVersioningStatusEnabled), 0, "")
	early := f.mustPut(t, "k", func(in *s3.PutObjectInput) { in.Bucket = name })
	failsWith(t, enable(), 0, "")
	failsWith(t, f.setVersioning(t, name, types.BucketVersioningStatusSuspended), 409, "InvalidBucketState")
	_, err = f.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: name, Key: aws.String("k"), VersionId: &early})
	failsWith(t, err, 0, "") // what was there before stays unlocked
}

func TestLockConfigurationRules(t *testing.T) {
	tests := []struct {
		name, rule, code, message string
	}{
		{"days", "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>36500</Days></DefaultRetention></Rule>", "", ""},
		{"years", "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Years>100</Years></DefaultRetention></Rule>", "", ""},
		{"zero", "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>0</Days></DefaultRetention></Rule>", "InvalidArgument", "Default retention period must be a positive integer value."},
		{"negative", "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>-1</Years></DefaultRetention></Rule>", "InvalidArgument", "Default retention period must be a positive integer value."},
		{"too many days", "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>36501</Days></DefaultRetention></Rule>", "InvalidArgument", "Default retention period too large."},
		{"too many years", "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>101</Years></DefaultRetention></Rule>", "InvalidArgument", "Default retention period too large."},
		{"both", "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days><Years>1</Years></DefaultRetention></Rule>", "MalformedXML", ""},
		{"neither", "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode></DefaultRetention></Rule>", "MalformedXML", ""},
		{"no mode", "<Rule><DefaultRetention><Days>1</Days></DefaultRetention></Rule>", "MalformedXML", ""},
		{"other mode", "<Rule><DefaultRetention><Mode>compliance</Mode><Days>1</Days></DefaultRetention></Rule>", "MalformedXML", ""},
		{"empty rule", "<Rule/>", "MalformedXML", ""},
		{"event hold", "<Rule><DefaultEventHold>ON</DefaultEventHold></Rule>", "NotImplemented", ""},
		{"no XML", "<Rule>", "MalformedXML", ""},
	}
	f := serve(t, devserver.Config{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc := "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>" + test.rule + "</ObjectLockConfiguration>"
			reply, body := send(t, f.url, "PUT", "/audit?object-lock", map[string]string{"Content-MD5": md5Of(doc)}, []byte(doc))
			if test.code == "" {
				if _, got := send(t, f.url, "GET", "/audit?object-lock", nil, nil); reply.StatusCode != 200 || !strings.Contains(got, test.rule) {
					t.Fatalf("%s %s, then %s", reply.Status, body, got)
				}
				return
			}
			if !strings.Contains(body, "<Code>"+test.code+"</Code>") || !strings.Contains(body, test.message) {
				t.Fatalf("%s: %s", reply.Status, body)
			}
		})
	}
	doc := "<ObjectLockConfiguration></ObjectLockConfiguration>"
	reply, body := send(t, f.url, "PUT", "/audit?object-lock", map[string]string{"Content-MD5": md5Of(doc)}, []byte(doc))
	refused(t, reply, body, 400, "MalformedXML")
}

func TestVersioningSuspendedAndOff(t *testing.T) {
	f := serve(t, devserver.Config{})
	name := f.plain(t)
	inPlain := func(in *s3.PutObjectInput) { in.Bucket = name }
	if id := f.mustPut(t, "k", inPlain); id != "" {
		t.Errorf("version ID %q without versioning", id)
	}
	f.mustPut(t, "k", inPlain)
	failsWith(t, f.setVersioning(t, name, types.BucketVersioningStatusEnabled), 0, "")
	kept := f.mustPut(t, "k", inPlain)
	failsWith(t, f.setVersioning(t, name, types.BucketVersioningStatusSuspended), 0, "")
	f.mustPut(t, "k", inPlain)
	all, err := f.Raw().Versions("plain", "")
	if err != nil || len(all) != 2 || all[0].VersionID != "null" || all[1].VersionID != kept {
		t.Fatalf("%+v %v", all, err)
	}
	_, err = f.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: name, Key: aws.String("k")})
	failsWith(t, err, 0, "")
	if all, err = f.Raw().Versions("plain", ""); err != nil || len(all) != 2 || !all[0].Marker || all[1].VersionID != kept {
		t.Fatalf("%+v %v", all, err)
	}
}

// What bucket check reads: each setting with AWS's default or its own error.
func TestBucketSettings(t *testing.T) {
	f := serve(t, devserver.Config{})
	tests := []struct{ sub, absent, document string }{
		{"policy", "NoSuchBucketPolicy", `{"Version":"2012-10-17","Statement":[]}`},
		{"lifecycle", "NoSuchLifecycleConfiguration", "<LifecycleConfiguration><Rule/></LifecycleConfiguration>"},
		{"replication", "ReplicationConfigurationNotFoundError", "<ReplicationConfiguration><Role>r</Role></ReplicationConfiguration>"},
		{"publicAccessBlock", "NoSuchPublicAccessBlockConfiguration", "<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls></PublicAccessBlockConfiguration>"},
	}
	for _, test := range tests {
		t.Run(test.sub, func(t *testing.T) {
			path := "/audit?" + test.sub
			reply, body := send(t, f.url, "GET", path, nil, nil)
			if test.sub == "publicAccessBlock" {
				if strings.Count(body, ">true<") != 4 {
					t.Fatal(body)
				}
			} else {
				refused(t, reply, body, 404, test.absent)
			}
			if reply, body = send(t, f.url, "PUT", path, nil, []byte("no document")); reply.StatusCode != 400 {
				t.Fatal(reply.Status, body)
			}
			if reply, body = send(t, f.url, "PUT", path, nil, []byte(test.document)); reply.StatusCode/100 != 2 {
				t.Fatal(reply.Status, body)
			}
			if _, body = send(t, f.url, "GET", path, nil, nil); body != test.document {
				t.Fatal(body)
			}
			if reply, body = send(t, f.url, "DELETE", path, nil, nil); reply.StatusCode != 204 {
				t.Fatal(reply.Status, body)
			}
			reply, body = send(t, f.url, "GET", path, nil, nil)
			refused(t, reply, body, 404, test.absent)
		})
	}
	encryption, err := f.s3.GetBucketEncryption(t.Context(), &s3.GetBucketEncryptionInput{Bucket: aws.String(bucket)})
	failsWith(t, err, 0, "")
	if got := encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm; got != types.ServerSideEncryptionAes256 {
		t.Errorf("encryption %q", got)
	}
}
