package archive_test

import (
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
)

var testHome = archive.Home{Bucket: "audit", Prefix: "logs", Region: "eu-central-1"}

func archiveNow() time.Time { return archivetest.ArchiveNow }

func standardArchive(t *testing.T) *archivetest.Archive {
	t.Helper()
	a, err := archivetest.NewArchive(testHome)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestUntouchedArchiveIsIntact(t *testing.T) {
	a := standardArchive(t)
	m := archivetest.NewMemory(t, testHome, archiveNow)
	if err := a.Put(m.Raw()); err != nil {
		t.Fatal(err)
	}
	for _, level := range []archive.Level{archive.LevelLocks, archive.LevelManifests, archive.LevelFull} {
		r, err := archive.Verify(t.Context(), a.VerifyConfig(m, level))
		if err != nil {
			t.Fatal(err)
		}
		t.Log(r)
		for _, f := range r.Findings {
			t.Errorf("%s: %s", level, f)
		}
	}
}
