// Package sevenyears tries what the product is for: evidence that is older than the keys, the secrets and the people that
// made it. It is a test and nothing else.
package sevenyears

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/archive/dirstore"
	"github.com/wormlog/wormlog/internal/rotate/rotatetest"
	"github.com/wormlog/wormlog/keys"
)

const (
	rotations     = 28 // of 90 days: 29 keys, 6.9 years
	period        = 90 * 24 * time.Hour
	retentionDays = 2557 // seven years, with two leap days
	maxDays       = 2 * retentionDays
)

// life is a log that was written to, and whose key turned, for seven years.
type life struct {
	*rotatetest.Site
	t     *testing.T
	keys  []keys.ID
	after func(error) // is told what each rotation came to
}

// born is a log with its first key.
func born(t *testing.T) *life {
	t.Helper()
	s := rotatetest.NewWith(t, keys.AlgorithmHMACSHA256, archive.RetentionPolicy{Days: retentionDays, MaxDays: maxDays})
	return &life{Site: s, t: t, keys: []keys.ID{s.First}}
}

// live writes in every period with the key of that period, and turns it at its end.
func (l *life) live(rotations int, period time.Duration) {
	l.t.Helper()
	for n := range rotations {
		l.write(n)
		l.Wait(period / 2)
		l.write(n)
		l.Wait(period / 2)
		done, err := l.Job().Run(l.t.Context(), rotatetest.Signing)
		if done.Previous != l.keys[n] || done.NotRetired != nil || !slices.Equal(done.Retired, l.keys[n:]) {
			l.t.Fatalf("rotation %d: %+v, %v", n+1, done, err)
		}
		l.keys = append(l.keys, done.Key)
		l.after(err)
	}
	l.write(rotations)
}

func (l *life) write(n int) {
	l.t.Helper()
	if id := l.Write(fmt.Sprintf(`{"period":%d}`, n)); id != l.keys[n] {
		l.t.Fatalf("period %d: key %s signed, want %s", n, id, l.keys[n])
	}
}

// succeeds fails the test if a rotation did, which renews the locks of log.json and of key records too.
func (l *life) succeeds(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) verify(change func(*archive.VerifyConfig)) *archive.Report {
	l.t.Helper()
	c := archive.VerifyConfig{Store: l.Store, LogID: l.Log.ID, Copies: l.Copies(), RotationDays: 90}
	if change != nil {
		change(&c)
	}
	r, err := archive.Verify(l.t.Context(), c)
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// expect checks the verdict with the beginning of what it covers, and that every entry was looked at.
func (l *life) expect(when string, r *archive.Report, verdict string) {
	l.t.Helper()
	if !strings.HasPrefix(r.String(), verdict) || r.Counts.Checked != r.Counts.Entries || r.Counts.Entries < uint64(len(l.keys)) {
		l.t.Errorf("%s: %s, %d entries; want %s", when, r, r.Counts.Checked, verdict)
		for _, f := range r.Findings {
			if f.Verdict != archive.Information {
				l.t.Log(f)
			}
		}
	}
}

// deleteSecrets deletes the secrets whose names begin so, without recovery: every version and every label is gone.
func (l *life) deleteSecrets(prefix string) {
	l.t.Helper()
	for {
		list, err := l.API.ListSecrets(l.t.Context(), &sm.ListSecretsInput{})
		if err != nil {
			l.t.Fatal(err)
		}
		deleted := 0
		for _, x := range list.SecretList {
			if !strings.HasPrefix(*x.Name, prefix) {
				continue
			}
			deleted++
			if _, err := l.API.DeleteSecret(l.t.Context(), &sm.DeleteSecretInput{SecretId: x.Name, ForceDeleteWithoutRecovery: aws.Bool(true)}); err != nil {
				l.t.Fatal(err)
			}
		}
		if deleted == 0 {
			return
		}
	}
}

// sync leaves a directory as `aws s3 sync` does.
func (l *life) sync() string {
	l.t.Helper()
	dir := l.t.TempDir()
	for v := range archivetest.DevServer(l.t, l.Server, l.Store.Home()).All() {
		path := filepath.Join(dir, v.Key)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			l.t.Fatal(err)
		}
		if err := os.WriteFile(path, v.Body, 0o644); err != nil {
			l.t.Fatal(err)
		}
	}
	return dir
}

func (l *life) export() archive.TrustFile {
	l.t.Helper()
	f, left, err := archive.ExportTrust(l.t.Context(), l.Store, l.Log)
	if err != nil || len(left) > 0 {
		l.t.Fatalf("%v, left out %v", err, left)
	}
	b, err := archive.FormatTrustFile(f)
	if err != nil {
		l.t.Fatal(err)
	}
	if f, err = archive.ParseTrustFile(b); err != nil {
		l.t.Fatal(err)
	}
	return f
}

// Seven years of rotations later everything that held a secret is taken away, one after the other.
func TestSevenYears(t *testing.T) {
	l := born(t)
	l.after = l.succeeds
	l.live(rotations, period)
	if n := len(l.keys); n != 29 {
		t.Fatalf("%d keys", n)
	}
	requireHMAC := func(c *archive.VerifyConfig) { c.RequireHMAC = true }
	const checked, unchecked = "INTACT (full, 100 %, HMAC checked, ", "INTACT (full, 100 %, HMAC unchecked, "
	l.expect("after seven years", l.verify(requireHMAC), checked)

	l.deleteSecrets(rotatetest.Signing)
	if _, err := l.API.DescribeSecret(t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(rotatetest.Signing)}); err == nil {
		t.Error("the signing secret is still there")
	}
	l.expect("without the signing secret", l.verify(requireHMAC), checked)

	dir, err := dirstore.Open(l.sync())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	trust := l.export()
	if records, acts := trust.Count(); records != 30 || acts != rotations {
		t.Errorf("the trust file holds %d records and %d acts", records, acts)
	}
	offline := func(c *archive.VerifyConfig) { c.Store = trust.Overlay(dir) }
	l.expect("offline, with copies", l.verify(func(c *archive.VerifyConfig) { offline(c); requireHMAC(c) }), checked)

	l.deleteSecrets(rotatetest.Verification)
	l.expect("without verification copies", l.verify(nil), unchecked)
	l.expect("without the copies that are required", l.verify(requireHMAC), "NOT_CHECKED (full, 100 %, HMAC unchecked, ")

	l.deleteSecrets("")
	l.expect("without any secret", l.verify(nil), unchecked)
	allow := l.Deny("secretsmanager:GetSecretValue", "")
	l.expect("without permission", l.verify(nil), unchecked)
	allow()
	l.expect("without Secrets Manager", l.verify(func(c *archive.VerifyConfig) { c.Copies = nobody{} }), unchecked)

	r := l.verify(func(c *archive.VerifyConfig) { offline(c); c.Copies = nil })
	l.expect("offline", r, unchecked)
	if !strings.HasSuffix(r.Coverage, "trust file of "+trust.Exported.Format(time.DateOnly)+", placement: copy") {
		t.Errorf("offline: %s", r)
	}
}

// nobody answers no request.
type nobody struct{}

func (nobody) EntryKey(context.Context, keys.ID) (*keys.VerificationCopy, error) {
	return nil, errors.New("dial tcp: no route to host")
}

// Where nobody may renew the locks of key records, or nobody does, it is said a year ahead, and then as damage.
func TestNobodyRenewsAnchors(t *testing.T) {
	l := born(t)
	l.Store = unextended{l.Store}
	refused := 0
	l.after = func(err error) {
		if errors.Is(err, archive.ErrDenied) {
			refused++
		}
	}
	const rotations, period = 7, 360 * 24 * time.Hour
	l.live(rotations, period)
	if refused == 0 {
		t.Error("no rotation said that locks could not be extended")
	}
	verify := func(when, verdict string, code archive.Code) {
		r := l.verify(func(c *archive.VerifyConfig) { c.RotationDays = 0 })
		l.expect(when, r, verdict)
		key := archive.RecordKey(l.ActsKey) // it has signed for all these years
		if !slices.ContainsFunc(r.Findings, func(f archive.Finding) bool { return f.Code == code && f.Key == key }) {
			t.Errorf("%s: no %s on %s: %v", when, code, key, r.Findings)
		}
	}
	verify("after 6.9 years", "ATTENTION", archive.CodeAnchorDue)
	l.Wait(250 * 24 * time.Hour)
	verify("after 7.6 years", "UNDER_RETAINED", archive.CodeAnchorLapsed)
}

// unextended is a bucket whose locks nobody may extend.
type unextended struct{ archive.Store }

func (unextended) ExtendRetention(context.Context, string, string, time.Time) error {
	return fmt.Errorf("extend retention: %w", archive.ErrDenied)
}
