package archive_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
)

// ranges are ways to look at what the gateway's key signed, and not at the control streams.
func ranges(t *testing.T, s standing) map[string]func(*archive.VerifyConfig) {
	receipt := must(s.Receipt(archivetest.GatewayB, nil))(t)
	return map[string]func(*archive.VerifyConfig){
		"all":       func(*archive.VerifyConfig) {},
		"pattern":   func(c *archive.VerifyConfig) { c.Streams = []string{"gateway.*"} },
		"stream":    func(c *archive.VerifyConfig) { c.Streams = []string{s.Streams[archivetest.GatewayB].Name.String()} },
		"to":        func(c *archive.VerifyConfig) { c.To = second(t, "11-18 23:00").Time },
		"receipt":   func(c *archive.VerifyConfig) { c.Receipts = [][]byte{receipt} },
		"manifests": func(c *archive.VerifyConfig) { c.Level = archive.LevelManifests },
		"locks":     func(c *archive.VerifyConfig) { c.Level = archive.LevelLocks },
		"sample":    func(c *archive.VerifyConfig) { c.SamplePercent = 1 },
	}
}

// Whoever keeps acts from being read must not have a compromise forgotten, whatever the run is about.
func TestActsThatCannotBeRead(t *testing.T) {
	for _, prefix := range []string{"control/authority/manifests/", "control/authority/segments/"} {
		for _, action := range []archivetest.Action{archivetest.GetObject, archivetest.ListBucketVersions} {
			for name, change := range ranges(t, newStanding(t)) {
				t.Run(fmt.Sprint(prefix, action, "/", name), func(t *testing.T) {
					s := newStanding(t)
					s.tamper(t, "key-compromised")
					if r := s.verify(t, archive.LevelFull, change); r.Verdict != archive.Unverifiable {
						t.Fatalf("%s: %v", r, r.Findings)
					}
					s.raw.Deny(action, prefix)
					r := s.verify(t, archive.LevelFull, change)
					if action == archivetest.ListBucketVersions && strings.Contains(prefix, "segments") {
						if r.Verdict != archive.Unverifiable { // it was not needed for the acts
							t.Errorf("%s: %v", r, r.Findings)
						}
						return
					}
					if r.Verdict != archive.NotChecked {
						t.Errorf("%s: %v", r, r.Findings)
					}
				})
			}
		}
	}
}

// An act that was taken away is missed by every run that it bears on.
func TestActsThatAreGone(t *testing.T) {
	for name, change := range ranges(t, newStanding(t)) {
		for _, part := range []string{"control/authority/segments/", "control/authority/manifests/"} {
			t.Run(name+"/"+part, func(t *testing.T) {
				s := newStanding(t)
				s.tamper(t, "key-compromised")
				last := ""
				for o := range s.raw.All() {
					if strings.HasPrefix(o.Key, part) && !(strings.Contains(part, "manifests") && strings.HasSuffix(o.Key, "000000000001.json")) && last == "" {
						last = o.Key
					}
				}
				if err := s.raw.RemoveKey(last); err != nil {
					t.Fatal(err)
				}
				r := s.verify(t, archive.LevelFull, change)
				if r.Verdict == archive.Intact || r.Verdict == archive.Attention {
					t.Errorf("%s: %v", r, r.Findings)
				}
			})
		}
	}
}

// onceDenied is a store that refuses the first read of each segment with acts.
type onceDenied struct {
	archive.Store
	asked sync.Map
}

func (s *onceDenied) Get(ctx context.Context, key, version string, limit int64) ([]byte, archive.Object, error) {
	if _, asked := s.asked.LoadOrStore(key, true); !asked && strings.HasPrefix(key, "control/authority/segments/") {
		return nil, archive.Object{}, fmt.Errorf("get %s: %w", key, archive.ErrDenied)
	}
	return s.Store.Get(ctx, key, version, limit)
}

// An act that could be read only when it was too late is not one that is not there.
func TestActsReadTooLate(t *testing.T) {
	s := newStanding(t)
	s.tamper(t, "key-compromised")
	r := s.verify(t, archive.LevelFull, func(c *archive.VerifyConfig) { c.Store = &onceDenied{Store: s.Store} })
	if r.Verdict != archive.NotChecked {
		t.Errorf("%s: %v", r, r.Findings)
	}
	reader := must(archive.OpenReader(t.Context(), archive.ReaderConfig{Store: &onceDenied{Store: s.Store}, LogID: s.Log.ID}))(t)
	if reader.ActsUnread() == nil {
		t.Error("a reader does not say that acts were not read")
	}
	told := false
	for _, err := range reader.Entries(t.Context()) {
		told = told || err != nil && strings.Contains(err.Error(), "control/authority/")
	}
	if !told {
		t.Error("entries are read as if all acts were known")
	}
	if r := must(archive.OpenReader(t.Context(), archive.ReaderConfig{Store: s.Store, LogID: s.Log.ID}))(t); r.ActsUnread() != nil {
		t.Error(r.ActsUnread())
	}
}
