package archive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

const oneDay = 24 * time.Hour

// after is the midnight at or after so many days from the beginning of a synctest bubble, which is one.
func afterDays(n int) time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

func (s *site) anchors() archive.AnchorConfig { return archive.AnchorConfig{Store: s.mem, Log: s.log} }

// renew runs the renewal and returns what it extended, by object.
func (s *site) renew(change ...func(*archive.AnchorConfig)) map[string]archive.RenewedAnchor {
	s.t.Helper()
	c := s.anchors()
	for _, f := range change {
		f(&c)
	}
	list := must(archive.RenewAnchors(s.t.Context(), c))(s.t)
	m := map[string]archive.RenewedAnchor{}
	for _, a := range list {
		if !s.lock(a.Key).Equal(a.Until) || !a.Until.After(a.Before) || (a.KeyID == "") != (a.Key == archive.GenesisKey) {
			s.t.Errorf("%+v, and it is locked until %s", a, s.lock(a.Key))
		}
		m[a.Key] = a
	}
	return m
}

func (s *site) lock(key string) time.Time {
	s.t.Helper()
	return must(s.mem.Head(s.t.Context(), key, ""))(s.t).Lock.RetainUntil
}

func (s *site) record(key *keys.SigningKey) string { return archive.RecordKey(key.ID()) }

// Keys that can sign are carried along for the next period, others for as long as they may have vouched for something. What
// is long enough is left alone, so a second run does nothing.
func TestRenewAnchors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t) // retention 365 days, locks of records 545, of genesis 3650
		old := s.chained("b.*", "")
		unused := s.chained("c.*", "")
		if got := s.renew(); len(got) != 0 {
			t.Errorf("fresh anchors were renewed: %v", got)
		}
		time.Sleep(20 * oneDay)
		if got := s.renew(); len(got) != 0 {
			t.Errorf("on day 20: %v", got)
		}

		time.Sleep(70*oneDay + time.Hour) // day 90, and a little
		young := s.chained("b.*", old.ID())
		s.act(keyAct(archive.ActKeyRetired, unused.ID(), time.Now()))
		got := s.renew()
		// Needed: 90 + 90 + 30 until the next run, 9 for a stream, 365 retention, 30 margin; and 90 more to spare.
		want := afterDays(90 + 90 + 30 + 9 + 365 + 30 + 90 + 1)
		if a := got[s.record(s.key)]; len(got) != 1 || !a.Until.Equal(want) || !a.Before.Equal(afterDays(545)) {
			t.Errorf("on day 90: %+v, want %s until %s", got, s.record(s.key), want)
		}
		if got := s.renew(); len(got) != 0 {
			t.Errorf("a second run: %v", got)
		}

		time.Sleep(90 * oneDay) // of the old ones, what they signed last is kept until 90 + 9 + 365
		got = s.renew()
		if len(got) != 2 || got[s.record(young)].Key == "" || got[s.record(s.admin)].Key == "" {
			t.Errorf("on day 180: %v, want the keys that sign and were not renewed lately", got)
		}

		got = s.renew(func(c *archive.AnchorConfig) { c.RetentionDays = 730 }) // a writer's own
		if n := len(got); n != 5 || !got[s.record(old)].Until.Equal(afterDays(90+9+730+30+1)) {
			t.Errorf("with a longer retention: %v", got)
		}
	})
}

// Genesis is renewed like a key that can sign, and outlives every record.
func TestRenewGenesis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		time.Sleep(3650*oneDay - 400*oneDay)
		got := s.renew()
		a := got[archive.GenesisKey]
		if len(got) != 2 || !a.Until.Equal(got[s.record(s.key)].Until) || !a.Before.Equal(afterDays(3650)) {
			t.Errorf("%+v", got)
		}
	})
}

// A policy that was raised, or an extension that was recorded, makes anchors be needed longer, but never beyond the cap.
func TestRenewAnchorsByActs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.act(archive.TypedAct{Type: archive.ActPolicyChanged, Act: &archive.PolicyChanged{Retention: archive.RetentionPolicy{Days: 500, MaxDays: 3650}, Reason: "r"}},
			archive.TypedAct{Type: archive.ActPolicyChanged, Act: &archive.PolicyChanged{Retention: archive.RetentionPolicy{Days: 365, MaxDays: 3650}, Reason: "lowered again"}})
		want := afterDays(90 + 30 + 9 + 500 + 30 + 90)
		got := s.renew()
		if a := got[s.record(s.key)]; len(got) != 2 || a.Until.Sub(want).Abs() > oneDay {
			t.Errorf("%+v, want until %s", got, want)
		}

		custodian := s.newKey(keys.RoleCustodian, "custodian.*", keys.AlgorithmEd25519)
		for _, days := range []int{2000, 36000} {
			err := archive.RecordActs(t.Context(), s.acts(custodian), archive.TypedAct{Type: archive.ActRetentionExtended, Act: &archive.RetentionExtended{
				Streams: []string{"app.*"}, From: archive.Instant{Time: afterDays(0)}, To: archive.Instant{Time: afterDays(1)},
				RetainUntil: archive.Second{Time: afterDays(days)}, Objects: 1, Reason: "r"}})
			if err != nil {
				t.Fatal(err)
			}
		}
		got = s.renew()
		if a := got[s.record(s.key)]; a.Until.Before(afterDays(2000)) || a.Until.After(afterDays(2000+91)) || got[s.record(s.admin)].Key != "" {
			t.Errorf("%+v, want until %s", got, afterDays(2000))
		}
	})
}

// A key of role online is needed as long as what it vouched for, even when it is itself long retired.
func TestRenewAnchorOfAnOnlineKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		bundle, record, err := keys.NewKey(s.log.ID, keys.RoleOnline, "online.*", keys.AlgorithmEd25519, map[string]string{"kind": "test"}, "")
		if err != nil {
			t.Fatal(err)
		}
		b, id, err := keys.SignRecord(record, s.recovery.Signer())
		if err != nil {
			t.Fatal(err)
		}
		must(s.log.CreateRecord(t.Context(), s.mem, id, b))(t)
		online := must(bundle.SigningKey(record))(t)
		_, writer, err := keys.NewKey(s.log.ID, keys.RoleWriter, "b.*", keys.AlgorithmEd25519, map[string]string{"kind": "test"}, "")
		if err != nil {
			t.Fatal(err)
		}
		b, writerID, err := keys.SignRecord(writer, online.Signer())
		if err != nil {
			t.Fatal(err)
		}
		must(s.log.CreateRecord(t.Context(), s.mem, writerID, b))(t)
		s.act(keyAct(archive.ActKeyRetired, id, time.Now()))
		time.Sleep(200 * oneDay)
		got := s.renew()
		if a, w := got[archive.RecordKey(id)], got[archive.RecordKey(writerID)]; a.Until.IsZero() || a.Until.After(w.Until) || a.Until.Before(afterDays(200+90+30+9+365+30)) {
			t.Errorf("%+v and what it vouched for, %+v", a, w)
		}
	})
}

// Only the version that is believed is touched, whatever lies over it; locks of another mode become COMPLIANCE, and
// nothing becomes shorter.
func TestRenewTheBelievedVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		raw, key := s.mem.Raw(), s.record(s.key)
		o := must(s.mem.Head(t.Context(), key, ""))(t)
		governed := archive.Lock{Mode: archive.Governance, RetainUntil: afterDays(5000)}
		if err := raw.SetLock(key, o.VersionID, governed); err != nil {
			t.Fatal(err)
		}
		junk := must(raw.PutVersion(key, []byte("junk"), archive.Lock{}, time.Time{}))(t)
		list := must(archive.RenewAnchors(t.Context(), s.anchors()))(t)
		if len(list) != 1 || list[0].VersionID != o.VersionID || !list[0].Until.Equal(afterDays(5000)) {
			t.Errorf("%+v", list)
		}
		if now := must(s.mem.Head(t.Context(), key, o.VersionID))(t); now.Lock.Mode != archive.Compliance || !now.Lock.RetainUntil.Equal(afterDays(5000)) {
			t.Errorf("%+v", now.Lock)
		}
		if now := must(s.mem.Head(t.Context(), key, junk))(t); now.Lock.Mode != "" {
			t.Errorf("what lies over it was locked: %+v", now.Lock)
		}
	})
}

// A century is the most that S3 locks.
func TestRenewWithinTheBoundOfS3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		got := s.renew(func(c *archive.AnchorConfig) { c.RotationDays = 40_000 })
		if len(got) != 2 || !got[archive.GenesisKey].Until.Equal(afterDays(36_500)) {
			t.Errorf("%+v", got)
		}
		if got := s.renew(func(c *archive.AnchorConfig) { c.RotationDays = 40_000 }); len(got) != 0 {
			t.Errorf("a second run: %+v", got)
		}
	})
}

func TestRenewAnchorsRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(s *site, c *archive.AnchorConfig)
		says    string
		renewed int
	}{
		{"a copy", func(s *site, c *archive.AnchorConfig) { c.Store = s.copied() }, "is a copy", 0},
		{"no log.json", func(s *site, _ *archive.AnchorConfig) { s.mem.Raw().RemoveKey(archive.GenesisKey) }, "log.json", 0},
		{"an edited log.json", func(s *site, _ *archive.AnchorConfig) {
			o, _ := s.mem.Head(s.t.Context(), archive.GenesisKey, "")
			s.mem.Raw().ReplaceBody(archive.GenesisKey, o.VersionID, []byte("x\n"), true)
		}, "log.json is not to be believed", 0},
		{"no store", func(_ *site, c *archive.AnchorConfig) { c.Store = nil }, "needs a store", 0},
		{"locks that may not be seen", func(s *site, _ *archive.AnchorConfig) { s.mem.Raw().Deny(archivetest.GetObjectRetention, "keys/") }, "s3:GetObjectRetention", 0},
		{"locks that may not be changed", func(s *site, _ *archive.AnchorConfig) {
			s.mem.Raw().Deny(archivetest.PutObjectRetention, s.record(s.key))
		}, "extending its lock", 1},
		{"acts that may not be read", func(s *site, _ *archive.AnchorConfig) { s.mem.Raw().Deny(archivetest.GetObject, "control/") }, "could not all be read", 3}, // the retired one too
		{"acts that may not be listed", func(s *site, _ *archive.AnchorConfig) { s.mem.Raw().Deny(archivetest.ListBucketVersions, "control/") }, "could not all be read", 3},
		{"a record that may not be read", func(s *site, _ *archive.AnchorConfig) { s.mem.Raw().Deny(archivetest.GetObject, s.record(s.key)) }, "read-failed", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.act(keyAct(archive.ActKeyRetired, s.chained("old.*", "").ID(), time.Now()))
				time.Sleep(100 * oneDay)
				c := s.anchors()
				tt.change(s, &c)
				got, err := archive.RenewAnchors(t.Context(), c)
				if err == nil || !strings.Contains(err.Error(), tt.says) || len(got) != tt.renewed {
					t.Errorf("%d renewed: %v, %v", len(got), got, err)
				}
			})
		})
	}
}

// Every call of the renewal is disturbed in both forms. In the end the locks are right, or there is an error; and the
// others are extended whatever becomes of one.
func TestRenewAnchorsDisturbed(t *testing.T) {
	for _, op := range []archivetest.Op{archivetest.OpExtendRetention, archivetest.OpHead} {
		for _, form := range archivetest.Forms {
			for _, fault := range append(slices.Clone(transient), archive.ErrDenied, archive.ErrNotFound) {
				for _, call := range []int{1, 0} {
					t.Run(fmt.Sprintf("%s/%s/%v/%d", op, form, fault, call), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							s := newSite(t)
							s.chained("b.*", "")
							time.Sleep(100 * oneDay)
							faulty := archivetest.NewFaulty(s.mem, archivetest.Fault{Op: op, Key: "keys/*", Call: call, Form: form, Err: fault})
							c := s.anchors()
							c.Store = faulty
							got, err := archive.RenewAnchors(t.Context(), c)
							passes := slices.Contains(transient, fault)
							// Once, a passing error is overcome; always, what counts is whether the store shows the new lock.
							fine := passes && call == 1 || op == archivetest.OpExtendRetention && form == archivetest.AfterEffect
							if (err == nil) != fine || len(faulty.Unstruck()) > 0 {
								t.Errorf("%v, want success %v", err, fine)
							}
							if err != nil && !errors.Is(err, fault) {
								t.Errorf("the error does not say why: %v", err)
							}
							if want := map[bool]int{true: 2, false: 2 * call / (call + 1)}[err == nil]; len(got) != want {
								t.Errorf("%d renewed, want %d: %v", len(got), want, err)
							}
							if again := s.renew(); err == nil && len(again) != 0 {
								t.Errorf("not all was renewed: %v", again)
							}
							if again := s.renew(); len(again) != 0 {
								t.Errorf("a third run: %v", again)
							}
						})
					})
				}
			}
		}
	}
}

// lying is a store that takes an extension and does nothing.
type lying struct{ archive.Store }

func (lying) ExtendRetention(context.Context, string, string, time.Time) error { return nil }

func TestRenewLooksAtTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		time.Sleep(100 * oneDay)
		c := s.anchors()
		c.Store = lying{s.mem}
		if got, err := archive.RenewAnchors(t.Context(), c); err == nil || len(got) != 0 || !strings.Contains(err.Error(), "shows the lock") {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// Two runs at once do no harm.
func TestRenewAnchorsTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		time.Sleep(100 * oneDay)
		pause := archivetest.NewPause()
		c := s.anchors()
		c.Store = archivetest.NewFaulty(s.mem, archivetest.Fault{Op: archivetest.OpExtendRetention, Call: 1, Err: nil, Pause: pause})
		done := make(chan error)
		go func() {
			_, err := archive.RenewAnchors(t.Context(), c)
			done <- err
		}()
		<-pause.Reached()
		s.renew()
		pause.Resume()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A thief's record that names the key in force as the one before does not keep that from being renewed.
func TestRenewDespiteAThiefsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		k := s.chained("b.*", "")
		time.Sleep(time.Hour)
		since := time.Now()
		s.chained("b.*", k.ID())
		s.act(keyAct(archive.ActKeyCompromised, s.online.Authority().ID(), since))
		time.Sleep(200 * oneDay)
		if got := s.renew(); got[s.record(k)].Key == "" {
			t.Errorf("renewed: %v", got)
		}
	})
}

// A rotation that was given up after the record was published has ended nothing: the key goes on until the next one.
func TestRenewAfterARotationThatWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		k := s.chained("b.*", "")
		time.Sleep(10 * oneDay)
		s.chained("b.*", k.ID())
		time.Sleep(290 * oneDay)
		s.chained("b.*", k.ID()) // until now it signed
		if got, need := s.renew()[s.record(k)], afterDays(300+9+365); got.Until.Before(need) {
			t.Errorf("renewed until %s, and needed until %s", got.Until, need)
		}
	})
}
