package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestZip(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "anything")
	want := bytes.Repeat([]byte("\x7fELF, or so"), 1000)
	var made [2][]byte
	for i := range made {
		if err := os.WriteFile(from, want, 0o600); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, "out.zip")
		if err := run([]string{out, from}); err != nil {
			t.Fatal(err)
		}
		var err error
		if made[i], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Error("two runs make different files")
	}
	z, err := zip.NewReader(bytes.NewReader(made[0]), int64(len(made[0])))
	if err != nil || len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode() != 0o755 {
		t.Fatalf("%+v, %v", z, err)
	}
	r, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("it holds %d bytes, %v", len(got), err)
	}
	if err := run([]string{filepath.Join(dir, "x.zip"), filepath.Join(dir, "nothing")}); err == nil {
		t.Error("nothing can be packed")
	}
}
