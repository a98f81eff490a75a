package s3lock

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/wormlog/wormlog/archive"
)

// Now returns S3's clock, in whole seconds, and shows thereby that the bucket is there and may be used.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	c := s.startBucket("reach")
	out, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.home.Bucket}, c.noting)
	if err != nil {
		return time.Time{}, c.wrapHeadBucket(ctx, err, s)
	}
	return c.date(header(out.ResultMetadata))
}

// wrapHeadBucket asks again with a request of the same permission whose answer has a body, and so an error code.
func (c *call) wrapHeadBucket(ctx context.Context, err error, s *Store) error {
	wrapped := c.wrapHead(ctx, err, func() error {
		_, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.home.Bucket, MaxKeys: aws.Int32(1)}, once)
		return err
	})
	var e *Error
	if errors.As(wrapped, &e) && e.Status == http.StatusNotFound {
		e.Hint = meanings["NoSuchBucket"].hint
	}
	return wrapped
}

// Settings reads the bucket's settings; see [archive.Store].
func (s *Store) Settings(ctx context.Context) (archive.Settings, error) {
	_, reach := s.Now(ctx)
	if reach != nil && !errors.Is(reach, archive.ErrDenied) {
		return archive.Settings{}, reach
	}
	var out archive.Settings
	s.lockSettings(ctx, &out)
	out.Versioning = s.versioning(ctx)
	out.Encryption = s.encryption(ctx)
	out.LifecycleExpires = s.lifecycle(ctx)
	out.Policy = s.policy(ctx)
	out.PublicAccessBlocked = s.publicAccess(ctx)
	if err := ctx.Err(); err != nil {
		return archive.Settings{}, fmt.Errorf("read the settings of bucket %q: %w", s.home.Bucket, err)
	}
	if reach != nil && nothingKnown(out) {
		return archive.Settings{}, reach
	}
	return out, nil
}

func nothingKnown(s archive.Settings) bool {
	return !slices.Contains([]error{s.ObjectLock.Err, s.Versioning.Err, s.Encryption.Err, s.LifecycleExpires.Err, s.Policy.Err,
		s.PublicAccessBlocked.Err}, nil)
}

func (s *Store) lockSettings(ctx context.Context, into *archive.Settings) {
	c := s.startBucket("read the Object Lock configuration of")
	out, err := s.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &s.home.Bucket}, c.noting)
	if err = c.absent(ctx, err, "ObjectLockConfigurationNotFoundError"); err != nil {
		into.ObjectLock.Err, into.DefaultMode.Err, into.DefaultDays.Err = err, err, err
		return
	}
	if out == nil || out.ObjectLockConfiguration == nil {
		return
	}
	config := out.ObjectLockConfiguration
	into.ObjectLock.Value = config.ObjectLockEnabled == types.ObjectLockEnabledEnabled
	if config.Rule == nil || config.Rule.DefaultRetention == nil {
		return
	}
	d := config.Rule.DefaultRetention
	into.DefaultMode.Value = archive.Mode(d.Mode)
	into.DefaultDays.Value = int(aws.ToInt32(d.Days)) + 365*int(aws.ToInt32(d.Years)) // S3 counts years so
}

func (s *Store) versioning(ctx context.Context) (k archive.Known[string]) {
	c := s.startBucket("read the versioning of")
	out, err := s.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &s.home.Bucket}, c.noting)
	if k.Err = c.absent(ctx, err); k.Err == nil {
		k.Value = string(out.Status)
	}
	return k
}

func (s *Store) encryption(ctx context.Context) (k archive.Known[string]) {
	c := s.startBucket("read the encryption of")
	out, err := s.client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &s.home.Bucket}, c.noting)
	k.Err = c.absent(ctx, err, "ServerSideEncryptionConfigurationNotFoundError")
	if k.Err != nil || out == nil || out.ServerSideEncryptionConfiguration == nil {
		return k
	}
	for _, rule := range out.ServerSideEncryptionConfiguration.Rules {
		if d := rule.ApplyServerSideEncryptionByDefault; d != nil {
			k.Value = string(d.SSEAlgorithm)
		}
	}
	return k
}

func (s *Store) policy(ctx context.Context) (k archive.Known[string]) {
	c := s.startBucket("read the policy of")
	out, err := s.client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &s.home.Bucket}, c.noting)
	k.Err = c.absent(ctx, err, "NoSuchBucketPolicy")
	if k.Err == nil && out != nil {
		k.Value = aws.ToString(out.Policy)
	}
	return k
}

func (s *Store) publicAccess(ctx context.Context) (k archive.Known[bool]) {
	c := s.startBucket("read the public access block of")
	out, err := s.client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &s.home.Bucket}, c.noting)
	k.Err = c.absent(ctx, err, "NoSuchPublicAccessBlockConfiguration")
	if k.Err != nil || out == nil || out.PublicAccessBlockConfiguration == nil {
		return k
	}
	p := out.PublicAccessBlockConfiguration
	k.Value = aws.ToBool(p.BlockPublicAcls) && aws.ToBool(p.BlockPublicPolicy) && aws.ToBool(p.IgnorePublicAcls) && aws.ToBool(p.RestrictPublicBuckets)
	return k
}

func (s *Store) lifecycle(ctx context.Context) (k archive.Known[[]string]) {
	c := s.startBucket("read the lifecycle rules of")
	out, err := s.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &s.home.Bucket}, c.noting)
	k.Err = c.absent(ctx, err, "NoSuchLifecycleConfiguration")
	if k.Err != nil || out == nil {
		return k
	}
	for i, rule := range out.Rules {
		if rule.Status == types.ExpirationStatusEnabled && expires(rule) && s.touches(rulePrefix(rule)) {
			id := aws.ToString(rule.ID)
			if id == "" {
				id = fmt.Sprintf("rule %d, which has no ID", i+1)
			}
			k.Value = append(k.Value, id)
		}
	}
	return k
}

func expires(rule types.LifecycleRule) bool {
	return rule.Expiration != nil || rule.NoncurrentVersionExpiration != nil
}

// rulePrefix is where a rule applies. Tags and sizes narrow a rule too, but nothing keeps archive objects clear of those.
func rulePrefix(rule types.LifecycleRule) string {
	if f := rule.Filter; f != nil {
		if f.And != nil {
			return aws.ToString(f.And.Prefix)
		}
		return aws.ToString(f.Prefix)
	}
	//lint:ignore SA1019 buckets may still have rules of the old form
	return aws.ToString(rule.Prefix)
}

// touches says whether a rule for prefix meets the archive. Canaries may well be cleaned up by one.
func (s *Store) touches(prefix string) bool {
	home := s.full("")
	return (strings.HasPrefix(prefix, home) || strings.HasPrefix(home, prefix)) && !strings.HasPrefix(prefix, s.full(canaryPart))
}

// absent is wrap, with the codes by which S3 says that there is no such setting taken as an answer.
func (c *call) absent(ctx context.Context, err error, codes ...string) error {
	if err == nil {
		return nil
	}
	wrapped := c.wrap(ctx, err)
	var e *Error
	if errors.As(wrapped, &e) && slices.Contains(codes, e.Code) {
		return nil
	}
	return wrapped
}
