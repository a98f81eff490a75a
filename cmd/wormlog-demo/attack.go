package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/archive/s3lock"
)

// attacker is somebody with rights in the bucket.
type attacker struct {
	*stage
	s3    *s3.Client
	store *s3lock.Store
}

func (s *stage) attacker(ctx context.Context) (*attacker, error) {
	cfg := aws.Config{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(devserver.AccessKeyID, devserver.SecretAccessKey, ""),
	}
	store, err := s3lock.Open(ctx, s3lock.Config{Bucket: bucket, Endpoint: s.server.URL(), Region: "us-east-1", AWS: &cfg})
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(s.server.URL()), true })
	return &attacker{s, client, store}, err
}

// attack is one chapter: what is done to a fresh copy of the bucket, and what verify must say.
type attack struct {
	title   string
	do      func(context.Context, *attacker) error
	verdict archive.Verdict
	code    archive.Code
	heads   bool // the tail is pinned by the heads of the first verification
}

var attacks = []attack{
	{"The administrator deletes a locked segment, and shortens the lock of another", refusedByLock, archive.Intact, "", true},
	{"The administrator puts an altered segment over the original", overlay, archive.Shadowed, archive.CodeVersionExtra, false},
	{"The administrator hides a segment behind a delete marker", deleteMarker, archive.Shadowed, archive.CodeDeleteMarker, false},
	{"Somebody with the writer's permissions but no key forges a manifest", forgeWithoutKey, archive.Tampered, archive.CodeManifestSignature, false},
	{"Somebody forges a manifest with a stolen key of the wrong role: the verifier's", forgeWithWrongRole, archive.Tampered, archive.CodeKeyRole, false},
	{"What no S3 call can do: the provider loses the whole stream, locks and all", loseStream, archive.Missing, archive.CodeStreamMissing, true},
}

func attackAll(ctx context.Context, s *stage) error {
	for i, a := range attacks {
		s.title("%s", a.title)
		if err := s.open(fmt.Sprintf("attack-%d", i), "home"); err != nil {
			return err
		}
		who, err := s.attacker(ctx)
		if err != nil {
			return err
		}
		if err := a.do(ctx, who); err != nil {
			return err
		}
		var args []string
		if a.heads {
			args = []string{"--heads", s.heads}
		}
		if err := s.expect(ctx, a.verdict, a.code, args...); err != nil {
			return err
		}
	}
	fmt.Fprintln(s.out, "\nThat was wormlog: locked where S3 can lock, and evident where it cannot.")
	return nil
}

// segments lists the segments as S3 does.
func (a *attacker) segments(ctx context.Context) (found []archive.Version, err error) {
	for v, err := range a.store.Versions(ctx, "segments/", "") {
		if err != nil {
			return nil, err
		}
		found = append(found, v)
	}
	if len(found) == 0 {
		return nil, errors.New("there is no segment to attack")
	}
	return found, nil
}

// refused says what S3 answered to a call that must not succeed.
func (a *attacker) refused(call string, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("%s was not refused: %w", call, err)
	}
	a.say("%-48s S3: %s: %s", call, api.ErrorCode(), api.ErrorMessage())
	return nil
}

func refusedByLock(ctx context.Context, a *attacker) error {
	list, err := a.segments(ctx)
	if err != nil {
		return err
	}
	first, last := list[0], list[len(list)-1]
	_, err = a.s3.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket: aws.String(bucket), Key: &first.Key, VersionId: &first.VersionID, BypassGovernanceRetention: aws.Bool(true),
	})
	if err := a.refused("DeleteObject, with its version ID and bypass", err); err != nil {
		return err
	}
	_, err = a.s3.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{
		Bucket: aws.String(bucket), Key: &last.Key, VersionId: &last.VersionID,
		Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeCompliance, RetainUntilDate: aws.Time(time.Now().Add(time.Hour))},
	})
	return a.refused("PutObjectRetention, until in an hour", err)
}

func overlay(ctx context.Context, a *attacker) error {
	list, err := a.segments(ctx)
	if err != nil {
		return err
	}
	raw, err := a.content(ctx, list[0])
	if err != nil {
		return err
	}
	altered := bytes.ReplaceAll(raw, []byte(`"userName":"benjamin"`), []byte(`"userName":"nobody"`))
	if bytes.Equal(raw, altered) {
		altered = raw[:len(raw)/2]
	}
	b, err := compress(altered)
	if err != nil {
		return err
	}
	put, err := a.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &list[0].Key, Body: bytes.NewReader(b)})
	if err != nil {
		return fmt.Errorf("overlaying a segment: %w", err)
	}
	a.say("%-48s S3: 200, new version %s", "PutObject of entries without the user benjamin", aws.ToString(put.VersionId))
	return nil
}

func deleteMarker(ctx context.Context, a *attacker) error {
	list, err := a.segments(ctx)
	if err != nil {
		return err
	}
	out, err := a.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: &list[0].Key})
	if err != nil {
		return fmt.Errorf("placing a delete marker: %w", err)
	}
	a.say("%-48s S3: 204, delete marker %s", "DeleteObject, without a version ID", aws.ToString(out.VersionId))
	return nil
}

// loseStream goes through the development server's back door.
func loseStream(_ context.Context, a *attacker) error {
	raw := a.server.Raw()
	gone := 0
	for _, prefix := range []string{"segments/", "manifests/"} {
		list, err := raw.Versions(bucket, prefix)
		if err != nil {
			return err
		}
		for _, v := range list {
			if err := raw.DeleteVersion(bucket, v.Key, v.VersionID); err != nil {
				return err
			}
			gone++
		}
	}
	a.say("%d objects gone. Without a pinned head an archive could not tell that from one that is still empty:", gone)
	a.say("heads.json, written by the first verification and kept outside the bucket, is the pin.")
	return nil
}
