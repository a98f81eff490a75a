package archive_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// attacked is a standard archive in a store, to which its own keys can add.
type attacked struct {
	*testing.T
	*archivetest.Archive
	store store
}

func attack(t *testing.T) *attacked {
	t.Helper()
	a := &attacked{t, standardArchive(t), memoryStore(t, testHome)}
	if err := a.Put(a.store.raw); err != nil {
		t.Fatal(err)
	}
	return a
}

// record archives an act with the key of a control role.
func (a *attacked) record(writer, key, kind string, act archive.Act) {
	a.Helper()
	w := must(archive.OpenWriter(a.Context(), archive.WriterConfig{
		Store: a.store, Log: a.Archive.Log, Writer: writer, Now: archiveNow, Heartbeat: -1,
		Key: func(context.Context) (*keys.SigningKey, error) { return a.Keys[key].Signing, nil },
	}))(a.T)
	must(w.Append(a.Context(), archive.Record{Type: kind, Data: must(archive.FormatAct(act))(a.T)}))(a.T)
	if err := w.Close(a.Context()); err != nil {
		a.Fatal(err)
	}
}

// dispose records that a stream is disposed of, with objects that were promised until a year ago.
func (a *attacked) dispose(stream string) {
	a.Helper()
	h := must(a.HeadAt(stream, len(a.Streams[stream].Manifests)-1))(a.T)
	a.record("custodian", archivetest.CustodianKey, archive.ActDisposed, &archive.Disposed{
		Stream: h.Stream, Size: h.Size, Root: h.Root, Manifest: h.Manifest, Reason: "expired",
		Objects: []archive.DisposedObject{{Key: "x", VersionID: "y", RetainUntil: archive.Second{Time: archiveNow().AddDate(-1, 0, 0)}}},
	})
}

func (a *attacked) verify(change func(*archive.VerifyConfig)) *archive.Report {
	a.Helper()
	c := a.VerifyConfig(a.store, archive.LevelFull)
	if change != nil {
		change(&c)
	}
	return must(archive.Verify(a.Context(), c))(a.T)
}

// expect checks the verdict and the codes of findings that count.
func (a *attacked) expect(r *archive.Report, verdict archive.Verdict, codes ...archive.Code) {
	a.Helper()
	var found []archive.Code
	for _, f := range r.Findings {
		if f.Verdict != archive.Information && !f.Acknowledged && !slices.Contains(found, f.Code) {
			found = append(found, f.Code)
		}
	}
	if r.Verdict != verdict || !slices.Equal(found, codes) {
		a.Errorf("%s, want %s with %v; found:", r, verdict, codes)
		for _, f := range r.Findings {
			a.Error(f)
		}
	}
}

// A disposal of one stream is no answer to a question about others.
func TestNothingInScopeBesideADisposal(t *testing.T) {
	a := attack(t)
	a.dispose(archivetest.GatewayB)
	a.expect(a.verify(func(c *archive.VerifyConfig) { c.Streams = []string{"nobody.*"} }), archive.NotChecked, archive.CodeOutOfScope)
}

func TestLineOfControlStream(t *testing.T) {
	a := attack(t)
	line := must(a.Streams[archivetest.CustodianA].Entries()[0].Line())(t)
	a.expect(a.verify(func(c *archive.VerifyConfig) { c.Lines = [][]byte{line} }), archive.Intact)
}

// What was kept out of the run is neither there nor missing.
func TestReceiptOutsideOfRange(t *testing.T) {
	a := attack(t)
	receipt := must(a.Receipt(archivetest.PaymentsA, nil))(t)
	for _, narrow := range []func(*archive.VerifyConfig){
		func(c *archive.VerifyConfig) { c.Streams = []string{"gateway.*"} },
		func(c *archive.VerifyConfig) { c.From = archiveNow().AddDate(0, 1, 0) },
	} {
		r := a.verify(func(c *archive.VerifyConfig) {
			c.Receipts = [][]byte{receipt}
			narrow(c)
		})
		a.expect(r, archive.NotChecked, archive.CodeOutOfScope)
	}
}

// A run that receipts have narrowed must not read as one of the whole archive.
func TestCoverageOfReceiptsNamesTheirStreams(t *testing.T) {
	a := attack(t)
	receipt := must(a.Receipt(archivetest.PaymentsA, nil))(t)
	r := a.verify(func(c *archive.VerifyConfig) { c.Receipts = [][]byte{receipt} })
	a.expect(r, archive.Intact)
	if name := a.Streams[archivetest.PaymentsA].Name.String(); !strings.Contains(r.Coverage, name) {
		t.Errorf("the coverage %q does not say that only %s was looked at", r.Coverage, name)
	}
}

// A writer that names the leaf of another entry has acknowledged what it did not archive.
func TestReceiptWithTheLeafOfAnotherEntry(t *testing.T) {
	a := attack(t)
	for _, change := range []func(*archive.ReceiptItem){
		func(i *archive.ReceiptItem) { i.ID = "order-4711" },
		func(i *archive.ReceiptItem) { i.Timestamp.Time = i.Timestamp.Add(time.Hour) },
	} {
		receipt := must(a.Receipt(archivetest.PaymentsA, func(r *archive.Receipt) { change(&r.Receipts[0]) }))(t)
		r := a.verify(func(c *archive.VerifyConfig) { c.Receipts = [][]byte{receipt} })
		a.expect(r, archive.Tampered, archive.CodeReceiptDiffers)
	}
}

// Acknowledgements hold for what is found before they are read, too.
func TestAcknowledgedKeyRecord(t *testing.T) {
	a := attack(t)
	key := archive.RecordKey(keys.ID(strings.Repeat("a", 32)))
	version := must(a.store.raw.PutVersion(key, []byte("junk\n"), archive.Lock{}, archiveNow()))(t)
	a.expect(a.verify(nil), archive.Tampered, archive.CodeRecordAltered)
	a.record("authority", archivetest.AuthorityKey, archive.ActAcknowledged, &archive.Acknowledged{
		Code: string(archive.CodeRecordAltered), Key: key, VersionID: version, Reason: "a slip"})
	a.expect(a.verify(nil), archive.Intact)
}

// That nothing could be listed is no fact about the archive that anybody can acknowledge.
func TestAcknowledgedListing(t *testing.T) {
	a := attack(t)
	a.record("authority", archivetest.AuthorityKey, archive.ActAcknowledged, &archive.Acknowledged{
		Code: string(archive.CodeListFailed), Key: "manifests/", Reason: "a slip"})
	a.store.raw.Deny(archivetest.ListBucketVersions, "manifests/")
	a.expect(a.verify(nil), archive.NotChecked, archive.CodeListFailed)
}

// A custodian's word does not excuse the loss of what a manifest promised for longer.
func TestDisposedBeforeTheManifestsPromise(t *testing.T) {
	a := attack(t)
	p := a.Segment(archivetest.GatewayB, 1, 0)
	a.dispose(archivetest.GatewayB)
	if err := a.store.raw.DeleteVersion(p.Ref.Key, p.VersionID); err != nil {
		t.Fatal(err)
	}
	a.expect(a.verify(nil), archive.Missing, archive.CodeSegmentMissing)
}

// A receipt for more than was disposed of is not settled by the disposal.
func TestReceiptBeyondTheDisposal(t *testing.T) {
	a := attack(t)
	receipt := must(a.Receipt(archivetest.GatewayB, nil))(t)
	h := must(a.HeadAt(archivetest.GatewayB, 0))(t)
	a.record("custodian", archivetest.CustodianKey, archive.ActDisposed, &archive.Disposed{
		Stream: h.Stream, Size: h.Size, Root: h.Root, Manifest: h.Manifest, Reason: "expired",
		Objects: []archive.DisposedObject{{Key: "x", VersionID: "y", RetainUntil: archive.Second{Time: archiveNow().AddDate(-1, 0, 0)}}},
	})
	for o := range a.store.raw.All() {
		if strings.Contains(o.Key, h.Stream) {
			if err := a.store.raw.DeleteVersion(o.Key, o.VersionID); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := a.verify(func(c *archive.VerifyConfig) { c.Receipts = [][]byte{receipt} })
	a.expect(r, archive.Missing, archive.CodeReceiptMissing)
}

// Who has a stream's key cannot add entries of an earlier time.
func TestTimeGoesBackBetweenManifests(t *testing.T) {
	a := attack(t)
	err := a.Forge(a.store.raw, archivetest.GatewayB, func(s *archivetest.Stream) {
		first := s.Manifests[0].Segments[0].Entries[0].Timestamp
		for i, e := range s.Manifests[1].Segments[0].Entries {
			e.Timestamp = first.Add(time.Duration(i-20) * time.Hour)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	a.expect(a.verify(nil), archive.Tampered, archive.CodeChain)
}

// A manifest that nobody signed must not hide what lies over a segment.
func TestForgedManifestDoesNotMovePins(t *testing.T) {
	a := attack(t)
	s := a.Streams[archivetest.GatewayB]
	m, _, err := archive.ParseManifest(s.Manifests[0].Bytes)
	if err != nil {
		t.Fatal(err)
	}
	m.Sequence, m.Open, m.Segments[0].VersionID = 2, nil, "another"
	m.Previous = &archive.Previous{VersionID: "x", RetainUntil: archive.Second{Time: archiveNow()}}
	forged := must(archive.SignManifest(m, must(keys.NewStreamKey())(t).Signer()))(t)
	must(a.store.raw.PutVersion(s.Name.ManifestKey(2), forged, s.Manifests[1].Lock, archiveNow()))(t)
	must(a.store.raw.PutVersion(m.Segments[0].Key, []byte("overlay"), archive.Lock{}, archiveNow()))(t)
	a.expect(a.verify(nil), archive.Tampered, archive.CodeStreamKey, archive.CodeVersionExtra)
}

// The pinned head is still there, but another manifest goes on from a forged one in its place.
func TestPinnedHeadBesideAForgedChain(t *testing.T) {
	a := attack(t)
	pin := a.HeadFile()
	head := *a.Manifest(archivetest.GatewayB, 1)
	err := a.Forge(a.store.raw, archivetest.GatewayB, func(s *archivetest.Stream) {
		s.Manifests[0].Segments[0].Entries[0].Data = []byte(`"forged"`)
		s.Manifests[1].VersionID = "forged"
	})
	if err != nil {
		t.Fatal(err)
	}
	must(a.store.raw.InsertVersion(archivetest.RawVersion{
		Key: head.Key, VersionID: head.VersionID, Body: head.Bytes, LastModified: head.Date, Lock: head.Lock,
	}, archivetest.Oldest))(t)
	r := a.verify(func(c *archive.VerifyConfig) { c.Heads = pin })
	a.expect(r, archive.Tampered, archive.CodeDiverged, archive.CodeVersionExtra)
}

// Anybody who may write can pile up versions of one manifest. They are not all kept in memory.
func TestManyVersionsOfOneManifest(t *testing.T) {
	a := attack(t)
	s := a.Streams[archivetest.GatewayB]
	m, _, err := archive.ParseManifest(s.Manifests[1].Bytes)
	if err != nil {
		t.Fatal(err)
	}
	m.Ext = map[string]string{}
	for i := range archive.MaxMembers {
		m.Ext[strings.Repeat("x", i+1)] = strings.Repeat("\x00", archive.MaxValueBytes)
	}
	forged := must(archive.SignManifest(m, must(keys.NewStreamKey())(t).Signer()))(t)
	const versions, most = 400, 16 << 20
	for range versions {
		must(a.store.raw.PutVersion(s.Manifests[1].Key, forged, archive.Lock{}, archiveNow()))(t)
	}
	var read uint64
	var begin, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&begin)
	r := a.verify(func(c *archive.VerifyConfig) {
		c.Progress = func(n archive.Counts) {
			if n.Bytes < read+versions/8*uint64(len(forged)) {
				return
			}
			read = n.Bytes
			runtime.GC()
			runtime.ReadMemStats(&now)
			if grown := int64(now.HeapAlloc) - int64(begin.HeapAlloc); grown > most {
				t.Errorf("%d bytes in use after %d of %d were read, over %d", grown, read, versions*len(forged), most)
			}
		}
	})
	if read == 0 {
		t.Error("nothing was measured")
	}
	a.expect(r, archive.Shadowed, archive.CodeVersionExtra)
}

// TestLogIsFoundUnderWhatWasPutOverIt: whoever may write can lay anything over log.json and key records. Who knows the
// log ID reads and writes on; verification reports it.
func TestLogIsFoundUnderWhatWasPutOverIt(t *testing.T) {
	a := attack(t)
	id := a.Keys[archivetest.Payments1].ID
	for _, key := range []string{archive.GenesisKey, archive.RecordKey(id)} {
		must(a.store.raw.PutVersion(key, []byte("junk\n"), archive.Lock{}, archiveNow()))(t)
	}
	l, err := archive.OpenLog(t.Context(), a.store, a.Archive.Log.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Record(t.Context(), a.store, id); err != nil {
		t.Error(err)
	}
	must(a.store.raw.DeleteMarker(archive.GenesisKey))(t)
	if _, err := archive.OpenLog(t.Context(), a.store, a.Archive.Log.ID); err != nil {
		t.Error(err)
	}
	other := keys.LogID(strings.Repeat("0", 64))
	if _, err := archive.OpenLog(t.Context(), a.store, other); err == nil {
		t.Error("a log was opened that is not there")
	}
}

// TestEditedHeadFileIsToldFromTheArchive: a head that names a manifest and says something else of it is no pin.
func TestEditedHeadFileIsToldFromTheArchive(t *testing.T) {
	a := attack(t)
	good := a.verify(nil).HeadFile()
	for name, edit := range map[string]func(*archive.Head){
		"size": func(h *archive.Head) { h.Size++ },
		"root": func(h *archive.Head) { h.Root[0] ^= 1 },
		"state": func(h *archive.Head) {
			if h.State == archive.StateFinal {
				h.State = archive.StateOpen
			} else {
				h.State = archive.StateFinal
			}
		},
	} {
		h := good
		h.Heads = slices.Clone(good.Heads)
		edit(&h.Heads[len(h.Heads)-1])
		r := a.verify(func(c *archive.VerifyConfig) { c.Heads = &h })
		if r.Verdict != archive.Unverifiable {
			t.Errorf("%s edited: %s", name, r)
		}
	}
}

// TestSampleReadsSomething: INTACT never means that nothing was read.
func TestSampleReadsSomething(t *testing.T) {
	a := attack(t)
	for range 20 {
		r := a.verify(func(c *archive.VerifyConfig) { c.SamplePercent = 1 })
		if r.Counts.Read == 0 {
			t.Fatalf("%s, but no segment was read: %+v", r, r.Counts)
		}
	}
}
