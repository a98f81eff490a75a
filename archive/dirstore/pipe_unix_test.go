//go:build unix

package dirstore_test

import (
	"errors"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/wormlog/wormlog/archive"
)

// Opening a pipe would wait for a writer.
func TestPipeIsNotOpened(t *testing.T) {
	dir := tree(t, "a")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	if got := keysOf(t, s, "", ""); !slices.Equal(got, []string{"a", "pipe"}) {
		t.Errorf("%q", got)
	}
	if _, _, err := s.Get(t.Context(), "pipe", "", 1); !errors.Is(err, archive.ErrRefused) {
		t.Errorf("%v, want ErrRefused", err)
	}
}
