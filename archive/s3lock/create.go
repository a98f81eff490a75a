package s3lock

import (
	"bytes"
	"context"
	"encoding/base64"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/wormlog/wormlog/archive"
)

// Create writes body under key, once, in a single PUT that is never repeated here; see [archive.Store].
func (s *Store) Create(ctx context.Context, key string, body []byte, o archive.CreateOptions) (archive.Created, error) {
	c := s.start("create", key, "")
	if err := c.checkUntil(o.RetainUntil); err != nil {
		return archive.Created{}, err
	}
	digest := base64.StdEncoding.EncodeToString(o.SHA256[:])
	in := &s3.PutObjectInput{
		Bucket: &s.home.Bucket, Key: aws.String(s.full(key)), Body: bytes.NewReader(body), IfNoneMatch: aws.String("*"),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumSHA256: &digest,
		ObjectLockMode: types.ObjectLockModeCompliance, ObjectLockRetainUntilDate: aws.Time(o.RetainUntil.UTC()),
		ServerSideEncryption: types.ServerSideEncryption(s.config.SSE),
	}
	if o.ContentType != "" {
		in.ContentType = &o.ContentType
	}
	if s.config.KMSKeyID != "" {
		in.SSEKMSKeyId = &s.config.KMSKeyID
	}
	out, err := s.client.PutObject(ctx, in, once, payloadHash(o.SHA256), c.noting)
	if err != nil {
		return archive.Created{}, c.wrap(ctx, err)
	}
	return c.created(out, digest)
}

// created checks what the reply to a PUT says. A reply that falls short leaves an object behind that is not what was asked
// for, so the outcome is unknown.
func (c *call) created(out *s3.PutObjectOutput, digest string) (archive.Created, error) {
	id := aws.ToString(out.VersionId)
	if id == "" || id == "null" {
		return archive.Created{}, c.fail(archive.ErrUncertain, "the reply names no version, so the bucket is not versioned and the object not locked",
			"use a bucket with versioning and Object Lock (bucket check)")
	}
	if got := aws.ToString(out.ChecksumSHA256); got != "" && got != digest {
		return archive.Created{}, c.fail(archive.ErrUncertain, "the reply names another SHA-256 ("+got+") than was sent ("+digest+")",
			"read version "+id+" back")
	}
	date, err := c.date(header(out.ResultMetadata))
	return archive.Created{VersionID: id, Date: date}, err
}

// checkUntil refuses dates that S3 would truncate silently.
func (c *call) checkUntil(until time.Time) error {
	if until.IsZero() || until.Nanosecond() != 0 {
		return c.fail(archive.ErrRefused, "the retain-until date must be given in whole seconds", "round it up")
	}
	return nil
}
