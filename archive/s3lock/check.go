package s3lock

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/wormlog/wormlog/archive"
)

// Policy is what an archive expects of its bucket.
type Policy struct {
	// RetentionDays is the least default retention. 0 means any.
	RetentionDays int
	// Encryption is the default encryption expected, as S3 names it. Empty means any.
	Encryption string
}

// CheckReport says what a bucket's settings mean for an archive in it.
type CheckReport struct {
	Home     archive.Home `json:"home"`
	Endpoint string       `json:"endpoint"`
	Status   Status       `json:"status"` // of the worst line
	Lines    []Line       `json:"lines"`
}

// Check reads the bucket's settings and compares them with what evidence needs. It changes nothing. The error is for a
// bucket that cannot be asked at all; a setting that may not be read is a line of status Unknown.
func (s *Store) Check(ctx context.Context, want Policy) (CheckReport, error) {
	settings, err := s.Settings(ctx)
	if err != nil {
		return CheckReport{}, err
	}
	r := CheckReport{Home: s.home, Endpoint: s.endpoint}
	r.Lines = append(r.Lines,
		checkObjectLock(settings),
		checkVersioning(settings),
		checkDefault(settings, want),
		checkEncryption(settings, want),
		checkLifecycle(settings),
		checkPublicAccess(settings))
	r.Lines = append(r.Lines, s.checkPolicy(settings.Policy)...)
	r.Lines = append(r.Lines, s.checkEndpoint())
	r.Status = worst(r.Lines)
	return r, nil
}

// known makes a line out of a setting: unknown if it could not be read, else passed if ok.
func known[T any](l Line, k archive.Known[T], ok bool) Line {
	switch {
	case k.Err != nil:
		l.Status, l.Got = Unknown, k.Err.Error()
	case ok:
		l.Status = Pass
	default:
		l.Status = Fail
	}
	return l
}

func checkObjectLock(s archive.Settings) Line {
	got := "disabled"
	if s.ObjectLock.Value {
		got = "enabled"
	}
	return known(Line{
		Setting: "object lock", Got: got, Want: "enabled",
		Threat: "without it no object can be locked, and every version can be deleted",
		Fix:    "enable Object Lock on the bucket; versioning first",
	}, s.ObjectLock, s.ObjectLock.Value)
}

func checkVersioning(s archive.Settings) Line {
	return known(Line{
		Setting: "versioning", Got: cmp.Or(s.Versioning.Value, "never enabled"), Want: "Enabled",
		Threat: "without it a write replaces what was there",
		Fix:    "enable versioning on the bucket",
	}, s.Versioning, s.Versioning.Value == "Enabled")
}

func checkDefault(s archive.Settings, want Policy) Line {
	l := Line{
		Setting: "default retention", Got: "none", Want: "COMPLIANCE",
		Threat: "objects that others write under the archive's prefix are not locked, or by a weaker lock; wormlog's own always carry one",
		Fix:    "set a default retention in mode COMPLIANCE",
	}
	if want.RetentionDays > 0 {
		l.Want = fmt.Sprintf("COMPLIANCE, at least %d days", want.RetentionDays)
		l.Fix = fmt.Sprintf("set a default retention of %d days in mode COMPLIANCE", want.RetentionDays)
	}
	if s.DefaultMode.Value != "" {
		l.Got = fmt.Sprintf("%s, %d days", s.DefaultMode.Value, s.DefaultDays.Value)
	}
	return known(l, s.DefaultMode, s.DefaultMode.Value == archive.Compliance && s.DefaultDays.Value >= max(want.RetentionDays, 1))
}

func checkEncryption(s archive.Settings, want Policy) Line {
	got := s.Encryption.Value
	return known(Line{
		Setting: "default encryption", Got: cmp.Or(got, "none"), Want: cmp.Or(want.Encryption, "AES256 or aws:kms"),
		Threat: "the logs lie in the clear for whoever gets at the storage",
		Fix:    "set a default encryption on the bucket; SSE-S3 has no key that can be deleted",
	}, s.Encryption, got != "" && (want.Encryption == "" || got == want.Encryption))
}

func checkLifecycle(s archive.Settings) Line {
	return known(Line{
		Setting: "lifecycle", Got: cmp.Or(strings.Join(s.LifecycleExpires.Value, ", "), "no expiration"), Want: "no expiration",
		Threat: "expiration hides current objects behind delete markers, and removes versions once their locks have ended",
		Fix:    "remove these rules, or keep them off the archive's prefix",
	}, s.LifecycleExpires, len(s.LifecycleExpires.Value) == 0)
}

func checkPublicAccess(s archive.Settings) Line {
	got := "not blocked, or in part"
	if s.PublicAccessBlocked.Value {
		got = "blocked"
	}
	return known(Line{
		Setting: "public access", Got: got, Want: "blocked",
		Threat: "a policy or ACL can open the logs to everyone",
		Fix:    "switch all four public access blocks on",
	}, s.PublicAccessBlocked, s.PublicAccessBlocked.Value)
}

func (s *Store) checkEndpoint() Line {
	l := Line{
		Setting: "endpoint", Got: s.endpoint, Want: "Amazon S3, over TLS",
		Threat: "another server may accept locks and not enforce them, and may see the logs",
		Fix:    "leave the endpoint to AWS; otherwise run the canary to see what this server enforces",
	}
	switch {
	case s.OnAWS():
		l.Status, l.Got = Pass, l.Got+", at least "+tls.VersionName(s.config.TLSMinVersion)
	case isLoopback(hostOf(s.endpoint)):
		l.Status, l.Got = Unknown, l.Got+", which is this machine"
	default:
		l.Status, l.Got = Unknown, l.Got+", which is not AWS"
	}
	return l
}
