package archive_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/archive/internal/vectors"
)

var update = flag.Bool("update", false, "write the generated files of testdata/vectors anew")

const vectorsDir = "../testdata/vectors"

// folders are those whose files are all generated; example/check.sh is not.
var folders = []string{"genesis", "key", "manifest", "receipt", "act", "attestation", "heads", "trust", "segment", "checkpoint", "example/archive"}

// The files that are committed are those that the generator makes: go test ./archive -run TestVectorsAreGenerated -update.
func TestVectorsAreGenerated(t *testing.T) {
	files, err := vectors.Files()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		writeVectors(t, files)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(vectorsDir, path))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator makes (%v); run go test ./archive -run TestVectorsAreGenerated -update", path, err)
		}
	}
	for _, path := range committed(t) {
		if _, ok := files[path]; !ok {
			t.Errorf("%s is not made by the generator; delete it", path)
		}
	}
}

func writeVectors(t *testing.T, files map[string][]byte) {
	t.Helper()
	for _, folder := range folders {
		if err := os.RemoveAll(filepath.Join(vectorsDir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	for path, b := range files {
		path = filepath.Join(vectorsDir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// committed lists the files of the generated folders, by their path below testdata/vectors.
func committed(t *testing.T) (paths []string) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(vectorsDir, folder), func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				paths = append(paths, strings.TrimPrefix(filepath.ToSlash(path), vectorsDir+"/"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return paths
}
