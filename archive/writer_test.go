package archive_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

func (s *site) config() archive.WriterConfig {
	return archive.WriterConfig{
		Store: s.mem, Log: s.log, Writer: "app",
		Key: func(context.Context) (*keys.SigningKey, error) { return s.key, nil },
	}
}

func (s *site) open(change ...func(*archive.WriterConfig)) *archive.Writer {
	s.t.Helper()
	c := s.config()
	for _, f := range change {
		f(&c)
	}
	return must(archive.OpenWriter(s.t.Context(), c))(s.t)
}

func onStore(store archive.Store) func(*archive.WriterConfig) {
	return func(c *archive.WriterConfig) { c.Store = store }
}

func smallBatches(n int) func(*archive.WriterConfig) {
	return func(c *archive.WriterConfig) { c.BatchEntries = n }
}

// add appends n records with the IDs <prefix>0, <prefix>1, …
func (s *site) add(w *archive.Writer, prefix string, n int) (ids []string, pending []archive.Pending) {
	s.t.Helper()
	for i := range n {
		id := fmt.Sprintf("%s%d", prefix, i)
		p, err := w.Append(s.t.Context(), archive.Record{ID: id, Data: []byte(`{"n":1}`)})
		if err != nil {
			s.t.Fatalf("append %s: %v", id, err)
		}
		ids, pending = append(ids, id), append(pending, p)
	}
	return ids, pending
}

func (s *site) close(w *archive.Writer) {
	s.t.Helper()
	if err := w.Close(s.t.Context()); err != nil {
		s.t.Fatalf("close: %v", err)
	}
}

// acknowledged waits for all and returns what was acknowledged.
func (s *site) acknowledged(pending []archive.Pending) (items []archive.ReceiptItem) {
	s.t.Helper()
	for _, p := range pending {
		item, err := p.Wait(s.t.Context())
		if err != nil {
			s.t.Fatalf("wait: %v", err)
		}
		items = append(items, item)
	}
	return items
}

// agree compares receipts with what is archived.
func (s *site) agree(a *archived, items []archive.ReceiptItem) {
	s.t.Helper()
	for _, item := range items {
		found := a.byID[item.ID]
		if len(found) != 1 {
			s.t.Errorf("%s is archived %d times", item.ID, len(found))
			continue
		}
		if e := found[0]; e.index != item.Index || e.leaf != item.Leaf || e.timestamp != item.Timestamp.String() {
			s.t.Errorf("receipt %+v, archived %+v", item, e)
		}
	}
}

func TestWriterArchives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		w := s.open(smallBatches(10))
		ids, pending := s.add(w, "r", 25)
		items := s.acknowledged(pending) // the last five by age
		s.close(w)
		a := s.recheck()
		a.once(t, ids...)
		s.agree(a, items)
		s.intact()
		if len(a.streams) != 1 || len(a.orphans) != 0 {
			t.Errorf("%d streams, orphans %q", len(a.streams), a.orphans)
		}
		m := a.streams[0].manifests
		if !m[len(m)-1].Final || m[0].Open.StreamKey == nil || m[0].Open.Liveness != "none" {
			t.Errorf("first %+v, last %+v", m[0], m[len(m)-1])
		}
		if got := w.Stats(); got.Accepted != 25 || got.Archived != 25 || got.Segments != 3 {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestWriterKeepsWhatItIsGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		w := s.open()
		for i, tt := range []struct {
			in, out string
			binary  bool
		}{
			{`{"b": 1.0, "a": 9007199254740993, "e":1e400 }`, `{"b":1.0,"a":9007199254740993,"e":1e400}`, false},
			{" \"caf\\u00e9 é\\/\" \n", `"caf\u00e9 é\/"`, false},
			{``, ``, true},
			{`{"a":1,"a":2}`, `eyJhIjoxLCJhIjoyfQ==`, true},
			{"\xff\xfe", `//4=`, true},
			{`"\ud800"`, `Ilx1ZDgwMCI=`, true},
			{strings.Repeat("[", 513) + strings.Repeat("]", 513), "", true},
			{"null", "null", false},
		} {
			id := fmt.Sprint(i)
			must(w.Append(t.Context(), archive.Record{ID: id, Data: []byte(tt.in), Type: "t",
				Source: map[string]string{"z": "1", "a": "\x00\"é"}, Meta: map[string]string{"m": ""}}))(t)
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			e := s.recheck().byID[id]
			if len(e) != 1 || e[0].binary != tt.binary || tt.out != "" && e[0].data != tt.out {
				t.Errorf("%q became %+v", tt.in, e)
			}
		}
		s.close(w)
		if got := w.Stats().Base64; len(got) != 5 || got["not UTF-8"] != 1 || got["repeated member name"] != 1 {
			t.Errorf("base64 %v", got)
		}
	})
}

func TestAppendRefuses(t *testing.T) {
	s := newSite(t)
	w := s.open()
	defer s.close(w)
	many := map[string]string{}
	for i := range 33 {
		many[fmt.Sprint(i)] = ""
	}
	for want, r := range map[string]archive.Record{
		"id":            {ID: `a"b`},
		"128":           {ID: strings.Repeat("x", 129)},
		"type":          {Type: "a\\b"},
		"wormlog.":      {Type: "wormlog.key.retired"},
		"33 members":    {Source: many},
		"meta":          {Meta: map[string]string{"": "x"}},
		"1025 bytes":    {Meta: map[string]string{"a": strings.Repeat("x", 1025)}},
		"UTF-8":         {Source: map[string]string{"a": "\xff"}},
		"over 16777216": {Data: make([]byte, archive.MaxPayloadBytes+1)},
	} {
		_, err := w.Append(t.Context(), r)
		if !errors.Is(err, archive.ErrRecord) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if got := w.Stats().Accepted; got != 0 {
		t.Errorf("%d accepted", got)
	}
}

func TestWriterTakesTheLargestPayload(t *testing.T) {
	s := newSite(t)
	w := s.open()
	must(w.Append(t.Context(), archive.Record{ID: "small"}))(t)
	must(w.Append(t.Context(), archive.Record{ID: "large", Data: make([]byte, archive.MaxPayloadBytes)}))(t)
	must(w.Append(t.Context(), archive.Record{ID: "behind"}))(t)
	s.close(w)
	s.recheck().once(t, "small", "large", "behind")
}

func TestControlWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		key := s.newKey(keys.RoleCustodian, "custodian.*", keys.AlgorithmEd25519)
		w := s.open(func(c *archive.WriterConfig) {
			c.Writer = "custodian"
			c.Key = func(context.Context) (*keys.SigningKey, error) { return key, nil }
		})
		act := must(archive.FormatAct(&archive.HoldReleased{Case: "c1", Reason: "settled"}))(t)
		must(w.Append(t.Context(), archive.Record{ID: "1", Type: archive.ActHoldReleased, Data: act}))(t)
		for _, r := range []archive.Record{
			{Type: archive.ActHoldReleased, Data: []byte(`{"case":"c1"}`)},
			{Type: archive.ActKeyRetired, Data: act},
			{Type: "wormlog.other", Data: act},
		} {
			if _, err := w.Append(t.Context(), r); !errors.Is(err, archive.ErrRecord) {
				t.Errorf("%s %s: %v", r.Type, r.Data, err)
			}
		}
		s.close(w)
		a := s.recheck()
		a.once(t, "1")
		s.intact()
		if key := a.streams[0].manifests[0].Segments[0].Key; !strings.HasPrefix(key, "control/custodian/segments/") {
			t.Errorf("segment at %s", key)
		}
	})
}

func TestTwoPutsABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		counting := archivetest.NewCounting(s.mem)
		w := s.open(onStore(counting))
		s.add(w, "a", 3)
		flush(t, w)
		counting.Reset()
		for i := range 10 {
			s.add(w, fmt.Sprintf("b%d-", i), 3)
			flush(t, w)
		}
		if n := counting.Count(archivetest.OpCreate, ""); n != 20 {
			t.Errorf("%d creates for 10 batches", n)
		}
		if n := counting.Count("", ""); n != 20 {
			t.Errorf("calls beside the creates: %v", counting.Calls())
		}
		s.close(w)
		s.recheck()
	})
}

func TestReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		w := s.open(smallBatches(2))
		_, pending := s.add(w, "r", 5)
		receipts := must(w.Receipts(t.Context(), pending[1], pending[4]))(t)
		s.close(w)
		if len(receipts) != 1 {
			t.Fatalf("%d receipts", len(receipts))
		}
		r, o, err := archive.ParseReceipt(receipts[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.VerifyLine(keys.KindReceipt, s.log.ID, s.key.ID(), s.key.Record().PublicKey, o); err != nil {
			t.Error(err)
		}
		if r.Durability != archive.Archived || len(r.Receipts) != 2 || r.Receipts[1].Index != 4 {
			t.Errorf("receipt %+v", r)
		}
		s.agree(s.recheck(), r.Receipts)
	})
}

func TestConcurrentAppenders(t *testing.T) {
	s := newSite(t)
	w := s.open(func(c *archive.WriterConfig) { c.BatchEntries, c.BatchBytes, c.MaxPendingBytes = 50, 20_000, 60_000 })
	var wg sync.WaitGroup
	all := make([][]archive.Pending, 8)
	for g := range all {
		wg.Go(func() { _, all[g] = s.add(w, fmt.Sprintf("g%d-", g), 400) })
		wg.Go(func() {
			for range 20 {
				if err := w.Flush(t.Context()); err != nil {
					t.Error(err)
				}
				w.Stats()
			}
		})
	}
	wg.Wait()
	s.close(w)
	a := s.recheck()
	for _, pending := range all {
		items := s.acknowledged(pending)
		s.agree(a, items)
		for i := range items[1:] {
			if items[i+1].Index <= items[i].Index {
				t.Fatalf("the order of one appender was not kept: %+v", items[i])
			}
		}
	}
	if n := len(a.byID); n != 3200 {
		t.Errorf("%d entries", n)
	}
}

func TestIdleWriterLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		counting := archivetest.NewCounting(s.mem)
		w := s.open(onStore(counting))
		time.Sleep(30 * 24 * time.Hour)
		s.close(w)
		if n := counting.Count(archivetest.OpCreate, ""); n != 0 {
			t.Errorf("%d objects for no entry", n)
		}
		if err := w.Close(t.Context()); err != nil {
			t.Errorf("second close: %v", err)
		}
		if _, err := w.Append(t.Context(), archive.Record{}); !errors.Is(err, archive.ErrClosed) {
			t.Errorf("append after close: %v", err)
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Errorf("flush after close: %v", err)
		}
	})
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		w := s.open(func(c *archive.WriterConfig) { c.Heartbeat = time.Hour })
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if n := w.Stats().Manifests; n != 0 {
			t.Errorf("%d manifests before the first hour", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.Stats().Heartbeats; n != 1 {
			t.Errorf("%d heartbeats after an hour", n)
		}
		time.Sleep(30 * time.Minute)
		s.add(w, "r", 1)
		flush(t, w) // this is a sign of life, too
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if n := w.Stats().Heartbeats; n != 1 {
			t.Errorf("%d heartbeats within an hour of a batch", n)
		}
		time.Sleep(time.Minute + 24*time.Hour)
		synctest.Wait()
		if n := w.Stats().Heartbeats; n != 26 {
			t.Errorf("%d heartbeats after another 25 hours", n)
		}
		s.close(w)
		a := s.recheck()
		a.once(t, "r0")
		s.intact()
		if got := a.streams[0].manifests[0].Open.Liveness; got != "heartbeat:3600" {
			t.Errorf("liveness %s", got)
		}
	})
}

func TestStreamsReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		second := s.newKey(keys.RoleWriter, "app.*", keys.AlgorithmEd25519)
		var current atomic.Pointer[keys.SigningKey]
		current.Store(s.key)
		w := s.open(func(c *archive.WriterConfig) {
			c.Heartbeat, c.KeyCheck = 24*time.Hour, -1
			c.Key = func(context.Context) (*keys.SigningKey, error) { return current.Load(), nil }
		})
		ids, pending := s.add(w, "a", 3)
		first := w.Stream()
		s.acknowledged(pending)
		current.Store(second)
		time.Sleep(7*24*time.Hour - 2*time.Hour)
		more, _ := s.add(w, "b", 2) // still the first stream, and in a batch when it ends
		if w.Stream() != first {
			t.Error("reopened too early")
		}
		time.Sleep(90 * time.Minute)
		last, pending := s.add(w, "c", 2)
		s.acknowledged(pending)
		s.close(w)
		a := s.recheck()
		a.once(t, append(append(ids, more...), last...)...)
		s.intact()
		if len(a.streams) != 2 {
			t.Fatalf("%d streams", len(a.streams))
		}
		m := a.streams[0].manifests
		if c := a.streams[1].manifests[0].Open.Continues; !m[len(m)-1].Final || c == nil || c.Stream != first ||
			c.SHA256 != a.streams[0].hashes[len(m)-1] || c.Sequence != uint64(len(m)-1) {
			t.Errorf("the second stream continues %+v", c)
		}
		if got := a.streams[1].manifests[0].Segments[0].KeyIDs[0]; got != second.ID() {
			t.Errorf("the second stream is signed by %s", got)
		}
	})
}

// Every manifest outlives the latest promise of its stream, also the promises of later manifests.
func TestManifestsOutliveTheirStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		w := s.open()
		for range 8 * 24 {
			s.add(w, "r", 1)
			time.Sleep(time.Hour)
		}
		s.close(w)
		s.intact()
		a := s.recheck()
		if len(a.streams) != 2 {
			t.Errorf("%d streams", len(a.streams))
		}
		for _, st := range a.streams {
			var latest time.Time
			for _, m := range st.manifests {
				for _, seg := range m.Segments {
					if seg.RetainUntil.After(latest) {
						latest = seg.RetainUntil.Time
					}
				}
			}
			for v := range s.mem.Raw().All() {
				if !strings.Contains(v.Key, st.name) || !strings.Contains(v.Key, "manifests/") {
					continue
				}
				if v.Lock.RetainUntil.Before(latest) {
					t.Errorf("%s is locked until %s, the stream promises until %s", v.Key, v.Lock.RetainUntil, latest)
				}
				if extra := v.Lock.RetainUntil.Sub(v.LastModified); extra > (365+7+3)*24*time.Hour {
					t.Errorf("%s is locked for %s", v.Key, extra)
				}
			}
			for i, m := range st.manifests[1:] {
				if m.Previous.RetainUntil.Before(latest) {
					t.Errorf("manifest %d says its predecessor is kept until %s", i+1, m.Previous.RetainUntil)
				}
			}
		}
	})
}

func flush(t testing.TB, w *archive.Writer) {
	t.Helper()
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}
