package s3lock

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/wormlog/wormlog/archive"
)

// Head describes one version, or the current one; see [archive.Store].
func (s *Store) Head(ctx context.Context, key, versionID string) (archive.Object, error) {
	c := s.start("look up", key, versionID)
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &s.home.Bucket, Key: aws.String(s.full(key)), VersionId: optional(versionID), ChecksumMode: types.ChecksumModeEnabled,
	}, c.noting)
	if err != nil {
		return archive.Object{}, c.wrapHead(ctx, err, func() error { return s.askAgain(ctx, key, versionID) })
	}
	return s.object(ctx, c, key, header(out.ResultMetadata))
}

// askAgain repeats a failed HEAD as a GET of one byte: an answer to HEAD has no body, and so no error code, which is what
// tells expired credentials or a wrong region from a missing permission.
func (s *Store) askAgain(ctx context.Context, key, versionID string) error {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.home.Bucket, Key: aws.String(s.full(key)), VersionId: optional(versionID), Range: aws.String("bytes=0-0"),
	}, once)
	if err != nil {
		return err
	}
	return out.Body.Close()
}

// Get returns a version's bytes, and what Head returns for it; see [archive.Store]. A body that breaks off, or does not
// fit the checksum in its own headers, is read again; bytes that still do not fit are returned as they are, for the caller
// to judge.
func (s *Store) Get(ctx context.Context, key, versionID string, limit int64) ([]byte, archive.Object, error) {
	c := s.start("read", key, versionID)
	for attempt := 1; ; attempt++ {
		body, h, err := s.get(ctx, c, key, versionID, limit)
		var broken *brokenBody
		if errors.As(err, &broken) {
			if attempt < s.config.Attempts && ctx.Err() == nil {
				continue
			}
			return nil, archive.Object{}, c.broken(ctx, broken.err)
		}
		if err != nil {
			return nil, archive.Object{}, err
		}
		object, err := s.object(ctx, c, key, h)
		if err != nil {
			return nil, archive.Object{}, err
		}
		if object.HasSHA256 && sha256.Sum256(body) != object.SHA256 && attempt < s.config.Attempts {
			continue
		}
		return body, object, nil
	}
}

// brokenBody is a reply that began well and did not end.
type brokenBody struct{ err error }

func (b *brokenBody) Error() string { return b.err.Error() }

func (c *call) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", c.op, c.object, ctx.Err())
	}
	return c.fail(archive.ErrUncertain, "the body broke off: "+err.Error(), "try again, or check the network")
}

func (s *Store) get(ctx context.Context, c *call, key, versionID string, limit int64) ([]byte, http.Header, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.home.Bucket, Key: aws.String(s.full(key)), VersionId: optional(versionID),
	}, c.noting, unvalidated)
	if err != nil {
		return nil, nil, c.wrapHead(ctx, err, nil)
	}
	defer out.Body.Close()
	size := aws.ToInt64(out.ContentLength)
	tooLarge := c.fail(archive.ErrTooLarge, fmt.Sprintf("it has more than %d bytes", limit), "")
	if out.ContentLength != nil && size > limit {
		return nil, nil, tooLarge
	}
	body, err := readBody(out.Body, min(size, limit), limit)
	switch {
	case int64(len(body)) > limit:
		return nil, nil, tooLarge
	case err != nil:
		return nil, nil, &brokenBody{err}
	case out.ContentLength != nil && int64(len(body)) != size:
		return nil, nil, &brokenBody{fmt.Errorf("%d of %d bytes arrived", len(body), size)}
	}
	h := header(out.ResultMetadata)
	h.Set("Content-Length", strconv.Itoa(len(body))) // a chunked reply has none
	return body, h, nil
}

// unvalidated asks for the stored checksum without having the SDK compare it, which it does whatever the client's options
// say: bytes that do not fit are for Get to judge.
func unvalidated(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Checksum-Mode", string(types.ChecksumModeEnabled)))
}

// readBody reads at most limit+1 bytes, into a buffer of the size announced: one allocation where the server told the truth.
func readBody(r io.Reader, announced, limit int64) ([]byte, error) {
	r = io.LimitReader(r, limit+1)
	body := make([]byte, 0, announced+1)
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return body, err
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
}

// wrapHead is wrap for HEAD and GET, which say two things of their own: that the version is a delete marker (405; 404 with
// a header where no version was named), and, for HEAD, nothing at all of why, so that again asks once more.
func (c *call) wrapHead(ctx context.Context, err error, again func() error) error {
	var reply *awshttp.ResponseError
	if !errors.As(err, &reply) || reply.Response == nil {
		return c.wrap(ctx, err)
	}
	status := reply.HTTPStatusCode()
	if status == http.StatusMethodNotAllowed || status == http.StatusNotFound && reply.Response.Header.Get("X-Amz-Delete-Marker") == "true" {
		return c.fail(archive.ErrDeleteMarker, "", "")
	}
	if again != nil && unexplained(status) {
		if second := again(); second != nil && errors.As(second, &reply) && reply.Response != nil && reply.HTTPStatusCode() == status {
			err = second
		}
	}
	wrapped := c.wrap(ctx, err)
	var e *Error
	if errors.As(wrapped, &e) && e.Status == http.StatusServiceUnavailable && again != nil {
		e.Err = archive.ErrThrottled // HEAD has no code to tell SlowDown by, and a read loses nothing by waiting
	}
	if errors.As(wrapped, &e) && e.Status == http.StatusBadRequest && isBadVersionID(e) {
		e.Err = archive.ErrNotFound // a malformed version ID names no version
	}
	return wrapped
}

func unexplained(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusForbidden || status == http.StatusMovedPermanently
}

func isBadVersionID(e *Error) bool {
	return e.Code == "InvalidArgument" && strings.Contains(strings.ToLower(e.Detail), "version id")
}

// object reads the description of a version out of the headers of a HEAD or GET, and probes for locks they do not show.
func (s *Store) object(ctx context.Context, c *call, key string, h http.Header) (archive.Object, error) {
	date, err := c.date(h)
	if err != nil {
		return archive.Object{}, err
	}
	o := archive.Object{
		Key: key, VersionID: h.Get("X-Amz-Version-Id"), Date: date,
		Encryption: h.Get("X-Amz-Server-Side-Encryption"),
		Replica:    h.Get("X-Amz-Replication-Status") == string(types.ReplicationStatusReplica),
	}
	if o.Size, err = strconv.ParseInt(h.Get("Content-Length"), 10, 64); err != nil || o.Size < 0 {
		return archive.Object{}, c.fail(archive.ErrUncertain, "the reply has no usable Content-Length", "")
	}
	if o.LastModified, err = http.ParseTime(h.Get("Last-Modified")); err != nil {
		return archive.Object{}, c.fail(archive.ErrUncertain, "the reply has no usable Last-Modified", "")
	}
	o.LastModified = o.LastModified.UTC()
	o.SHA256, o.HasSHA256 = fullSHA256(h)
	if err := s.lock(ctx, c, &o, h); err != nil {
		return archive.Object{}, err
	}
	return o, nil
}

// fullSHA256 is the stored digest, if it is one of the whole object: a multipart upload has a hash of hashes (User Guide,
// "Checking object integrity").
func fullSHA256(h http.Header) (digest [32]byte, ok bool) {
	value, kind := h.Get("X-Amz-Checksum-Sha256"), h.Get("X-Amz-Checksum-Type")
	raw, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(raw) != len(digest) || kind != "" && kind != string(types.ChecksumTypeFullObject) {
		return digest, false
	}
	return [32]byte(raw), true
}

// parseUntil reads a retain-until date. S3 keeps whole seconds; a fraction is dropped, never rounded up.
func parseUntil(value string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, value)
	return at.UTC().Truncate(time.Second), err
}

func optional(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}
