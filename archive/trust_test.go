package archive_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

var copyHome = archive.Home{Bucket: "copies", Prefix: "2026", Region: "eu-west-1"}

// export is the trust file of the archive as it stands.
func (a *attacked) export() archive.TrustFile {
	a.Helper()
	f, left, err := archive.ExportTrust(a.Context(), a.store, a.Archive.Log)
	if err != nil || len(left) > 0 {
		a.Fatalf("%v, left out %v", err, left)
	}
	return f
}

// copied is a copy of the archive, in another bucket, without what lies under the prefixes.
func (a *attacked) copied(without ...string) store {
	a.Helper()
	s := memoryStore(a.T, copyHome)
	for v := range a.store.raw.All() {
		if slices.ContainsFunc(without, func(p string) bool { return strings.HasPrefix(v.Key, p) }) {
			continue
		}
		must(s.raw.InsertVersion(v, archivetest.Oldest))(a.T)
	}
	return s
}

// over verifies a copy with the trust file over it.
func (a *attacked) over(f archive.TrustFile, s archive.Store) *archive.Report {
	a.Helper()
	return a.verify(func(c *archive.VerifyConfig) { c.Store, c.LogID = f.Overlay(s), "" })
}

func (a *attacked) compromise(key string, since time.Time) {
	a.Helper()
	a.record("authority", archivetest.AuthorityKey, archive.ActKeyCompromised,
		&archive.KeyAct{KeyID: a.Keys[key].ID, Since: archive.Second{Time: since}, Reason: "stolen"})
}

func TestTrustFileHoldsWhatDecides(t *testing.T) {
	a := attack(t)
	a.compromise(archivetest.GatewayKey, archiveNow().AddDate(1, 0, 0))
	must(a.store.raw.PutVersion("keys/readme.txt", []byte("a stranger"), archive.Lock{}, archiveNow()))(t)
	f := a.export()
	records, acts := f.Count()
	if records != len(a.Keys) || acts != 2 {
		t.Errorf("it holds %d records and %d segments of acts, want %d and 2", records, acts, len(a.Keys))
	}
	if f.LogID != a.Archive.Log.ID || !f.Exported.Equal(archiveNow()) || f.Body("keys/readme.txt") != nil {
		t.Errorf("it is of %s, %s", f.LogID, f.Exported)
	}
	for _, o := range f.Objects {
		_, object, err := a.store.Get(t.Context(), o.Key, o.VersionID, 1<<20)
		if err != nil || !o.Date.Equal(object.LastModified) {
			t.Errorf("%s: dated %s, S3 says %s, %v", o.Key, o.Date, object.LastModified, err)
		}
	}
	b := must(archive.FormatTrustFile(f))(t)
	again := must(archive.ParseTrustFile(b))(t)
	if !bytes.Equal(must(archive.FormatTrustFile(again))(t), b) {
		t.Error("it is written in another way after it was read")
	}
}

// What cannot be read, or is not in order where acts are, may hide a compromise.
func TestExportFailsOnWhatItDoesNotSee(t *testing.T) {
	act := func(a *attacked) *archivetest.Segment { return a.Segment(archivetest.AuthorityA, 0, 0) }
	for name, c := range map[string]struct {
		damage func(a *attacked)
		code   archive.Code
	}{
		"record denied": {func(a *attacked) {
			a.store.raw.Deny(archivetest.GetObject, archive.RecordKey(a.Keys[archivetest.GatewayKey].ID))
		}, archive.CodeReadFailed},
		"acts not listed": {func(a *attacked) { a.store.raw.Deny(archivetest.ListBucketVersions, "control/authority/") }, archive.CodeListFailed},
		"acts denied":     {func(a *attacked) { a.store.raw.Deny(archivetest.GetObject, "control/authority/segments/") }, archive.CodeReadFailed},
		"act gone": {func(a *attacked) {
			if err := a.store.raw.RemoveKey(act(a).Ref.Key); err != nil {
				a.Fatal(err)
			}
		}, archive.CodeSegmentMissing},
		"manifest altered": {func(a *attacked) {
			key := a.Manifest(archivetest.AuthorityA, 0).Key
			if err := a.store.raw.ReplaceBody(key, "", []byte("{}\n{}\n"), true); err != nil {
				a.Fatal(err)
			}
		}, archive.CodeManifestMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			a := attack(t)
			c.damage(a)
			_, _, err := archive.ExportTrust(t.Context(), a.store, a.Archive.Log)
			if err == nil || !strings.Contains(err.Error(), string(c.code)) {
				t.Errorf("exported with %v, want %s", err, c.code)
			}
		})
	}
}

// A record that nobody signed counts as absent, and stops no export.
func TestExportLeavesOutForgedRecords(t *testing.T) {
	a := attack(t)
	other := must(archivetest.NewOtherArchive(testHome))(t)
	id := other.Keys[archivetest.GatewayKey].ID
	o, _ := other.Object(archive.RecordKey(id))
	must(a.store.raw.InsertVersion(o, archivetest.Newest))(t)
	f, left, err := archive.ExportTrust(t.Context(), a.store, a.Archive.Log)
	if err != nil || len(left) != 1 || left[0].Key != o.Key || f.Body(o.Key) != nil {
		t.Errorf("%v, left out %v", err, left)
	}
}

func TestTrustFileOverCopies(t *testing.T) {
	all := []string{"log.json", "keys/", "control/authority/"}
	for name, c := range map[string]struct {
		without []string
		alone   archive.Verdict
	}{
		"whole":                 {nil, archive.Intact},
		"without log.json":      {all[:1], archive.Missing},
		"without key records":   {all[1:2], archive.Unverifiable},
		"without acts":          {all[2:], archive.Intact},
		"without all that":      {all, archive.Missing},
		"with one record alone": {append(all[:1:1], "keys/0", "keys/1", "keys/2", "keys/3", "keys/4", "keys/5", "keys/6", "keys/7"), archive.Missing},
	} {
		t.Run(name, func(t *testing.T) {
			a := attack(t)
			f, s := a.export(), a.copied(c.without...)
			if r := a.verify(func(v *archive.VerifyConfig) { v.Store = s }); r.Verdict != c.alone {
				t.Errorf("without the trust file: %s, want %s: %v", r, c.alone, r.Findings)
			}
			r := a.over(f, s)
			a.expect(r, archive.Intact)
			if r.Placement != archive.PlacementCopy || r.Genesis != "pinned" || r.HMAC != archive.HMACChecked ||
				!strings.Contains(r.Coverage, "trust file of 2026-11-22, placement: copy") || !r.TrustFile.Equal(archiveNow()) {
				t.Errorf("the report says %s", r)
			}
		})
	}
}

// The file is as good at every level, and for what reads entries.
func TestTrustFileForOtherUses(t *testing.T) {
	a := attack(t)
	f, s := a.export(), a.copied("log.json", "keys/", "control/authority/")
	r := a.verify(func(c *archive.VerifyConfig) {
		c.Store, c.Level, c.RequireHMAC, c.Heads = f.Overlay(s), archive.LevelManifests, false, a.HeadFile()
	})
	a.expect(r, archive.Intact)
	reader := must(archive.OpenReader(t.Context(), archive.ReaderConfig{Store: f.Overlay(s), LogID: f.LogID}))(t)
	if reader.Log().ID != f.LogID {
		t.Errorf("the reader reads %s", reader.Log().ID)
	}
}

// The keeper of a copy can leave out what was declared.
func TestTrustFileKnowsWhatACopyLeavesOut(t *testing.T) {
	a := attack(t)
	a.compromise(archivetest.GatewayKey, archiveNow().AddDate(0, -2, 0))
	f := a.export()
	withoutActs := a.copied("control/authority/")
	a.expect(a.verify(func(c *archive.VerifyConfig) { c.Store = withoutActs }), archive.Intact)
	a.expect(a.over(f, withoutActs), archive.Unverifiable, archive.CodeKeyCompromised)
}

// A file that is older than the copy hides nothing of it.
func TestTrustFileOlderThanTheCopy(t *testing.T) {
	a := attack(t)
	f := a.export()
	a.compromise(archivetest.GatewayKey, archiveNow().AddDate(0, -2, 0))
	a.expect(a.over(f, a.copied()), archive.Unverifiable, archive.CodeKeyCompromised)
	// The acts of before are the file's alone now, those of after the copy's.
	first := a.Streams[archivetest.AuthorityA].Name
	a.expect(a.over(f, a.copied(first.ManifestPrefix())), archive.Unverifiable, archive.CodeKeyCompromised)
}

func TestTrustFileKnowsNoNewerKey(t *testing.T) {
	a := attack(t)
	id := a.Keys[archivetest.Payments2].ID
	record, _ := a.Object(archive.RecordKey(id))
	if err := a.store.raw.RemoveKey(record.Key); err != nil {
		t.Fatal(err)
	}
	f := a.export()
	must(a.store.raw.InsertVersion(record, archivetest.Newest))(t)
	a.expect(a.over(f, a.copied()), archive.Intact)
	a.expect(a.over(f, a.copied(record.Key)), archive.Unverifiable, archive.CodeKeyUnknown, archive.CodeStreamUnverified)
}

// What lies in the place of the file's objects is told, and they are believed.
func TestTrustFileAgainstOtherBytes(t *testing.T) {
	act := func(a *attacked) string { return a.Segment(archivetest.AuthorityA, 0, 0).Ref.Key }
	for name, c := range map[string]struct {
		key  func(a *attacked) string
		code archive.Code
	}{
		"genesis":  {func(*attacked) string { return archive.GenesisKey }, archive.CodeGenesisAltered},
		"record":   {func(a *attacked) string { return archive.RecordKey(a.Keys[archivetest.GatewayKey].ID) }, archive.CodeRecordAltered},
		"manifest": {func(a *attacked) string { return a.Manifest(archivetest.AuthorityA, 0).Key }, archive.CodeManifestAltered},
		"segment":  {act, archive.CodeSegmentAltered},
	} {
		t.Run(name, func(t *testing.T) {
			a := attack(t)
			f, s := a.export(), a.copied()
			b := bytes.Replace(f.Body(c.key(a)), []byte("e"), []byte("f"), 1)
			if err := s.raw.ReplaceBody(c.key(a), "", b, true); err != nil {
				t.Fatal(err)
			}
			if err := s.raw.SetLastModified(c.key(a), "", archiveNow().AddDate(-1, 0, 0)); err != nil {
				t.Fatal(err)
			}
			a.expect(a.over(f, s), archive.Tampered, c.code)
			// The right one beside it is enough: nobody is told by a copy which came first.
			must(s.raw.PutVersion(c.key(a), f.Body(c.key(a)), archive.Lock{}, archiveNow()))(t)
			a.expect(a.over(f, s), archive.Intact)
		})
	}
}

func TestTrustFileCannotBeReadOver(t *testing.T) {
	a := attack(t)
	f, s := a.export(), a.copied()
	s.raw.Deny(archivetest.GetObject, "keys/")
	a.expect(a.over(f, s), archive.NotChecked, archive.CodeReadFailed)
	s.raw.AllowAll()
	s.raw.Deny(archivetest.ListBucketVersions, "keys/")
	a.expect(a.over(f, s), archive.NotChecked, archive.CodeStreamUnverified, archive.CodeListFailed)
}

// Nothing of the copy was looked at if all that there is comes from the file.
func TestTrustFileOverNothing(t *testing.T) {
	a := attack(t)
	f := a.export()
	a.expect(a.over(f, memoryStore(t, copyHome)), archive.NotChecked, archive.CodeEmpty)
	a.expect(a.over(f, a.copied("manifests/", "segments/", "control/custodian/", "control/verifier/")), archive.NotChecked, archive.CodeEmpty)
	a.expect(a.verify(func(c *archive.VerifyConfig) {
		c.Store, c.Streams = f.Overlay(memoryStore(t, copyHome)), []string{"payments.*"}
	}), archive.NotChecked, archive.CodeOutOfScope)
}

func TestTrustFileIsRefused(t *testing.T) {
	a := attack(t)
	f, s := a.export(), a.copied()
	other := f
	other.LogID = keys.LogID(strings.Repeat("0", 64))
	segment := a.Segment(archivetest.AuthorityA, 0, 0).Ref.Key
	without := f
	without.Objects = slices.DeleteFunc(slices.Clone(f.Objects), func(o archive.TrustObject) bool { return o.Key == segment })
	for name, c := range map[string]struct {
		store archive.Store
		pin   keys.LogID
		says  string
	}{
		"at home":          {f.Overlay(a.store), "", "it without the trust file"},
		"other pin":        {f.Overlay(s), other.LogID, "pinned is " + string(other.LogID)},
		"an act taken out": {without.Overlay(s), "", "is not whole"},
	} {
		_, err := archive.Verify(t.Context(), archive.VerifyConfig{Store: c.store, LogID: c.pin})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func TestOverlayWritesNothing(t *testing.T) {
	a := attack(t)
	o := a.export().Overlay(a.copied())
	_, err := o.Create(t.Context(), "x", nil, archive.CreateOptions{})
	for _, err := range []error{err, o.ExtendRetention(t.Context(), "log.json", "1", archiveNow()), o.SetLegalHold(t.Context(), "log.json", "1", true)} {
		if !errors.Is(err, archive.ErrRefused) {
			t.Errorf("%v, want ErrRefused", err)
		}
	}
}

// A thief of the key for acts, who keeps the copy, dates files as he likes: what he signed has no force there. What the
// trust file dates before the theft has.
func TestActsOfACompromisedKeyInACopy(t *testing.T) {
	stolen := archiveNow().AddDate(0, 0, 1)
	a := attack(t)
	key := a.Manifest(archivetest.PaymentsA, 1).Key
	acknowledge := &archive.Acknowledged{Code: string(archive.CodeManifestMissing), Key: key, Reason: "a slip"}
	a.record("authority", archivetest.AuthorityKey, archive.ActAcknowledged, acknowledge)
	a.compromise(archivetest.AuthorityKey, stolen)
	f := a.export()
	s := a.copied(key)
	r := a.verify(func(c *archive.VerifyConfig) { c.Store = s })
	if r.Verdict != archive.Missing {
		t.Errorf("without the trust file: %s, want MISSING: whether the acknowledgement is older than the theft is not known", r)
	}
	r = a.over(f, s)
	if r.Verdict == archive.Missing {
		t.Errorf("with the trust file: %s, although it dates the acknowledgement before the theft", r)
	}
}

// Listings of both come as one, in order, from any key on.
func TestOverlayLists(t *testing.T) {
	a := attack(t)
	f := a.export()
	o := f.Overlay(a.copied("keys/8", "control/authority/segments/"))
	var all []archive.Version
	for v, err := range o.Versions(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if n := len(all); n > 0 && v.Key < all[n-1].Key {
			t.Errorf("%s comes after %s", v.Key, all[n-1].Key)
		}
		all = append(all, v)
	}
	for _, want := range f.Objects {
		n := slices.IndexFunc(all, func(v archive.Version) bool {
			return v.Key == want.Key && strings.HasSuffix(v.VersionID, want.VersionID) && v.VersionID != want.VersionID
		})
		if n < 0 {
			t.Errorf("%s is not listed", want.Key)
			continue
		}
		b, object, err := o.Get(t.Context(), want.Key, all[n].VersionID, 1<<20)
		if err != nil || !bytes.Equal(b, want.Body) || object.VersionID != all[n].VersionID {
			t.Errorf("%s: %v", want.Key, err)
		}
	}
	for i, from := range all {
		var rest []archive.Version
		for v, err := range o.Versions(t.Context(), "keys/", from.Key) {
			if err != nil {
				t.Fatal(err)
			}
			rest = append(rest, v)
		}
		want := slices.DeleteFunc(slices.Clone(all[i:]), func(v archive.Version) bool { return v.Key == from.Key || !strings.HasPrefix(v.Key, "keys/") })
		if !slices.Equal(rest, want) {
			t.Errorf("from %s: %v, want %v", from.Key, rest, want)
		}
	}
}

// A file may take the place of an older one of the same log that holds no more than it does.
func TestTrustFileExtends(t *testing.T) {
	a := attack(t)
	older := a.export()
	a.compromise(archivetest.GatewayKey, archiveNow())
	newer := a.export()
	if err := newer.Extends(&older); err != nil {
		t.Error(err)
	}
	if older.Extends(&newer) == nil {
		t.Error("the older one extends the newer one")
	}
	other := older
	other.LogID = keys.LogID(strings.Repeat("0", 64))
	if err := newer.Extends(&other); !errors.Is(err, archive.ErrWrongLog) {
		t.Errorf("%v, want ErrWrongLog", err)
	}
}

func TestTrustFileIsCapped(t *testing.T) {
	_, err := archive.ParseTrustFile(bytes.Repeat([]byte{'\n'}, archive.MaxTrustBytes+1))
	if !errors.Is(err, archive.ErrMalformed) || !strings.Contains(err.Error(), "over 67108864") {
		t.Errorf("%v, want ErrMalformed and the cap", err)
	}
	a := attack(t)
	f := a.export()
	for i := range 3 {
		key := a.Streams[archivetest.AuthorityA].Name.SegmentKey(uint64(i+100), archiveNow())
		f.Objects = append(f.Objects, archive.TrustObject{Key: key, VersionID: "v", Body: make([]byte, 20<<20)})
	}
	slices.SortFunc(f.Objects, func(a, b archive.TrustObject) int { return strings.Compare(a.Key, b.Key) })
	if _, err := archive.FormatTrustFile(f); err == nil || !strings.Contains(err.Error(), "over 67108864") {
		t.Errorf("%v, want the cap", err)
	}
}

// After the authority's key was stolen, the keys that it had vouched for before are as good as ever, where S3 or the trust
// file says that it was before.
func TestKeysOfAStolenAuthorityInACopy(t *testing.T) {
	a := attack(t)
	online, _ := a.Archive.Log.Authority(archive.OnlineAuthority)
	a.record("authority", archivetest.AuthorityKey, archive.ActKeyCompromised,
		&archive.KeyAct{KeyID: online.ID(), Since: archive.Second{Time: archiveNow()}, Reason: "stolen"})
	a.expect(a.verify(nil), archive.Intact)
	f, s := a.export(), a.copied()
	a.expect(a.verify(func(c *archive.VerifyConfig) { c.Store = s }), archive.Unverifiable, archive.CodeKeyCompromised)
	a.expect(a.over(f, s), archive.Intact)
	// What is not dated is no better than the copy.
	for i := range f.Objects {
		f.Objects[i].Date = archive.Second{}
	}
	a.expect(a.over(f, s), archive.Unverifiable, archive.CodeKeyCompromised)
}

// Keys that a replacement of the online key vouched for are in the file with it; in an older file neither is.
func TestTrustFileWithAReplacedAuthority(t *testing.T) {
	a := attack(t)
	older := a.export()
	for _, o := range must(a.Succeed())(t) {
		must(a.store.raw.InsertVersion(o, archivetest.Newest))(t)
	}
	f := a.export()
	if records, _ := f.Count(); records != len(a.Keys) {
		t.Errorf("it holds %d records, want %d", records, len(a.Keys))
	}
	a.expect(a.over(f, a.copied("keys/")), archive.Intact)
	a.expect(a.over(older, a.copied()), archive.Intact)
	record := archive.RecordKey(a.Keys[archivetest.OrdersKey].ID)
	s := a.copied()
	if err := s.raw.ReplaceBody(record, "", bytes.Replace(f.Body(record), []byte("orders"), []byte("others"), 1), true); err != nil {
		t.Fatal(err)
	}
	a.expect(a.over(f, s), archive.Tampered, archive.CodeRecordAltered)
	// An older file and a copy without the new authority's record: whom to believe cannot be told.
	if r := a.over(older, a.copied(archive.RecordKey(a.Keys[archivetest.OnlineKey].ID))); r.Verdict != archive.Unverifiable {
		t.Errorf("%s, want UNVERIFIABLE", r)
	}
}
