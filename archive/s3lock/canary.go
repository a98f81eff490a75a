package s3lock

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/oklog/ulid/v2"
	"github.com/wormlog/wormlog/archive"
)

// canaryPart is where canaries live, below the prefix.
const canaryPart = "canary/"

// CanaryReport says what a store did when its lock was attacked.
type CanaryReport struct {
	Home        archive.Home `json:"home"`
	Endpoint    string       `json:"endpoint"`
	Key         string       `json:"key"`
	VersionID   string       `json:"version_id"` // empty if the canary could not be written
	RetainUntil time.Time    `json:"retain_until,omitzero"`
	Status      Status       `json:"status"` // of the worst line
	Lines       []Line       `json:"lines"`
}

// Canary writes canary/<ULID>, locked in COMPLIANCE mode for one day, and then tries everything the lock must forbid. The
// object stays, as it must. What the network or a missing permission kept from being tried is Unknown, never Pass: in
// particular, a delete that a policy forbids shows nothing about the lock behind it.
//
// The error is for a canary that could not even begin: the store's clock could not be read.
func (s *Store) Canary(ctx context.Context) (CanaryReport, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return CanaryReport{}, err
	}
	k := &canary{
		store: s, key: canaryPart + ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String(),
		until: now.Add(24 * time.Hour),
	}
	k.body = fmt.Appendf(nil, "wormlog lock canary %s in bucket %s, locked until %s\n", k.key, s.home.Bucket, k.until.Format(time.RFC3339))
	k.run(ctx)
	return CanaryReport{
		Home: s.home, Endpoint: s.endpoint, Key: k.key, VersionID: k.version, RetainUntil: k.until,
		Status: worst(k.lines), Lines: k.lines,
	}, nil
}

// canary is one run. The calls that attack a lock are here and nowhere else.
type canary struct {
	store    *Store
	key      string
	version  string
	body     []byte
	until    time.Time
	extended bool // the role may change retention
	lines    []Line
}

func (k *canary) run(ctx context.Context) {
	steps := []struct {
		line Line
		try  func(context.Context) (Status, string)
	}{
		{Line{Setting: "create again", Want: "refused (412)",
			Threat: "a second write can take an object's place", Fix: "use a store with conditional writes"}, k.createAgain},
		{Line{Setting: "delete the version", Want: "refused by the lock (403)",
			Threat: "locked evidence can be deleted", Fix: unenforced}, k.delete},
		{Line{Setting: "delete with governance bypass", Want: "refused by the lock (403)",
			Threat: "an administrator can delete locked evidence", Fix: unenforced}, k.deleteBypassing},
		{Line{Setting: "extend the retention", Want: "allowed",
			Threat: "retention cannot be extended; and a refusal to shorten it shows nothing", Fix: "allow s3:PutObjectRetention"}, k.extend},
		{Line{Setting: "shorten the retention", Want: "refused by the lock (403)",
			Threat: "locked evidence can be released early", Fix: unenforced}, k.shorten},
		{Line{Setting: "change the mode to GOVERNANCE", Want: "refused by the lock (403)",
			Threat: "the lock can be weakened and then lifted", Fix: unenforced}, k.downgrade},
		{Line{Setting: "read back", Want: "the same bytes, SHA-256, mode and date",
			Threat: "what is stored is not what was sent", Fix: "do not use this store"}, k.readBack},
	}
	if k.create(ctx); k.version == "" {
		for _, s := range steps {
			s.line.Status, s.line.Got = Unknown, "not tried"
			s.line.Threat, s.line.Fix = "not tried, as there is no canary to try it on", "mend what kept the canary from being created, and run it again"
			k.lines = append(k.lines, s.line)
		}
		return
	}
	for _, s := range steps {
		s.line.Status, s.line.Got = s.try(ctx)
		k.lines = append(k.lines, s.line)
	}
}

const unenforced = "do not use this store: it accepts locks and does not enforce them (where it says a permission is missing, run the canary with that permission)"

func (k *canary) options() archive.CreateOptions {
	return archive.CreateOptions{RetainUntil: k.until, SHA256: sha256.Sum256(k.body), ContentType: "text/plain"}
}

func (k *canary) create(ctx context.Context) {
	l := Line{Setting: "create", Want: "a locked version",
		Threat: "nothing can be archived here", Fix: "allow s3:PutObject and s3:PutObjectRetention under canary/, for one day"}
	created, err := k.store.Create(ctx, k.key, k.body, k.options())
	var e *Error
	switch {
	case errors.As(err, &e) && strings.Contains(e.Detail, "missing Object Lock Configuration"):
		l.Status, l.Got = Fail, "the bucket has no Object Lock"
		l.Threat, l.Fix = "without it no object can be locked, and every version can be deleted", "turn Object Lock on: versioning first, then Object Lock, on the bucket"
	case err == nil:
		k.version = created.VersionID
		l.Status, l.Got = Pass, "version "+created.VersionID
	case errors.Is(err, archive.ErrDenied), errors.Is(err, archive.ErrRefused), errors.Is(err, archive.ErrNotFound), errors.Is(err, archive.ErrExists):
		l.Status, l.Got = Fail, err.Error()
	default:
		l.Status, l.Got = Unknown, err.Error()
	}
	k.lines = append(k.lines, l)
}

func (k *canary) createAgain(ctx context.Context) (Status, string) {
	created, err := k.store.Create(ctx, k.key, k.body, k.options())
	switch {
	case err == nil:
		return Fail, "written again, as version " + created.VersionID
	case errors.Is(err, archive.ErrExists):
		return Pass, "refused"
	}
	return Unknown, err.Error()
}

func (k *canary) delete(ctx context.Context) (Status, string) {
	return refusedByLock(k.deleteVersion(ctx, false), false)
}

func (k *canary) deleteBypassing(ctx context.Context) (Status, string) {
	return refusedByLock(k.deleteVersion(ctx, true), false)
}

func (k *canary) deleteVersion(ctx context.Context, bypass bool) error {
	c := k.store.start("delete", k.key, k.version)
	in := &s3.DeleteObjectInput{Bucket: &k.store.home.Bucket, Key: aws.String(k.store.full(k.key)), VersionId: &k.version}
	if bypass {
		in.BypassGovernanceRetention = aws.Bool(true)
	}
	if _, err := k.store.client.DeleteObject(ctx, in, c.noting); err != nil {
		return c.wrap(ctx, err)
	}
	return nil
}

// extend also shows that the role may change retention at all, so that the refusals that follow come from the lock.
func (k *canary) extend(ctx context.Context) (Status, string) {
	until := k.until.Add(time.Second)
	if err := k.store.ExtendRetention(ctx, k.key, k.version, until); err != nil {
		return Unknown, err.Error()
	}
	k.until, k.extended = until, true
	return Pass, "until " + until.Format(time.RFC3339)
}

func (k *canary) shorten(ctx context.Context) (Status, string) {
	c := k.store.start("shorten the retention of", k.key, k.version)
	err := k.store.putRetention(ctx, c, k.key, k.version, types.ObjectLockRetentionModeCompliance, k.until.Add(-12*time.Hour))
	return refusedByLock(err, k.extended)
}

func (k *canary) downgrade(ctx context.Context) (Status, string) {
	c := k.store.start("change the mode of", k.key, k.version)
	err := k.store.putRetention(ctx, c, k.key, k.version, types.ObjectLockRetentionModeGovernance, k.until)
	return refusedByLock(err, k.extended)
}

// refusedByLock judges the answer to an attack. S3 refuses for a lock and for a missing permission with the same code: only
// the message, or the knowledge that the permission is there, tells them apart.
func refusedByLock(err error, permitted bool) (Status, string) {
	var e *Error
	switch {
	case err == nil:
		return Fail, "allowed"
	case !errors.As(err, &e) || e.Status != http.StatusForbidden || e.Code != "AccessDenied":
		return Unknown, err.Error()
	case permitted, strings.Contains(strings.ToLower(e.Detail), "object lock"):
		return Pass, "refused: " + e.Detail
	}
	return Unknown, "refused, but for want of a permission, so the lock was not put to the test: " + err.Error()
}

func (k *canary) readBack(ctx context.Context) (Status, string) {
	body, o, err := k.store.Get(ctx, k.key, k.version, int64(len(k.body)))
	switch {
	case errors.Is(err, archive.ErrNotFound), errors.Is(err, archive.ErrDeleteMarker):
		return Fail, "the version is gone: " + err.Error()
	case errors.Is(err, archive.ErrTooLarge):
		return Fail, "other bytes: " + err.Error()
	case err != nil:
		return Unknown, err.Error()
	case !bytes.Equal(body, k.body):
		return Fail, "other bytes"
	case o.HasSHA256 && o.SHA256 != sha256.Sum256(k.body):
		return Fail, "another SHA-256"
	case !o.HasSHA256:
		return Fail, "no SHA-256 of the whole object"
	case o.RetentionHidden:
		return Unknown, "the lock may not be read: s3:GetObjectRetention is missing"
	case o.Lock.Mode != archive.Compliance:
		return Fail, fmt.Sprintf("the mode is %q", o.Lock.Mode)
	case o.Lock.RetainUntil.Before(k.until):
		return Fail, "locked only until " + o.Lock.RetainUntil.Format(time.RFC3339)
	}
	return Pass, fmt.Sprintf("the same, %s until %s", o.Lock.Mode, o.Lock.RetainUntil.Format(time.RFC3339))
}
