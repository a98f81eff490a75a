package archive_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// Line 2 of a key record is not covered by its name, so an authority's thief can add a version that he signed. Who vouched
// first is what counts, whoever is found out later.
func TestASecondSignatureOfARecord(t *testing.T) {
	for _, tt := range []struct {
		name           string
		firstByGenesis bool
		declare        string // who is found out: genesis, or the key of role online
		doubted        bool
	}{
		{"a thief of genesis's key signs what the other vouched for", false, "genesis", false},
		{"a thief of the other signs what genesis vouched for", true, "online", false},
		{"a thief's own key, which nobody else can save", true, "genesis", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				time.Sleep(time.Hour)
				online := s.succeed()
				time.Sleep(time.Hour)
				since := time.Now()
				first, other := online.Signer(), s.online.Signer()
				if tt.firstByGenesis {
					first, other = other, first
				}
				if !tt.doubted {
					since = since.Add(time.Hour)
				}
				k := s.signedBy(first, keys.RoleWriter, "b.*")
				s.write("b", k)
				time.Sleep(2 * time.Hour)
				record := s.ids[k.ID()]
				b, id, err := keys.SignRecord(record, other)
				if err != nil {
					t.Fatal(err)
				}
				must(s.mem.Raw().InsertVersion(archivetest.RawVersion{Key: archive.RecordKey(id), Body: b, LastModified: time.Now(),
					Lock: archive.Lock{Mode: archive.Compliance, RetainUntil: time.Now().AddDate(2, 0, 0).Truncate(24 * time.Hour)}}, archivetest.Newest))(t)
				named := s.online.Authority().ID()
				if tt.declare == "online" {
					named = online.ID()
				}
				s.act(keyAct(archive.ActKeyCompromised, named, since))
				if r := s.verify(); r.Verdict != archive.Shadowed || len(doubted(r)) > 0 != tt.doubted {
					t.Errorf("%s: %v", r, r.Findings)
				}
			})
		})
	}
}

// An acts key that was stolen can name any key in a declaration. That proves nothing of records that never were.
func TestADeclarationAboutNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		stolen := s.authority()
		time.Sleep(time.Hour)
		since := time.Now()
		nobody := keys.ID("ffffffffffffffffffffffffffffffff")
		if err := archive.RecordActs(t.Context(), s.acts(stolen), keyAct(archive.ActKeyCompromised, nobody, since)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		s.act(keyAct(archive.ActKeyCompromised, stolen.ID(), since))
		r := s.verify()
		for _, f := range r.Findings {
			if f.Code == archive.CodeRecordMissing {
				t.Errorf("%s", f)
			}
		}
		if r.Verdict != archive.Unverifiable {
			t.Errorf("%s: %v", r, r.Findings)
		}
	})
}
