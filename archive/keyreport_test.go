package archive_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// standing is the standard archive in a store.
type standing struct {
	*archivetest.Archive
	store
}

func newStanding(t *testing.T) standing {
	t.Helper()
	s := standing{standardArchive(t), memoryStore(t, testHome)}
	if err := s.Put(s.raw); err != nil {
		t.Fatal(err)
	}
	return s
}

// tamper does to the archive what a class of the kit does.
func (s standing) tamper(t *testing.T, class string) {
	t.Helper()
	if _, _, err := must(archivetest.FindClass(class))(t).Tamper(s.raw, s.Archive); err != nil {
		t.Fatal(err)
	}
}

func (s standing) verify(t *testing.T, level archive.Level, change ...func(*archive.VerifyConfig)) *archive.Report {
	t.Helper()
	c := s.VerifyConfig(s.Store, level)
	for _, f := range change {
		f(&c)
	}
	r := must(archive.Verify(t.Context(), c))(t)
	checkReport(t, r)
	return r
}

func (s standing) key(t *testing.T, r *archive.Report, name string) archive.KeyReport {
	t.Helper()
	i := slices.IndexFunc(r.Keys, func(k archive.KeyReport) bool { return k.KeyID == s.Keys[name].ID })
	if i < 0 {
		t.Fatalf("nothing is told of key %s", name)
	}
	return r.Keys[i]
}

// second reads a date of the standard archive: "11-22 12:00".
func second(t *testing.T, s string) archive.Second {
	t.Helper()
	return archive.Second{Time: must(time.Parse("2006-01-02 15:04", "2026-"+s))(t)}
}

func TestKeyReports(t *testing.T) {
	s := newStanding(t)
	for _, level := range levels {
		r := s.verify(t, level)
		if len(r.Keys) != len(s.Keys) || !slices.IsSortedFunc(r.Keys, func(a, b archive.KeyReport) int { return strings.Compare(string(a.KeyID), string(b.KeyID)) }) {
			t.Errorf("%s: %d keys, want %d, ascending", level, len(r.Keys), len(s.Keys))
		}
		if len(r.Compromised) != 0 || len(r.Supposed) != 0 {
			t.Errorf("%s: compromised %v", level, r.Compromised)
		}
		for name, want := range map[string]archive.KeyReport{
			archivetest.Payments1: {
				State: archive.KeyRetired, Since: second(t, "11-20 02:00"),
				Signed: archive.KeyUse{Streams: 1, Manifests: 5, Segments: 4, Entries: 13, First: second(t, "11-19 22:05"), Last: second(t, "11-20 01:30")},
			},
			archivetest.Payments2: {
				State:  archive.KeyActive,
				Signed: archive.KeyUse{Streams: 3, Manifests: 5, Segments: 5, Entries: 14, First: second(t, "11-20 01:00"), Last: second(t, "11-22 11:30")},
			},
			archivetest.VerifierKey: {
				State:  archive.KeyActive,
				Signed: archive.KeyUse{Streams: 1, Manifests: 1, Segments: 1, Entries: 1, First: second(t, "11-22 11:45"), Last: second(t, "11-22 11:45")},
			},
		} {
			got, record := s.key(t, r, name), s.Keys[name].Record
			if got.State != want.State || got.Since != want.Since || got.Signed != want.Signed {
				t.Errorf("%s: %s: %+v, want %+v", level, name, got, want)
			}
			if got.Role != record.Role || got.Streams != record.Streams || got.EntryAlgorithm != record.EntryAlgorithm || got.Error != "" {
				t.Errorf("%s: %s: %+v is not what the record says", level, name, got)
			}
			if got.Published.Year() != 2026 || got.RetainedUntil.Before(got.Published.AddDate(1, 0, 179)) || !got.VouchesUntil.After(got.Signed.Last.AddDate(1, 0, 0)) {
				t.Errorf("%s: %s: published %s, retained until %s, vouches until %s", level, name, got.Published, got.RetainedUntil, got.VouchesUntil)
			}
		}
	}
}

// A retirement that is yet to come is told and not yet the state. A record that is not believed says why.
func TestKeyStates(t *testing.T) {
	for _, tt := range []struct {
		class string
		key   string
		state archive.KeyStatus
		since string
		says  string
	}{
		{"key-compromised", archivetest.GatewayKey, archive.KeyCompromised, "11-18 07:30", ""},
		{"retired-key-still-signing", archivetest.GatewayKey, archive.KeyRetired, "11-18 06:30", ""},
		{"key-to-be-retired", archivetest.GatewayKey, archive.KeyActive, "11-23 06:00", ""},
		{"key-record-changed", archivetest.GatewayKey, archive.KeyNotBelieved, "", "counts as absent"},
		{"key-record-signature-replaced", archivetest.GatewayKey, archive.KeyNotBelieved, "", "signed"},
		{"key-record-gone-but-for-a-delete-marker", archivetest.GatewayKey, archive.KeyNotBelieved, "", "delete markers"},
		{"key-records-unreadable", archivetest.GatewayKey, archive.KeyNotBelieved, "", "could not be read"},
	} {
		t.Run(tt.class, func(t *testing.T) {
			s := newStanding(t)
			s.tamper(t, tt.class)
			got := s.key(t, s.verify(t, archive.LevelManifests), tt.key)
			if got.State != tt.state || tt.since != "" && got.Since != second(t, tt.since) || !strings.Contains(got.Error, tt.says) || (got.Error == "") != (tt.says == "") {
				t.Errorf("%+v, want %+v", got, tt)
			}
			if got.State == archive.KeyNotBelieved && (got.Role != keys.Role("") || got.Signed != archive.KeyUse{}) {
				t.Errorf("told of a record that is not believed: %+v", got)
			}
		})
	}
}

// In a copy the store's dates and locks say nothing, so none are told.
func TestKeyReportsOfACopy(t *testing.T) {
	home := testHome
	home.Bucket = "audit-copy"
	s := standing{standardArchive(t), memoryStore(t, home)}
	if err := s.Put(s.raw); err != nil {
		t.Fatal(err)
	}
	r := s.verify(t, archive.LevelFull, func(c *archive.VerifyConfig) { c.RotationDays = 1 })
	if r.Verdict != archive.Intact {
		t.Errorf("%s: %v", r, r.Findings)
	}
	k := s.key(t, r, archivetest.Payments2)
	if !k.Published.IsZero() || !k.RetainedUntil.IsZero() || !k.VouchesUntil.IsZero() || !k.Signed.First.IsZero() || k.Signed.Entries != 14 {
		t.Errorf("%+v", k)
	}
}

// chained makes and publishes a writer's key that names the one before.
func (s *site) chained(streams string, previous keys.ID) *keys.SigningKey {
	s.t.Helper()
	bundle, record, err := keys.NewKey(s.log.ID, keys.RoleWriter, streams, keys.AlgorithmEd25519, map[string]string{"kind": "test"}, previous)
	if err != nil {
		s.t.Fatal(err)
	}
	b, id, err := keys.SignRecord(record, s.online.Signer())
	if err != nil {
		s.t.Fatal(err)
	}
	must(s.log.CreateRecord(s.t.Context(), s.mem, id, b))(s.t)
	s.ids[id] = record
	return must(bundle.SigningKey(record))(s.t)
}

// The newest key of a writer is the one that counts, whatever its chain looks like.
func TestRotationOverdue(t *testing.T) {
	const dayLong = 24 * time.Hour
	for _, tt := range []struct {
		name string
		make func(s *site) (overdue *keys.SigningKey) // nil: none
	}{
		{"old", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			time.Sleep(92 * dayLong)
			return k
		}},
		{"rotated", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			time.Sleep(60 * dayLong)
			s.chained("b.*", k.ID())
			time.Sleep(60 * dayLong)
			return nil
		}},
		{"rotated once and then no more", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			time.Sleep(60 * dayLong)
			k = s.chained("b.*", k.ID())
			time.Sleep(92 * dayLong)
			return k
		}},
		{"a fork", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			s.chained("b.*", k.ID())
			time.Sleep(60 * dayLong)
			s.chained("b.*", k.ID())
			time.Sleep(60 * dayLong)
			return nil
		}},
		{"a key that names no other", func(s *site) *keys.SigningKey {
			s.chained("b.*", "")
			time.Sleep(60 * dayLong)
			s.chained("b.*", "")
			time.Sleep(60 * dayLong)
			return nil
		}},
		{"another writer's key names it", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			time.Sleep(60 * dayLong)
			s.chained("c.*", k.ID())
			time.Sleep(60 * dayLong)
			return k
		}},
		{"retired", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			s.act(keyAct(archive.ActKeyRetired, k.ID(), time.Now()))
			time.Sleep(92 * dayLong)
			return nil
		}},
		{"the newest retired", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			time.Sleep(dayLong)
			s.act(keyAct(archive.ActKeyRetired, s.chained("b.*", "").ID(), time.Now()))
			time.Sleep(92 * dayLong)
			return k
		}},
		{"to be retired", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			time.Sleep(92 * dayLong)
			s.act(keyAct(archive.ActKeyRetired, k.ID(), time.Now().Add(time.Hour)))
			return k
		}},
		{"compromised", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			s.act(keyAct(archive.ActKeyCompromised, k.ID(), time.Now()))
			time.Sleep(92 * dayLong)
			return nil
		}},
		{"superseded by a thief's key", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			time.Sleep(60 * dayLong)
			since := time.Now()
			s.chained("b.*", k.ID())
			s.act(keyAct(archive.ActKeyCompromised, s.online.Authority().ID(), since))
			time.Sleep(40 * dayLong)
			return k
		}},
		{"superseded by a key that was stolen later", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			time.Sleep(60 * dayLong)
			stolen := s.chained("b.*", k.ID())
			time.Sleep(dayLong)
			s.act(keyAct(archive.ActKeyCompromised, stolen.ID(), time.Now()))
			time.Sleep(40 * dayLong)
			return nil
		}},
		{"records that may not be listed", func(s *site) *keys.SigningKey {
			s.chained("b.*", "")
			time.Sleep(92 * dayLong)
			s.mem.Raw().Deny(archivetest.ListBucketVersions, "keys/")
			return nil
		}},
		{"a record that may not be read", func(s *site) *keys.SigningKey {
			k := s.chained("b.*", "")
			time.Sleep(92 * dayLong)
			s.mem.Raw().Deny(archivetest.GetObject, archive.RecordKey(s.chained("b.*", k.ID()).ID()))
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.act(keyAct(archive.ActKeyRetired, s.key.ID(), time.Now()))
				overdue := tt.make(s)
				r := s.verify(func(c *archive.VerifyConfig) { c.RotationDays, c.RequireHMAC = 90, false })
				var found []string
				for _, f := range r.Findings {
					if f.Code == archive.CodeRotationOverdue {
						found = append(found, f.Key)
						if f.Verdict != archive.Attention || !strings.Contains(f.Detail, "b.*") {
							t.Errorf("%s", f)
						}
					}
				}
				var want []string
				if overdue != nil {
					want = []string{archive.RecordKey(overdue.ID())}
				}
				if !slices.Equal(found, want) {
					t.Errorf("overdue %v, want %v", found, want)
				}
			})
		})
	}
}

// act records acts with a key of role authority that is made when first needed.
func (s *site) act(acts ...archive.TypedAct) {
	s.t.Helper()
	if s.admin == nil {
		s.admin = s.authority()
	}
	if err := archive.RecordActs(s.t.Context(), s.acts(s.admin), acts...); err != nil {
		s.t.Fatal(err)
	}
}
