package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// theft is a site whose writer's key was stolen: one stream was closed before, one was under way, one was opened after it
// by the owner and one by the thief.
type theft struct {
	*site
	since                      time.Time
	before, during, own, thief string
}

func newTheft(t *testing.T) *theft {
	t.Helper()
	s := &theft{site: newSite(t)}
	time.Sleep(72 * time.Hour)
	s.before = s.stream(3)
	w := s.open(smallBatches(2))
	s.during = w.Stream()
	_, pending := s.add(w, "d", 2)
	s.acknowledged(pending)
	time.Sleep(time.Hour)
	s.since = time.Now().Truncate(time.Second)
	time.Sleep(time.Hour)
	_, pending = s.add(w, "e", 2)
	s.acknowledged(pending)
	s.close(w)
	s.own, s.thief = s.stream(2), s.stream(1)
	s.act(keyAct(archive.ActKeyCompromised, s.key.ID(), s.since))
	return s
}

// stream writes and closes one.
func (s *site) stream(n int) string {
	s.t.Helper()
	w := s.open()
	name := w.Stream()
	_, pending := s.add(w, "r", n)
	s.acknowledged(pending)
	s.close(w)
	return name
}

func (s *theft) config() archive.CountersignConfig {
	return archive.CountersignConfig{
		Store: s.mem, Log: s.log, Key: s.admin, Compromised: s.key.ID(), Reason: "compared with the writer's own log", Copies: s,
	}
}

func (s *theft) countersign(change ...func(*archive.CountersignConfig)) *archive.Countersigning {
	s.t.Helper()
	c := s.config()
	for _, f := range change {
		f(&c)
	}
	return must(archive.Countersign(s.t.Context(), c))(s.t)
}

func naming(streams ...string) func(*archive.CountersignConfig) {
	return func(c *archive.CountersignConfig) { c.Streams = streams }
}

// doubted are the streams with a finding that a key is compromised.
func doubted(r *archive.Report) (streams []string) {
	for _, f := range r.Findings {
		if f.Code != archive.CodeKeyCompromised {
			continue
		}
		for part := range strings.SplitSeq(f.Key, "/") {
			name := strings.TrimPrefix(part, "stream=")
			if _, err := archive.ParseStreamName(name); err == nil && !slices.Contains(streams, name) {
				streams = append(streams, name)
			}
		}
	}
	slices.Sort(streams)
	return streams
}

func sorted(s ...string) []string {
	slices.Sort(s)
	return s
}

// copied is a copy of the bucket, in which the store's dates say nothing.
func (s *site) copied() archive.Store {
	s.t.Helper()
	home := s.mem.Home()
	home.Bucket = "elsewhere"
	m := archivetest.NewMemory(s.t, home, time.Now)
	for v := range s.mem.Raw().All() {
		must(m.Raw().InsertVersion(v, archivetest.Newest))(s.t)
	}
	return m
}

func at(store archive.Store) func(*archive.VerifyConfig) {
	return func(c *archive.VerifyConfig) { c.Store = store }
}

// The whole way: what was before the theft is made provable without dates, then what the owner knows to be his, and what
// is the thief's stays doubted.
func TestCountersign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTheft(t)
		if r := s.verify(); r.Verdict != archive.Unverifiable || !slices.Equal(doubted(r), sorted(s.during, s.own, s.thief)) {
			t.Fatalf("%s: %v", r, doubted(r))
		}
		if r := s.verify(at(s.copied())); !slices.Equal(doubted(r), sorted(s.before, s.during, s.own, s.thief)) {
			t.Errorf("in a copy: %v", doubted(r))
		}

		plan := must(archive.PlanCountersign(t.Context(), s.config()))(t)
		done := s.countersign()
		for _, c := range []*archive.Countersigning{plan, done} {
			if c.Heads() != 2 || len(c.Acts) != 1 || c.Already != 0 || !slices.Equal(c.Left, sorted(s.during, s.own, s.thief)) || len(c.Notes) != 0 {
				t.Errorf("%d heads in %d acts, %d already, left %v, notes %v", c.Heads(), len(c.Acts), c.Already, c.Left, c.Notes)
			}
			if c.Report.Verdict != archive.Unverifiable || c.Report.Compromised[0].Streams != 3 {
				t.Errorf("%s, %v", c.Report, c.Report.Compromised)
			}
		}
		if r := s.verify(at(s.copied())); !slices.Equal(doubted(r), sorted(s.during, s.own, s.thief)) {
			t.Errorf("in a copy: %v", doubted(r))
		}

		again := s.countersign()
		if again.Heads() != 0 || again.Already != 2 {
			t.Errorf("a second run: %d heads, %d already", again.Heads(), again.Already)
		}
		streams := s.streamsOf("authority")
		s.countersign()
		if now := s.streamsOf("authority"); now != streams {
			t.Errorf("a run with nothing to do wrote %d streams", now-streams)
		}

		more := s.countersign(naming(s.during, s.own))
		if more.Heads() != 2 || more.Already != 1 || !slices.Equal(more.Left, []string{s.thief}) {
			t.Errorf("%d heads, %d already, left %v", more.Heads(), more.Already, more.Left)
		}
		r := s.verify()
		if k := r.Compromised[0]; !slices.Equal(doubted(r), []string{s.thief}) || k.Streams != 3 || k.Countersigned != k.Objects-3 {
			t.Errorf("%v: %+v", doubted(r), k)
		}

		s.countersign(naming("app.*")) // which is what one must not say before looking
		s.intact()
		if r := s.verify(at(s.copied())); r.Verdict != archive.Intact {
			t.Errorf("the copy: %s", r)
		}
	})
}

func (s *site) streamsOf(writer string) (n int) {
	for _, h := range s.verify().Heads {
		if strings.HasPrefix(h.Stream, writer+".") {
			n++
		}
	}
	return n
}

// A stream with a key of its own, opened before the theft, that only lived on afterwards stands as a whole.
func TestCountersignStreamThatOnlyWentOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		w := s.open(func(c *archive.WriterConfig) { c.Heartbeat = time.Hour })
		_, pending := s.add(w, "d", 2)
		s.acknowledged(pending)
		time.Sleep(time.Minute)
		s.act(keyAct(archive.ActKeyCompromised, s.key.ID(), time.Now()))
		time.Sleep(3*time.Hour + time.Minute)
		s.close(w)
		s.intact()
		th := &theft{site: s}
		done := th.countersign()
		if m := s.recheck().stream(w.Stream()).manifests; done.Heads() != 1 || done.Acts[0].Heads[0].Sequence != uint64(len(m)-1) || len(m) < 4 {
			t.Errorf("%d manifests, countersigned %+v", len(m), done.Acts)
		}
		if r := s.verify(at(s.copied())); r.Verdict != archive.Intact {
			t.Errorf("the copy: %s: %v", r, r.Findings)
		}
	})
}

// What is tampered with after it was countersigned is found as ever.
func TestTamperedAfterCountersigning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTheft(t)
		s.countersign(naming("app.*"))
		s.intact()
		s.spoil(s.before)
		if r := s.verify(); r.Verdict != archive.Tampered {
			t.Errorf("%s", r)
		}
	})
}

// spoil changes a segment of a stream in place.
func (s *site) spoil(stream string) {
	s.t.Helper()
	for v := range s.mem.Raw().All() {
		if strings.Contains(v.Key, "stream="+stream) {
			b := bytes.Clone(v.Body)
			b[len(b)/2] ^= 1
			if err := s.mem.Raw().ReplaceBody(v.Key, v.VersionID, b, true); err != nil {
				s.t.Fatal(err)
			}
			return
		}
	}
	s.t.Fatalf("%s has no segment", stream)
}

func TestCountersignRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(s *theft, c *archive.CountersignConfig)
		err    error
		says   string
	}{
		{"a covered stream that was tampered with", func(s *theft, _ *archive.CountersignConfig) { s.spoil(s.before) }, archive.ErrNotIntact, "segment-altered"},
		{"a covered stream that is hidden in part", func(s *theft, _ *archive.CountersignConfig) {
			n := must(archive.ParseStreamName(s.before))(s.t)
			must(s.mem.Raw().DeleteMarker(n.ManifestKey(0)))(s.t)
		}, archive.ErrNotIntact, "delete-marker"},
		{"a covered stream that was tampered with, acknowledged", func(s *theft, _ *archive.CountersignConfig) {
			s.spoil(s.before)
			for _, f := range s.verify().Findings {
				if f.Code == archive.CodeSegmentAltered {
					s.act(archive.TypedAct{Type: archive.ActAcknowledged, Act: &archive.Acknowledged{
						Code: string(f.Code), Key: f.Key, VersionID: f.VersionID, Reason: "known"}})
				}
			}
		}, archive.ErrNotIntact, "segment-altered"},
		{"no copies", func(_ *theft, c *archive.CountersignConfig) { c.Copies = nil }, archive.ErrNotIntact, "hmac-unchecked"},
		{"copies of another key, HMACs not asked for", func(s *theft, c *archive.CountersignConfig) {
			other := s.newKey(keys.RoleWriter, "other.*", keys.AlgorithmHMACSHA256)
			s.copies[s.key.ID()] = s.copies[other.ID()]
			c.UncheckedHMAC = true
		}, archive.ErrNotIntact, "hmac-unchecked"},
		{"a listing that is not whole", func(s *theft, _ *archive.CountersignConfig) {
			s.mem.Raw().Deny(archivetest.ListBucketVersions, "segments/")
		}, archive.ErrNotIntact, "listing-failed"},
		{"no log.json", func(s *theft, _ *archive.CountersignConfig) { s.mem.Raw().RemoveKey(archive.GenesisKey) }, archive.ErrNotIntact, "log.json"},
		{"a key that is not compromised", func(s *theft, c *archive.CountersignConfig) { c.Compromised = s.admin.ID() }, nil, "no act says"},
		{"a key of another role", func(s *theft, c *archive.CountersignConfig) { c.Key = s.key }, archive.ErrKey, "role writer"},
		{"a key that is compromised itself", func(s *theft, _ *archive.CountersignConfig) {
			s.act(keyAct(archive.ActKeyCompromised, s.admin.ID(), s.since))
		}, archive.ErrKey, "no force"},
		{"a key without a record", func(s *theft, c *archive.CountersignConfig) { c.Key = must(s.unpublishedAuthority())(s.t) }, archive.ErrKey, "no record"},
		{"no reason", func(_ *theft, c *archive.CountersignConfig) { c.Reason = "" }, nil, "reason"},
		{"no key", func(_ *theft, c *archive.CountersignConfig) { c.Key = nil }, nil, "signing key"},
		{"a stream that is not there", func(s *theft, c *archive.CountersignConfig) { c.Streams = []string{"other.*"} }, nil, "other.*"},
		{"no stream", func(s *theft, c *archive.CountersignConfig) { c.Streams = []string{"*"} }, nil, "*"},
		{"a head file of after the theft", func(s *theft, c *archive.CountersignConfig) {
			h := s.verify().HeadFile()
			c.Heads = &h
		}, nil, "thief"},
		{"a copy", func(s *theft, c *archive.CountersignConfig) { c.Store = s.copied() }, nil, "is a copy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTheft(t)
				c := s.config()
				tt.change(s, &c)
				before := s.objects()
				done, err := archive.Countersign(t.Context(), c)
				if err == nil || tt.err != nil && !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%+v, %v", done, err)
				}
				if now := s.objects(); now != before {
					t.Errorf("%d objects were written", now-before)
				}
			})
		})
	}
}

func (a *archived) stream(name string) *archivedStream {
	return a.streams[slices.IndexFunc(a.streams, func(st *archivedStream) bool { return st.name == name })]
}

func (s *site) objects() (n int) {
	for range s.mem.Raw().All() {
		n++
	}
	return n
}

// What does not concern the covered streams does not matter, nor does what the authority has acknowledged, or told to
// leave out, or has asked not to be checked.
func TestCountersignInSpiteOf(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(s *theft, c *archive.CountersignConfig)
		heads  int
		notes  []archive.Code
	}{
		{"a stream of the thief's that was tampered with", func(s *theft, _ *archive.CountersignConfig) { s.spoil(s.thief) }, 2, nil},
		{"a tampered stream that is left out", func(s *theft, c *archive.CountersignConfig) {
			s.spoil(s.before)
			c.Except = []string{s.before}
		}, 1, nil},
		{"a finding that is acknowledged", func(s *theft, _ *archive.CountersignConfig) {
			n := must(archive.ParseStreamName(s.before))(s.t)
			version := must(s.mem.Raw().DeleteMarker(n.ManifestKey(0)))(s.t)
			s.act(archive.TypedAct{Type: archive.ActAcknowledged, Act: &archive.Acknowledged{
				Code: string(archive.CodeDeleteMarker), Key: n.ManifestKey(0), VersionID: version, Reason: "known"}})
		}, 2, []archive.Code{archive.CodeDeleteMarker}},
		{"HMACs that are not to be checked", func(_ *theft, c *archive.CountersignConfig) { c.Copies, c.UncheckedHMAC = nil, true }, 2, nil},
		{"a forged key record", func(s *theft, _ *archive.CountersignConfig) {
			must(s.mem.Raw().PutVersion(archive.RecordKey(keys.ID(strings.Repeat("0", 32))), []byte("x"), archive.Lock{}, time.Time{}))(s.t)
		}, 2, nil},
		{"a retired key that went on signing", func(s *theft, c *archive.CountersignConfig) {
			s.act(keyAct(archive.ActKeyRetired, s.key.ID(), s.since.Add(-48*time.Hour)))
		}, 2, []archive.Code{archive.CodeKeyRetired}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTheft(t)
				c := s.config()
				tt.change(s, &c)
				done, err := archive.Countersign(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				var notes []archive.Code
				for _, f := range done.Notes {
					notes = append(notes, f.Code)
				}
				if done.Heads() != tt.heads || !slices.Equal(slices.Compact(notes), tt.notes) {
					t.Errorf("%d heads, notes %v", done.Heads(), done.Notes)
				}
			})
		})
	}
}

// A head file that was made before the theft speaks for what was restored since, and so is dated later.
func TestCountersignByHeadFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		name := s.stream(2)
		s.act(archive.TypedAct{Type: archive.ActAcknowledged, Act: &archive.Acknowledged{Code: "x", Key: "y", Reason: "an act, so that there is a key"}})
		file := s.verify().HeadFile()
		time.Sleep(time.Hour)
		since := time.Now()
		for v := range s.mem.Raw().All() {
			if strings.Contains(v.Key, name) {
				if err := s.mem.Raw().SetLastModified(v.Key, v.VersionID, since.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(2 * time.Hour)
		s.act(keyAct(archive.ActKeyCompromised, s.key.ID(), since))
		th := &theft{site: s}
		if done := th.countersign(); done.Heads() != 0 || !slices.Equal(done.Left, []string{name}) {
			t.Errorf("without it: %d heads, left %v", done.Heads(), done.Left)
		}
		if done := th.countersign(func(c *archive.CountersignConfig) { c.Heads = &file }); done.Heads() != 1 || len(done.Left) != 0 {
			t.Errorf("%d heads, left %v", done.Heads(), done.Left)
		}
		s.intact()
	})
}

// The act itself is lost, or its reply is. The next run covers all of it, and no more than that.
func TestCountersignDisturbed(t *testing.T) {
	for _, form := range archivetest.Forms {
		for call := 1; call <= 2; call++ {
			t.Run(fmt.Sprintf("%s/%d", form, call), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newTheft(t)
					c := s.config()
					faulty := archivetest.NewFaulty(s.mem, archivetest.Fault{Op: archivetest.OpCreate, Call: call, Form: form, Err: archive.ErrUncertain, Stop: true})
					c.Store = faulty
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					defer cancel()
					if _, err := archive.Countersign(ctx, c); err == nil || len(faulty.Unstruck()) > 0 {
						t.Fatalf("%v, not tried: %v", err, faulty.Unstruck())
					}
					written := form == archivetest.AfterEffect && call == 2
					done := s.countersign()
					if (done.Heads() == 0) != written || done.Already+uint64(done.Heads()) != 2 {
						t.Errorf("%d heads, %d already", done.Heads(), done.Already)
					}
				})
			})
		}
	}
}

func TestCountersignedActsAreOfBoundedSize(t *testing.T) {
	const n = 2500
	heads := map[keys.ID][]archive.CountersignedHead{}
	for i := range n {
		name := archive.StreamName{Writer: "app", ID: ulid.ULID{1, 2, byte(i >> 8), byte(i), 14: byte(i), 15: 1}}
		heads["a"] = append([]archive.CountersignedHead{{Stream: name.String()}}, heads["a"]...)
	}
	heads["b"] = heads["a"][:1]
	acts := archive.CountersignedActs(heads, "reason")
	if len(acts) != 4 || len(acts[0].Heads) != 1000 || len(acts[2].Heads) != 500 || acts[3].KeyID != "b" {
		t.Fatalf("%d acts", len(acts))
	}
	seen := map[string]bool{}
	for _, a := range acts[:3] {
		for i, h := range a.Heads {
			if i > 0 && h.Stream <= a.Heads[i-1].Stream {
				t.Errorf("%s is out of order", h.Stream)
			}
			seen[h.Stream] = true
		}
	}
	if len(seen) != n {
		t.Errorf("%d heads, want %d", len(seen), n)
	}
}

// A compromised authority takes the keys with it that it vouched for since. They are countersigned in its name, each in
// acts of its own.
func TestCountersignKeysOfAnAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &theft{site: newSite(t)}
		first := s.stream(2)
		time.Sleep(time.Hour)
		since := time.Now()
		time.Sleep(time.Hour)
		s.key = s.newKey(keys.RoleWriter, "app.*", keys.AlgorithmHMACSHA256)
		second := s.stream(2)
		other := s.newKey(keys.RoleWriter, "app.*", keys.AlgorithmEd25519)
		s.key = other
		third := s.stream(1)
		supposed := s.verify(func(c *archive.VerifyConfig) {
			c.Suppose = []archive.KeyAct{{KeyID: s.online.Authority().ID(), Since: archive.Second{Time: since}}}
		})
		if len(supposed.Compromised) != 3 || !slices.Equal(doubted(supposed), sorted(second, third)) {
			t.Errorf("supposed: %v, doubted %v", supposed.Compromised, doubted(supposed))
		}
		for _, k := range supposed.Compromised {
			if !k.Supposed || (k.KeyID == s.online.Authority().ID()) != (k.Because == "") || (k.Because == "") != (k.Objects == 0) {
				t.Errorf("supposed: %+v", k)
			}
		}
		s.act(keyAct(archive.ActKeyCompromised, s.online.Authority().ID(), since))
		r := s.verify()
		for _, k := range r.Keys {
			inherits := k.KeyID == other.ID() || k.Published.After(since) && k.Role == keys.RoleWriter
			if (k.State == archive.KeyCompromised) != inherits || k.SignedBy == "" {
				t.Errorf("%+v", k)
			}
		}
		byAuthority := func(c *archive.CountersignConfig) { c.Compromised = s.online.Authority().ID() }
		if done := s.countersign(byAuthority); done.Heads() != 0 || !slices.Equal(done.Left, sorted(second, third)) {
			t.Errorf("%d heads, left %v", done.Heads(), done.Left)
		}
		done := s.countersign(byAuthority, naming(second, third))
		if done.Heads() != 2 || len(done.Acts) != 2 || len(done.Left) != 0 || done.Acts[0].KeyID == s.online.Authority().ID() {
			t.Errorf("%+v", done)
		}
		s.intact()
		if len(first) == 0 || s.countersign(byAuthority, naming("app.*")).Already != 2 {
			t.Error("a second run has something to do")
		}
	})
}
