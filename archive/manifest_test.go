package archive_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

// manyEmpty is a first manifest of n segments, one entry each.
func manyEmpty(t *testing.T, n int) *archive.Manifest {
	t.Helper()
	name, err := archive.ParseStreamName("payments.01M824P6200123456789ABCDEF")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 17, 26, 0, 0, time.UTC)
	m := &archive.Manifest{
		LogID: exampleLog(t).ID, Stream: name.String(), SealedAt: archive.Instant{Time: at}, Software: "test",
		Open: &archive.Open{Liveness: "none"},
	}
	var tree archive.Range
	for i := range uint64(n) {
		tree.Append(archive.Hash{})
		m.Segments = append(m.Segments, archive.SegmentRef{
			Key: name.SegmentKey(i, at), VersionID: strings.Repeat("v", 32), Bytes: 1, RawBytes: 300, Count: 1, FirstIndex: i,
			FirstTimestamp: archive.Instant{Time: at}, LastTimestamp: archive.Instant{Time: at},
			KeyIDs: []keys.ID{"00112233445566778899aabbccddeeff"}, Range: make([]archive.Hash, 1), RetainUntil: archive.Second{Time: at},
		})
	}
	m.Tree = archive.TreeState{Size: tree.End, Range: tree.Hashes}
	return m
}

// A thousand segments fit, with the version IDs that S3 gives; one more is refused by writer and reader alike.
func TestManifestCaps(t *testing.T) {
	signer := keys.NewSigner("00112233445566778899aabbccddeeff", ed25519.NewKeyFromSeed(make([]byte, 32)))
	full, err := archive.SignManifest(manyEmpty(t, archive.MaxManifestSegments), signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := archive.ParseManifest(full); err != nil {
		t.Error(err)
	}
	if _, err := archive.SignManifest(manyEmpty(t, archive.MaxManifestSegments+1), signer); err == nil {
		t.Error("a manifest of 1,001 segments was signed")
	}
	one, next := segmentJSON(t, full, 999), fmt.Sprintf("%020d", 1000)
	more := strings.NewReplacer(fmt.Sprintf("%020d", 999), next, `"first_index":999`, `"first_index":1000`).Replace(one)
	long := strings.Replace(string(full), one, one+","+more, 1)
	if _, _, err := archive.ParseManifest([]byte(long)); !errors.Is(err, archive.ErrMalformed) || !strings.Contains(err.Error(), "1001 segments") {
		t.Errorf("a manifest of 1,001 segments: %v", err)
	}
}

// segmentJSON cuts out one segment of a manifest.
func segmentJSON(t *testing.T, manifest []byte, index int) string {
	t.Helper()
	s := string(manifest)
	begin := strings.LastIndex(s[:strings.Index(s, fmt.Sprintf(`"first_index":%d,`, index))], `{"key"`)
	end := strings.Index(s[begin:], "}")
	return s[begin : begin+end+1]
}
