package archive_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

// maxSkew is as far as the clocks of a writer and of the store may be apart.
const maxSkew = 5*time.Minute - time.Second

// A writer whose clock is nearly five minutes off the store's: streams that open, beat, turn their key and end, across
// midnights, are intact.
func TestClocksApart(t *testing.T) {
	for _, skew := range []time.Duration{-maxSkew, maxSkew} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(1000*time.Hour - 5*time.Minute) // shortly before an hour, and some time before a midnight
				s := newSite(t)
				k := &turning{key: s.key}
				w := s.open(k.use, func(c *archive.WriterConfig) {
					c.Heartbeat = 10 * time.Minute
					c.Now = func() time.Time { return time.Now().Add(skew) }
				})
				var ids []string
				var pending []archive.Pending
				for i := range 9 * 24 * 2 {
					id, p := s.add(w, fmt.Sprint(i, "-"), 1)
					ids, pending = append(ids, id...), append(pending, p...)
					if i%50 == 49 {
						k.set(s.writerKey(), nil) // published and used at once
						time.Sleep(time.Minute)
						synctest.Wait()
						id, p := s.add(w, fmt.Sprint(i, "-new-"), 1)
						ids, pending = append(ids, id...), append(pending, p...)
					}
					time.Sleep(29*time.Minute + 59*time.Second)
				}
				s.close(w)
				items := s.acknowledged(pending)
				a := s.recheck()
				a.once(t, ids...)
				a.continued(t)
				s.agree(a, items)
				s.intact()
				if n := w.Stats().KeyTurns; n != 8 {
					t.Errorf("%d turns", n)
				}
			})
		})
	}
}

// A key that is retired from a date on, and a writer that has another idea of that date: what counts is the store's, and a
// day of grace is information.
func TestRetiredKeyAndClocksApart(t *testing.T) {
	for _, skew := range []time.Duration{-maxSkew, maxSkew} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(1000 * time.Hour) // no time before the year 2000 exists
				s := newSite(t)
				acts := s.newKey(keys.RoleAuthority, "authority.*", keys.AlgorithmEd25519)
				since := time.Now().Add(24 * time.Hour)
				if err := archive.RecordActs(t.Context(), archive.ActsConfig{Store: s.mem, Log: s.log, Key: acts}, archive.TypedAct{
					Type: archive.ActKeyRetired, Act: &archive.KeyAct{KeyID: s.key.ID(), Since: archive.Second{Time: since}, Reason: "rotated"},
				}); err != nil {
					t.Fatal(err)
				}
				k := &turning{key: s.key}
				w := s.open(k.use, smallBatches(1), func(c *archive.WriterConfig) {
					c.Now = func() time.Time { return time.Now().Add(skew) }
				})
				s.add(w, "before", 1)
				time.Sleep(24*time.Hour - time.Second)
				s.add(w, "just-before", 1)
				time.Sleep(time.Minute)
				s.add(w, "after", 1)
				k.set(s.writerKey(), nil)
				time.Sleep(time.Minute)
				s.add(w, "new", 1)
				s.close(w)
				r := must(archive.Verify(t.Context(), archive.VerifyConfig{Store: s.mem, LogID: s.log.ID, Copies: s, RequireHMAC: true}))(t)
				if r.Verdict != archive.Intact {
					t.Errorf("%s %v", r, r.Findings)
				}
				for _, f := range r.Findings {
					if f.Code != archive.CodeKeyRetired || f.Verdict != archive.Information || strings.Contains(f.Key, "control/") {
						t.Error(f)
					}
				}
			})
		})
	}
}
