package keys

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

var (
	_ Provider           = FileProvider{}
	_ Provider           = EnvProvider{}
	_ VerificationCopies = FileCopies{}
)

func TestFileProvider(t *testing.T) {
	b := vectorBundle(t)
	p := FileProvider{Path: filepath.Join(t.TempDir(), "bundle.json")}
	if _, err := p.Current(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("no file: %v, want ErrNotFound", err)
	}
	for range 2 { // the same again is success
		if err := p.Create(b); err != nil {
			t.Fatal(err)
		}
	}
	got, err := p.Current(t.Context())
	if err != nil || got.KeyID() != b.KeyID() {
		t.Fatalf("%v, %v", got, err)
	}
	if got, err := p.Version(t.Context(), string(b.KeyID())); err != nil || got.KeyID() != b.KeyID() {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := p.Version(t.Context(), "other"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another version: %v, want ErrNotFound", err)
	}
	if i, err := os.Stat(p.Path); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", i.Mode(), err)
	}
	other, _ := newTestKey(t, RoleWriter, "payments.*", AlgorithmEd25519)
	if err := p.Create(other); !errors.Is(err, ErrExists) {
		t.Errorf("overwriting: %v, want ErrExists", err)
	}
	if got, err := p.Current(t.Context()); err != nil || got.KeyID() != b.KeyID() {
		t.Errorf("a refused write changed the file: %v, %v", got, err)
	}
	if err := os.WriteFile(p.Path, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = p.Current(t.Context())
	wantError(t, err, p.Path, "no signing bundle")
	if err := (FileProvider{Path: filepath.Join(t.TempDir(), "no", "folder")}).Create(b); err == nil {
		t.Error("a file in no folder was written")
	}
}

func TestEnvProvider(t *testing.T) {
	b := vectorBundle(t)
	secret, err := b.Secret()
	if err != nil {
		t.Fatal(err)
	}
	p := EnvProvider{Name: "WORMLOG_TEST_BUNDLE"}
	if _, err := p.Current(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("not set: %v, want ErrNotFound", err)
	}
	t.Setenv(p.Name, string(secret))
	if got, err := p.Current(t.Context()); err != nil || got.KeyID() != b.KeyID() {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := p.Version(t.Context(), string(b.KeyID())); err != nil || got.KeyID() != b.KeyID() {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := p.Version(t.Context(), ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("another version: %v, want ErrNotFound", err)
	}
	t.Setenv(p.Name, "hunter2")
	_, err = p.Current(t.Context())
	wantError(t, err, p.Name, "no signing bundle")
}

func TestFileCopies(t *testing.T) {
	b := vectorBundle(t)
	c := FileCopies{Dir: t.TempDir()}
	if _, err := c.EntryKey(t.Context(), b.KeyID()); !errors.Is(err, ErrNoVerificationCopy) {
		t.Errorf("no file: %v, want ErrNoVerificationCopy", err)
	}
	if _, err := c.EntryKey(t.Context(), "../../etc/passwd"); err == nil || errors.Is(err, ErrNoVerificationCopy) {
		t.Errorf("a path as key ID: %v", err)
	}
	for range 2 {
		if err := c.PutCopy(t.Context(), b.VerificationCopy()); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := c.EntryKey(t.Context(), b.KeyID()); err != nil || v.KeyID() != b.KeyID() {
		t.Errorf("%v, %v", v, err)
	}
	if err := os.Rename(c.path(b.KeyID()), c.path(testID)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.EntryKey(t.Context(), testID); !errors.Is(err, ErrMismatch) {
		t.Errorf("another key's copy: %v, want ErrMismatch", err)
	}
}
