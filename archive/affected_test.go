package archive_test

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// affected verifies and returns what is affected, by stream.
func (s standing) affected(t *testing.T, level archive.Level, change ...func(*archive.VerifyConfig)) (*archive.Report, map[string]archive.Affected) {
	t.Helper()
	list := map[string]archive.Affected{}
	r := s.verify(t, level, append(change, func(c *archive.VerifyConfig) {
		c.OnAffected = func(a archive.Affected) { list[a.Stream] = a }
	})...)
	return r, list
}

func (s standing) head(t *testing.T, stream string, sequence int) *archive.CountersignedHead {
	t.Helper()
	h := must(s.HeadAt(stream, sequence))(t)
	return &archive.CountersignedHead{Stream: h.Stream, Sequence: uint64(sequence), SHA256: h.Manifest}
}

func sameHead(a, b *archive.CountersignedHead) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

func supposing(s standing, key, since string) func(*archive.VerifyConfig) {
	return func(c *archive.VerifyConfig) {
		at, err := time.Parse("2006-01-02 15:04", "2026-"+since)
		if err != nil {
			panic(err)
		}
		c.Suppose = []archive.KeyAct{{KeyID: s.Keys[key].ID, Since: archive.Second{Time: at}}}
	}
}

// What a compromise affects is the same whether an act says so or the caller supposes it, at every level, and it is what
// the findings are about.
func TestAffected(t *testing.T) {
	for _, level := range levels {
		for _, supposed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", level, supposed), func(t *testing.T) {
				s := newStanding(t)
				change := func(*archive.VerifyConfig) {}
				if supposed {
					change = supposing(s, archivetest.GatewayKey, "11-18 07:30")
				} else {
					s.tamper(t, "key-compromised")
				}
				r, list := s.affected(t, level, change)
				a, b := list[s.Streams[archivetest.GatewayA].Name.String()], list[s.Streams[archivetest.GatewayB].Name.String()]
				if len(list) != 2 || r.Verdict != archive.Unverifiable {
					t.Fatalf("%s: %d streams, want those of the key: %v", r, len(list), list)
				}
				if !sameHead(a.Before, s.head(t, archivetest.GatewayA, 1)) || !sameHead(a.Head, s.head(t, archivetest.GatewayA, 2)) || a.Signed != nil {
					t.Errorf("gateway-a: before %v, head %v, signed %v", a.Before, a.Head, a.Signed)
				}
				if b.Before != nil || !sameHead(b.Head, s.head(t, archivetest.GatewayB, 1)) || b.Signed != nil {
					t.Errorf("gateway-b: before %v, head %v, signed %v", b.Before, b.Head, b.Signed)
				}
				if len(a.Objects) != 2 || a.Entries != 1 || len(b.Objects) != 4 || b.Entries != 5 || a.Countersigned || b.Countersigned {
					t.Errorf("affected:\n%+v\n%+v", a, b)
				}
				last := a.Objects[1]
				if last.Kind != "segment" || last.Sequence != 2 || last.FirstIndex != 10 || last.Count != 1 || last.Date != second(t, "11-18 08:00") || !a.First.Equal(last.First.Time) {
					t.Errorf("the last object: %+v", last)
				}
				var named, found []string
				for _, o := range slices.Concat(a.Objects, b.Objects) {
					named = append(named, o.Key+" "+o.VersionID)
				}
				for _, f := range r.Findings {
					if f.Code == archive.CodeKeyCompromised {
						found = append(found, f.Key+" "+f.VersionID)
					}
				}
				slices.Sort(named)
				slices.Sort(found)
				if !slices.Equal(named, found) {
					t.Errorf("affected\n%s\nfindings\n%s", strings.Join(named, "\n"), strings.Join(found, "\n"))
				}
				sum := archive.CompromisedKey{
					KeyID: s.Keys[archivetest.GatewayKey].ID, Since: second(t, "11-18 07:30"), Supposed: supposed, Streams: 2, Objects: 6, Entries: 6,
					FirstEntry: a.First, LastEntry: b.Last, FirstDate: second(t, "11-18 08:00"), LastDate: second(t, "11-21 10:00"),
				}
				if len(r.Compromised) != 1 || r.Compromised[0] != sum {
					t.Errorf("in all %+v, want %+v", r.Compromised, sum)
				}
				if strings.Contains(r.Coverage, "supposing key "+string(sum.KeyID)+" compromised since 2026-11-18T07:30:00Z") != supposed || (len(r.Supposed) > 0) != supposed {
					t.Errorf("coverage %s, supposed %v", r.Coverage, r.Supposed)
				}
				if text := r.Compromised[0].String(); !strings.Contains(text, "2 streams, 6 objects, 6 entries") || strings.Contains(text, "supposed") != supposed {
					t.Errorf("as text: %s", text)
				}
			})
		}
	}
}

// Several keys in one stream and one segment, and a stream key: what a manifest commits is judged by its own date, and
// manifests of a stream key by that of the first.
func TestAffectedByEntryKeys(t *testing.T) {
	s := newStanding(t)
	_, list := s.affected(t, archive.LevelFull, supposing(s, archivetest.Payments1, "11-20 00:30"))
	a := list[s.Streams[archivetest.PaymentsA].Name.String()]
	if len(list) != 1 || len(a.Objects) != 1 || a.Objects[0].Kind != "segment" || a.Objects[0].Sequence != 3 || a.Entries != 4 {
		t.Fatalf("the opener, from the last segment on: %+v", list)
	}
	if !sameHead(a.Before, s.head(t, archivetest.PaymentsA, 2)) || !sameHead(a.Head, s.head(t, archivetest.PaymentsA, 4)) {
		t.Errorf("before %v, head %v", a.Before, a.Head)
	}
	if both := []keys.ID{s.Keys[archivetest.Payments1].ID, s.Keys[archivetest.Payments2].ID}; len(a.Keys) != 2 || !slices.Contains(a.Keys, both[0]) || !slices.Contains(a.Keys, both[1]) {
		t.Errorf("keys %v", a.Keys)
	}

	_, list = s.affected(t, archive.LevelFull, supposing(s, archivetest.Payments2, "11-20 00:30"))
	a = list[s.Streams[archivetest.PaymentsA].Name.String()]
	if len(list) != 3 || len(a.Objects) != 1 || a.Before != nil || !sameHead(a.Head, s.head(t, archivetest.PaymentsA, 3)) {
		t.Errorf("a key of entries alone: %+v", a)
	}

	_, list = s.affected(t, archive.LevelFull, supposing(s, archivetest.Payments1, "11-22 00:00"))
	a = list[s.Streams[archivetest.PaymentsA].Name.String()]
	if len(a.Objects) != 0 || !sameHead(a.Before, a.Head) || !sameHead(a.Head, s.head(t, archivetest.PaymentsA, 4)) {
		t.Errorf("later than everything: %+v", a)
	}

	_, list = s.affected(t, archive.LevelFull, supposing(s, archivetest.Payments1, "11-19 22:05"))
	a = list[s.Streams[archivetest.PaymentsA].Name.String()]
	if len(a.Objects) != 9 || a.Entries != 13 || a.Before != nil {
		t.Errorf("at the very second of the opening: %+v", a)
	}
}

func TestAffectedAndCountersigned(t *testing.T) {
	s := newStanding(t)
	s.tamper(t, "key-compromised-and-countersigned-in-part")
	r, list := s.affected(t, archive.LevelFull)
	a, b := list[s.Streams[archivetest.GatewayA].Name.String()], list[s.Streams[archivetest.GatewayB].Name.String()]
	if a.Countersigned || a.Signed != nil || !b.Countersigned || !sameHead(b.Signed, b.Head) || !b.Objects[3].Countersigned {
		t.Errorf("%+v\n%+v", a, b)
	}
	if k := r.Compromised[0]; k.Objects != 6 || k.Countersigned != 4 {
		t.Errorf("%+v", k)
	}
}

// In a copy no date counts, and neither does that of a replica: all that the key signed is affected.
func TestAffectedWithoutDates(t *testing.T) {
	home := testHome
	home.Bucket = "audit-copy"
	s := standing{standardArchive(t), memoryStore(t, home)}
	if err := s.Put(s.raw); err != nil {
		t.Fatal(err)
	}
	_, list := s.affected(t, archive.LevelFull, supposing(s, archivetest.GatewayKey, "11-22 00:00"))
	a := list[s.Streams[archivetest.GatewayA].Name.String()]
	if len(a.Objects) != 7 || a.Entries != 11 || a.Before != nil || !a.Objects[0].Date.IsZero() {
		t.Errorf("%+v", a)
	}

	// The first manifest of a stream is a replica, so nothing says when its stream key came to be.
	s = newStanding(t)
	v, _ := s.Object(s.Manifest(archivetest.PaymentsA, 0).Key)
	v.Replica = true
	if err := s.raw.DeleteVersion(v.Key, v.VersionID); err != nil {
		t.Fatal(err)
	}
	must(s.raw.InsertVersion(v, archivetest.Newest))(t)
	_, list = s.affected(t, archive.LevelFull, supposing(s, archivetest.Payments1, "11-22 00:00"))
	a = list[s.Streams[archivetest.PaymentsA].Name.String()]
	if len(a.Objects) != 6 || a.Before != nil { // five manifests, and the segment of the first
		t.Errorf("%+v", a)
	}
}

func TestSupposeRefuses(t *testing.T) {
	s := newStanding(t)
	for _, act := range []archive.KeyAct{
		{KeyID: "nonsense", Since: archive.Second{Time: s.Now}},
		{KeyID: keys.ID(strings.Repeat("0", 32)), Since: archive.Second{Time: s.Now}},
		{KeyID: s.Keys[archivetest.GatewayKey].ID},
	} {
		c := s.VerifyConfig(s.Store, archive.LevelLocks)
		c.Suppose = []archive.KeyAct{act}
		if _, err := archive.Verify(t.Context(), c); err == nil || !strings.Contains(err.Error(), "to be supposed compromised") {
			t.Errorf("%+v: %v", act, err)
		}
	}
}

// A key that an act calls compromised earlier than the caller supposes is not a supposed one.
func TestSupposeBesideAnAct(t *testing.T) {
	s := newStanding(t)
	s.tamper(t, "key-compromised")
	r, _ := s.affected(t, archive.LevelFull, supposing(s, archivetest.GatewayKey, "11-20 00:00"))
	if k := r.Compromised[0]; k.Supposed || k.Since != second(t, "11-18 07:30") || k.Objects != 6 {
		t.Errorf("%+v", k)
	}
	r, _ = s.affected(t, archive.LevelFull, supposing(s, archivetest.GatewayKey, "11-01 00:00"))
	if k := r.Compromised[0]; !k.Supposed || k.Since != second(t, "11-01 00:00") || k.Objects != 11 {
		t.Errorf("%+v", k)
	}
}

func TestFormatAffectedCSV(t *testing.T) {
	at := archive.Instant{Time: archiveNow()}
	text := archive.FormatAffectedCSV() + archive.FormatAffectedCSV(
		archive.Affected{KeyID: "k", Stream: "app.1", Since: archive.Second{Time: archiveNow()}, Objects: []archive.AffectedObject{
			{Kind: "manifest", Key: "manifests/x", VersionID: `=HYPERLINK("http://evil",1)`, Date: archive.Second{Time: archiveNow()}},
			{Kind: "segment", Key: "a,b\"c", VersionID: "-1\x1b[2J\r\n+x", Count: 3, FirstIndex: 0, First: at, Last: at, Countersigned: true},
		}}, archive.Affected{Stream: "nothing"})
	rows := must(csv.NewReader(strings.NewReader(text)).ReadAll())(t)
	if len(rows) != 3 || len(rows[0]) != 14 {
		t.Fatalf("%d rows: %s", len(rows), text)
	}
	want := [][]string{
		{"k", "2026-11-22T12:00:00Z", "false", "app.1", "manifest", "manifests/x", `'=HYPERLINK("http://evil",1)`, "0", "2026-11-22T12:00:00Z", "", "", "", "", "false"},
		{"k", "2026-11-22T12:00:00Z", "false", "app.1", "segment", `a,b"c`, `'-1\x1b[2J\r\n+x`, "0", "", "0", "3", at.String(), at.String(), "true"},
	}
	for i, row := range want {
		if !slices.Equal(rows[i+1], row) {
			t.Errorf("row %d: %q, want %q", i+1, rows[i+1], row)
		}
	}
	if strings.ContainsAny(text, "\x1b") {
		t.Error("an escape sequence is in the text")
	}
}
