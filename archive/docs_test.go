package archive_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// docs/format.md shows every line of the example's files as it is, so that neither can change without the other.
func TestFormatPageShowsTheExample(t *testing.T) {
	page := readText(t, "../docs/format.md")
	example := filepath.Join(vectorsDir, "example")
	err := filepath.WalkDir(example, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		for line := range strings.Lines(readText(t, path)) {
			if !strings.Contains(page, "\n"+line) {
				t.Errorf("%s: not in docs/format.md: %.80s…", path, line)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	e := openExample(t)
	for line := range strings.Lines(string(e.raw)) {
		if !strings.Contains(page, "\n"+line) {
			t.Errorf("the segment's line is not in docs/format.md: %.80s…", line)
		}
	}
	for _, value := range []string{string(e.log.ID), e.manifests[1].Range().Root().String(), e.manifests[0].Segments[0].SHA256.String()} {
		if !strings.Contains(page, value) {
			t.Errorf("%s is not in docs/format.md", value)
		}
	}
}

// The shell commands of docs/format.md are those of the example's check.sh, which CI runs where openssl and zstd are.
func TestFormatPageCommandsAreChecked(t *testing.T) {
	script := readText(t, filepath.Join(vectorsDir, "example", "check.sh"))
	commands, inside := 0, false
	for line := range strings.Lines(readText(t, "../docs/format.md")) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh\n"
		case inside && strings.TrimSpace(line) != "":
			commands++
			if !strings.Contains(script, "\n"+line) {
				t.Errorf("docs/format.md shows a command that check.sh does not run: %s", line)
			}
		}
	}
	if commands < 30 {
		t.Errorf("only %d commands were found in docs/format.md", commands)
	}
}

// example is the example archive as this package reads it.
type example struct {
	log       *archive.Log
	record    keys.Record
	keyID     keys.ID
	manifests []*archive.Manifest
	raw       []byte
}

// openExample does in Go what check.sh does with openssl and zstd. The test suite needs neither.
func openExample(t *testing.T) *example {
	t.Helper()
	e := &example{log: exampleLog(t)}
	e.openManifests(t)
	e.openRecord(t)
	b := readExample(t, "archive/"+e.manifests[0].Segments[0].Key)
	if archive.ManifestDigest(b) != e.manifests[0].Segments[0].SHA256 {
		t.Error("the segment is not the one that the manifest pins")
	}
	var err error
	if e.raw, err = archive.DecodeSegment(b, e.manifests[0].Segments[0].RawBytes); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *example) openManifests(t *testing.T) {
	t.Helper()
	for sequence := range uint64(2) {
		m, o, err := archive.ParseManifest(readExample(t, "archive/"+exampleManifest(t, sequence)))
		if err != nil {
			t.Fatal(err)
		}
		e.manifests = append(e.manifests, m)
		if sequence == 0 {
			e.keyID = keys.ID(o.KeyID)
		}
	}
}

func (e *example) openRecord(t *testing.T) {
	t.Helper()
	var err error
	if e.record, err = e.log.ParseRecord(t.Context(), nil, e.keyID, readExample(t, "archive/"+archive.RecordKey(e.keyID))); err != nil {
		t.Fatal(err)
	}
}

// What check.sh shows with openssl and zstd, in Go.
func TestExample(t *testing.T) {
	e := openExample(t)
	first := readExample(t, "archive/"+exampleManifest(t, 0))
	e.signed(t, first, e.keyID, e.record.PublicKey, keys.KindManifest)
	streamKey := e.manifests[0].Open.StreamKey
	e.signed(t, readExample(t, "archive/"+exampleManifest(t, 1)), streamKey.ID(), streamKey.PublicKey, keys.KindManifest)
	if err := follows(first, e.manifests[1]); err != nil {
		t.Error(err)
	}
	e.signed(t, readExample(t, "receipt.json"), e.keyID, e.record.PublicKey, keys.KindReceipt)
	e.entries(t)
	e.head(t)
}

func exampleManifest(t *testing.T, sequence uint64) string {
	t.Helper()
	name, err := archive.ParseStreamName("payments.01M824P6200123456789ABCDEF")
	if err != nil {
		t.Fatal(err)
	}
	return name.ManifestKey(sequence)
}

func (e *example) signed(t *testing.T, b []byte, id keys.ID, public keys.PublicKey, kind keys.Kind) {
	t.Helper()
	o, err := lineobject.Split(b)
	if err == nil {
		err = keys.VerifyLine(kind, e.log.ID, id, public, o)
	}
	if err != nil {
		t.Error(err)
	}
}

// entries checks the HMACs with the verification copy, the tree, and the receipt's leaves.
func (e *example) entries(t *testing.T) {
	t.Helper()
	secret, err := keys.ParseVerificationCopy(readExample(t, "verification-copy.json"))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := e.record.EntryVerifier(e.manifests[0].Stream, secret)
	if err != nil {
		t.Fatal(err)
	}
	receipt, _, err := archive.ParseReceipt(readExample(t, "receipt.json"))
	if err != nil {
		t.Fatal(err)
	}
	var tree archive.Range
	err = archive.EachLine(e.raw, func(line []byte) error {
		l, err := archive.ParseLine(line)
		if err != nil {
			return err
		}
		if !verifier.VerifyEntry(l.Signed, l.Signature()) {
			t.Errorf("entry %d: its HMAC does not hold", l.Index)
		}
		item := receipt.Receipts[l.Index]
		if leaf := archive.LeafHash(line); item.Leaf != leaf || item.ID != string(l.ID) {
			t.Errorf("entry %d: leaf %s, ID %s; the receipt says %s, %s", l.Index, leaf, l.ID, item.Leaf, item.ID)
		}
		tree.Append(item.Leaf)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if !tree.Equal(e.manifests[0].Range()) {
		t.Errorf("the lines give the range %v, not that of the manifest", tree)
	}
}

func (e *example) head(t *testing.T) {
	t.Helper()
	h, err := archive.ParseHeadFile(readExample(t, "heads.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := archive.Head{
		Stream: e.manifests[1].Stream, Size: 3, Root: e.manifests[1].Range().Root(), State: archive.StateFinal,
		Manifest: archive.ManifestDigest(readExample(t, "archive/"+exampleManifest(t, 1))),
	}
	if h.LogID != string(e.log.ID) || len(h.Heads) != 1 || h.Heads[0] != want {
		t.Errorf("head file %+v, want the head %+v", h, want)
	}
}
