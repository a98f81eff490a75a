package s3lock

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/wormlog/wormlog/archive"
)

// ExtendRetention moves a version's retain-until later, in mode COMPLIANCE; see [archive.Store]. S3 refuses to move it
// earlier.
func (s *Store) ExtendRetention(ctx context.Context, key, versionID string, until time.Time) error {
	c := s.start("extend the retention of", key, versionID)
	if err := errors.Join(c.checkUntil(until), c.checkVersion(versionID)); err != nil {
		return err
	}
	return s.putRetention(ctx, c, key, versionID, types.ObjectLockRetentionModeCompliance, until)
}

// SetLegalHold switches a version's legal hold; see [archive.Store].
func (s *Store) SetLegalHold(ctx context.Context, key, versionID string, on bool) error {
	c := s.start("set the legal hold of", key, versionID)
	if err := c.checkVersion(versionID); err != nil {
		return err
	}
	status := types.ObjectLockLegalHoldStatusOff
	if on {
		status = types.ObjectLockLegalHoldStatusOn
	}
	_, err := s.client.PutObjectLegalHold(ctx, &s3.PutObjectLegalHoldInput{
		Bucket: &s.home.Bucket, Key: aws.String(s.full(key)), VersionId: &versionID,
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, LegalHold: &types.ObjectLockLegalHold{Status: status},
	}, c.noting)
	return c.wrapLock(ctx, err)
}

func (s *Store) putRetention(ctx context.Context, c *call, key, versionID string, mode types.ObjectLockRetentionMode, until time.Time) error {
	_, err := s.client.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{
		Bucket: &s.home.Bucket, Key: aws.String(s.full(key)), VersionId: &versionID,
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
		Retention:         &types.ObjectLockRetention{Mode: mode, RetainUntilDate: aws.Time(until.UTC())},
	}, c.noting)
	return c.wrapLock(ctx, err)
}

// checkVersion refuses to change the lock of whatever is current.
func (c *call) checkVersion(versionID string) error {
	if versionID == "" {
		return c.fail(archive.ErrRefused, "no version is named", "name the version whose lock is meant")
	}
	return nil
}

// wrapLock is wrap for the calls on a version's lock, which answer 405 for a delete marker.
func (c *call) wrapLock(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	wrapped := c.wrap(ctx, err)
	var e *Error
	if errors.As(wrapped, &e) && e.Status == http.StatusMethodNotAllowed {
		e.Err = archive.ErrDeleteMarker
	}
	if errors.As(wrapped, &e) && e.Status == http.StatusBadRequest && isBadVersionID(e) {
		e.Err = archive.ErrNotFound
	}
	return wrapped
}

// lock fills in o's lock from the headers, and from probes where they say nothing. What a probe cannot find out for other
// reasons than a missing permission is an error: neither locked nor unlocked may be guessed.
//
// The event-hold headers (x-amz-object-lock-event-hold…) need no reading: while such a hold is on, S3 moves the
// retain-until date itself, and the verifier compares that by >=.
func (s *Store) lock(ctx context.Context, c *call, o *archive.Object, h http.Header) error {
	mode, until := h.Get("X-Amz-Object-Lock-Mode"), h.Get("X-Amz-Object-Lock-Retain-Until-Date")
	shown := mode != "" || until != ""
	if shown {
		at, err := parseUntil(until)
		if err != nil {
			return c.fail(archive.ErrUncertain, "the reply has no usable retain-until date ("+until+")", "")
		}
		o.Lock.Mode, o.Lock.RetainUntil = archive.Mode(mode), at
	} else if err := s.probeRetention(ctx, o); err != nil {
		return err
	}
	if hold := h.Get("X-Amz-Object-Lock-Legal-Hold"); hold != "" {
		o.Lock.LegalHold = strings.EqualFold(hold, "ON")
		s.holds.learn(o.Key, true)
		return nil
	}
	// Where the headers did not show the retention, nothing follows from their not showing a hold.
	if readable, known := s.holds.recall(o.Key); known && shown {
		o.HoldHidden = !readable
		return nil
	}
	return s.probeHold(ctx, o)
}

func (s *Store) probeRetention(ctx context.Context, o *archive.Object) error {
	c := s.start("read the retention of", o.Key, o.VersionID)
	out, err := s.client.GetObjectRetention(ctx, &s3.GetObjectRetentionInput{
		Bucket: &s.home.Bucket, Key: aws.String(s.full(o.Key)), VersionId: optional(o.VersionID),
	}, c.noting)
	if err != nil {
		hidden, err := hiddenOrNone(c.wrapLock(ctx, err))
		o.RetentionHidden = hidden
		return err
	}
	if r := out.Retention; r != nil && r.RetainUntilDate != nil {
		o.Lock.Mode, o.Lock.RetainUntil = archive.Mode(r.Mode), r.RetainUntilDate.UTC().Truncate(time.Second)
	}
	return nil
}

func (s *Store) probeHold(ctx context.Context, o *archive.Object) error {
	c := s.start("read the legal hold of", o.Key, o.VersionID)
	out, err := s.client.GetObjectLegalHold(ctx, &s3.GetObjectLegalHoldInput{
		Bucket: &s.home.Bucket, Key: aws.String(s.full(o.Key)), VersionId: optional(o.VersionID),
	}, c.noting)
	if err != nil {
		hidden, err := hiddenOrNone(c.wrapLock(ctx, err))
		o.HoldHidden = hidden
		if err == nil {
			s.holds.learn(o.Key, !hidden)
		}
		return err
	}
	s.holds.learn(o.Key, true)
	o.Lock.LegalHold = out.LegalHold != nil && out.LegalHold.Status == types.ObjectLockLegalHoldStatusOn
	return nil
}

// hiddenOrNone reads the refusal of a probe: the lock is hidden, or there is none, or it remains an error.
func hiddenOrNone(err error) (hidden bool, _ error) {
	var e *Error
	if !errors.As(err, &e) {
		return false, err
	}
	switch {
	case e.Code == "NoSuchObjectLockConfiguration", e.Code == "ObjectLockConfigurationNotFoundError":
		return false, nil
	case e.Code == "InvalidRequest" && strings.Contains(e.Detail, "missing Object Lock"): // the bucket knows no locks
		return false, nil
	case e.Code == "AccessDenied":
		return true, nil
	}
	return false, err
}

// holdMemory remembers, for each top-level part of the archive, whether legal holds may be read there. Permissions can
// change, so an answer serves a limited number of times.
type holdMemory struct {
	mu    sync.Mutex
	known map[string]*holdAnswer
}

type holdAnswer struct {
	readable bool
	uses     int
}

const holdUses = 1000

func (m *holdMemory) learn(key string, readable bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[string]*holdAnswer{}
	}
	m.known[part(key)] = &holdAnswer{readable: readable, uses: holdUses}
}

func (m *holdMemory) recall(key string) (readable, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.known[part(key)]
	if a == nil || a.uses == 0 {
		return false, false
	}
	a.uses--
	return a.readable, true
}

// part is the top-level part of the archive that a key is in, control streams told apart by role.
func part(key string) string {
	first, rest, _ := strings.Cut(key, "/")
	if first == "control" {
		role, _, _ := strings.Cut(rest, "/")
		return first + "/" + role
	}
	return first
}
