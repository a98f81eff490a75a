package dirstore_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/archive/dirstore"
)

// tree makes a directory of files with their own names as content.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		write(t, filepath.Join(dir, name), []byte(name))
	}
	return dir
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *dirstore.Store {
	t.Helper()
	s, err := dirstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func keysOf(t *testing.T, s archive.Store, prefix, startAfter string) (keys []string) {
	t.Helper()
	for v, err := range s.Versions(t.Context(), prefix, startAfter) {
		if err != nil {
			t.Fatal(err)
		}
		if v.VersionID != dirstore.VersionID || v.DeleteMarker || !v.IsLatest || v.LastModified.IsZero() {
			t.Errorf("%q is listed as %+v", v.Key, v)
		}
		keys = append(keys, v.Key)
	}
	return keys
}

func TestRead(t *testing.T) {
	s := open(t, tree(t, "a", "b/c"))
	for _, versionID := range []string{"", dirstore.VersionID} {
		b, o, err := s.Get(t.Context(), "b/c", versionID, 3)
		if err != nil || string(b) != "b/c" {
			t.Fatalf("%q, %v", b, err)
		}
		head, err := s.Head(t.Context(), "b/c", versionID)
		head.Date = o.Date
		if err != nil || head != o {
			t.Errorf("Head says %+v, %v; Get %+v", head, err, o)
		}
		if o.Key != "b/c" || o.Size != 3 || !o.HasSHA256 || o.SHA256 != sha256.Sum256(b) || !o.RetentionHidden || !o.HoldHidden {
			t.Errorf("%+v", o)
		}
	}
	for _, key := range []string{"", ".", "b", "b/", "b//c", "/a", "../a", "a/c", "x", "b/../a"} {
		if _, _, err := s.Get(t.Context(), key, "", 1); !errors.Is(err, archive.ErrNotFound) {
			t.Errorf("%q: %v, want ErrNotFound", key, err)
		}
		if _, err := s.Head(t.Context(), key, ""); !errors.Is(err, archive.ErrNotFound) {
			t.Errorf("%q: %v, want ErrNotFound", key, err)
		}
	}
	if _, _, err := s.Get(t.Context(), "a", "v1", 1); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("another version: %v, want ErrNotFound", err)
	}
	if _, _, err := s.Get(t.Context(), "b/c", "", 2); !errors.Is(err, archive.ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Get(done, "a", "", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// Keys ascend by their bytes, whichever of them are directories.
func TestListing(t *testing.T) {
	s := open(t, tree(t, "a-b", "a/b", "a/b-/c", "a0", "b/c/d", "b/c-", "b/c0/x", "z", "Ü"))
	all := []string{"a-b", "a/b", "a/b-/c", "a0", "b/c-", "b/c/d", "b/c0/x", "z", "Ü"}
	if got := keysOf(t, s, "", ""); !slices.Equal(got, all) {
		t.Fatalf("%q, want %q", got, all)
	}
	prefixes := []string{"", "a", "a/", "a/b", "a/b-", "b/", "b/c", "b/c/", "b/c/d", "b/c/d/", "x/y", "//", "../", "z", "\U0010FFFF"}
	for _, prefix := range prefixes {
		for _, after := range append(prefixes, all...) {
			want := slices.DeleteFunc(slices.Clone(all), func(k string) bool { return !strings.HasPrefix(k, prefix) || k <= after })
			if got := keysOf(t, s, prefix, after); !slices.Equal(got, want) {
				t.Errorf("prefix %q, after %q: %q, want %q", prefix, after, got, want)
			}
		}
	}
	for range s.Versions(t.Context(), "", "") {
		break // a caller may stop
	}
}

func TestWhatIsNoFile(t *testing.T) {
	outside := tree(t, "secret")
	dir := tree(t, "keys/a.json", "real")
	link := func(to, from string) {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	link(filepath.Join(outside, "secret"), "out.json")
	link("real", "in.json")
	link(outside, "segments")
	link("nowhere", "dangling")
	link("loop", "loop")
	s := open(t, dir)
	want := []string{"dangling", "in.json", "keys/a.json", "loop", "out.json", "real", "segments"}
	if got := keysOf(t, s, "", ""); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// Behind a link there may be anything, so that is neither looked at nor taken for nothing.
	link("keys", "alias")
	for _, prefix := range []string{"segments/", "segments/a/b/", "alias/", "alias/x"} {
		var failed error
		for v, err := range s.Versions(t.Context(), prefix, "") {
			if failed = err; err == nil {
				t.Errorf("%s: %q was listed", prefix, v.Key)
			}
		}
		if !errors.Is(failed, archive.ErrRefused) {
			t.Errorf("%s: %v, want ErrRefused", prefix, failed)
		}
	}
	if b, _, err := s.Get(t.Context(), "alias/a.json", "", 100); !errors.Is(err, archive.ErrRefused) {
		t.Errorf("a link within the directory was followed: %q, %v", b, err)
	}
	for _, key := range []string{"dangling", "in.json", "loop", "out.json", "segments"} {
		if b, _, err := s.Get(t.Context(), key, "", 100); !errors.Is(err, archive.ErrRefused) {
			t.Errorf("%s: %q, %v, want ErrRefused", key, b, err)
		}
	}
	if b, _, err := s.Get(t.Context(), "segments/secret", "", 100); err == nil {
		t.Errorf("a link was followed out of the directory: %q", b)
	}
	// The directory itself may be named by a link.
	alias := filepath.Join(t.TempDir(), "latest")
	if err := os.Symlink(dir, alias); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(t, open(t, alias), "keys/", ""); !slices.Equal(got, []string{"keys/a.json"}) {
		t.Errorf("%q", got)
	}
}

// Names that no object of an archive has are objects all the same.
func TestStrangeNames(t *testing.T) {
	s := open(t, tree(t, "a\nb", "a\xffb", "bad\xfe/inside", "c\x01", "d e", "\u00e9", "e\u0301"))
	want := []string{"a\nb", "a�b", "bad�", "c\x01", "d e", "\u00e9", "e\u0301"}
	slices.Sort(want)
	if got := keysOf(t, s, "", ""); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A directory that cannot be read is not empty.
func TestReadErrors(t *testing.T) {
	s := open(t, tree(t, "a"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var failed error
	for _, err := range s.Versions(t.Context(), "", "") {
		failed = err
	}
	if failed == nil {
		t.Error("a listing without an error")
	}
	if _, _, err := s.Get(t.Context(), "a", "", 1); err == nil || errors.Is(err, archive.ErrNotFound) {
		t.Errorf("%v, want an error that says nothing of absence", err)
	}
	if _, err := dirstore.Open(filepath.Join(t.TempDir(), "none")); err == nil || strings.Contains(err.Error(), "openat") {
		t.Errorf("%v, want a sentence", err)
	}
	if _, err := dirstore.Open(filepath.Join(tree(t, "file"), "file")); err == nil {
		t.Error("a file was opened as a directory")
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range open(t, tree(t, "a")).Versions(done, "", "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want context.Canceled", err)
		}
	}
}

func TestNothingIsWritten(t *testing.T) {
	dir := tree(t, "a")
	s := open(t, dir)
	_, err := s.Create(t.Context(), "b", nil, archive.CreateOptions{})
	for _, err := range []error{err, s.ExtendRetention(t.Context(), "a", "null", time.Now()), s.SetLegalHold(t.Context(), "a", "null", true)} {
		if !errors.Is(err, archive.ErrRefused) || !strings.Contains(err.Error(), "only read") {
			t.Errorf("%v, want ErrRefused", err)
		}
	}
	if got := keysOf(t, s, "", ""); len(got) != 1 {
		t.Errorf("%q", got)
	}
	settings, err := s.Settings(t.Context())
	if err != nil || settings.ObjectLock.Err == nil || settings.Versioning.Err == nil || settings.LifecycleExpires.Err == nil {
		t.Errorf("%+v, %v: settings are not known", settings, err)
	}
	if h := s.Home(); h.Bucket != "file://"+filepath.ToSlash(dir) || h.Prefix != "" {
		t.Errorf("%+v", h)
	}
}

// archiveIn writes the standard archive to a directory, without what lies under the prefixes.
func archiveIn(t *testing.T, without ...string) (*archivetest.Archive, string) {
	t.Helper()
	a, err := archivetest.NewArchive(archive.Home{Bucket: "audit", Prefix: "logs", Region: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, o := range a.Objects() {
		if !slices.ContainsFunc(without, func(p string) bool { return strings.HasPrefix(o.Key, p) }) {
			write(t, filepath.Join(dir, o.Key), o.Body)
		}
	}
	return a, dir
}

func verify(t *testing.T, c archive.VerifyConfig) *archive.Report {
	t.Helper()
	r, err := archive.Verify(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		t.Log(f)
	}
	return r
}

// An archive in a directory is verified as any copy is, at both levels that mean something there.
func TestVerifyDirectory(t *testing.T) {
	a, dir := archiveIn(t)
	s := open(t, dir)
	for _, level := range []archive.Level{archive.LevelFull, archive.LevelManifests} {
		c := a.VerifyConfig(s, level)
		c.RequireHMAC = level == archive.LevelFull
		c.Heads = a.HeadFile()
		r := verify(t, c)
		if r.Verdict != archive.Intact || r.Placement != archive.PlacementCopy || r.Counts.Segments == 0 {
			t.Errorf("%s", r)
		}
	}
	if r := verify(t, a.VerifyConfig(s, archive.LevelLocks)); r.Verdict != archive.NotChecked {
		t.Errorf("locks: %s, want NOT_CHECKED", r)
	}
	stranger := filepath.Join(dir, "notes\x1b[31m.txt")
	write(t, stranger, nil)
	old := time.Now().AddDate(0, 0, -2)
	if err := os.Chtimes(stranger, old, old); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, a.VerifyConfig(s, archive.LevelFull)); r.Verdict != archive.Attention {
		t.Errorf("with a stranger: %s, want ATTENTION", r)
	}
}

func TestVerifyDamagedDirectory(t *testing.T) {
	segment := func(a *archivetest.Archive) string { return a.Segment(archivetest.PaymentsA, 0, 0).Ref.Key }
	for name, c := range map[string]struct {
		damage  func(path string) error
		verdict archive.Verdict
	}{
		"gone": {os.Remove, archive.Missing},
		"cut":  {func(p string) error { return os.Truncate(p, 10) }, archive.Tampered},
		"linked": {func(p string) error {
			if err := os.Rename(p, p+".moved"); err != nil {
				return err
			}
			return os.Symlink(filepath.Base(p)+".moved", p)
		}, archive.NotChecked},
	} {
		for _, level := range []archive.Level{archive.LevelFull, archive.LevelManifests} {
			t.Run(name+" "+string(level), func(t *testing.T) {
				a, dir := archiveIn(t)
				if err := c.damage(filepath.Join(dir, segment(a))); err != nil {
					t.Fatal(err)
				}
				v := a.VerifyConfig(open(t, dir), level)
				v.RequireHMAC = false
				if r := verify(t, v); r.Verdict != c.verdict {
					t.Errorf("%s, want %s", r, c.verdict)
				}
			})
		}
	}
}
