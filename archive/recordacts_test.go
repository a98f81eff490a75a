package archive_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// authority makes and publishes a key of role authority.
func (s *site) authority() *keys.SigningKey {
	return s.newKey(keys.RoleAuthority, "authority.*", keys.AlgorithmEd25519)
}

func (s *site) acts(key *keys.SigningKey) archive.ActsConfig {
	return archive.ActsConfig{Store: s.mem, Log: s.log, Key: key, Software: "test"}
}

func keyAct(kind string, id keys.ID, since time.Time) archive.TypedAct {
	return archive.TypedAct{Type: kind, Act: &archive.KeyAct{KeyID: id, Since: archive.Second{Time: since}, Reason: "test"}}
}

func (s *site) verify(change ...func(*archive.VerifyConfig)) *archive.Report {
	s.t.Helper()
	c := archive.VerifyConfig{Store: s.mem, LogID: s.log.ID, Copies: s, RequireHMAC: true}
	for _, f := range change {
		f(&c)
	}
	return must(archive.Verify(s.t.Context(), c))(s.t)
}

func TestRecordActs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		key := s.authority()
		acts := []archive.TypedAct{
			keyAct(archive.ActKeyRetired, s.key.ID(), time.Now()),
			keyAct(archive.ActKeyCompromised, s.key.ID(), time.Now().Add(time.Hour)),
		}
		for range 2 { // writing them again changes nothing
			if err := archive.RecordActs(t.Context(), s.acts(key), acts...); err != nil {
				t.Fatal(err)
			}
		}
		if r := s.verify(); r.Verdict != archive.Intact || len(r.Findings) > 0 {
			t.Errorf("%s: %v", r, r.Findings)
		}
		a := s.recheck()
		if len(a.streams) != 2 {
			t.Fatalf("%d streams", len(a.streams))
		}
		for _, st := range a.streams {
			if m := st.manifests; !m[len(m)-1].Final || m[0].Open.Liveness != "none" || m[0].Software != "test" {
				t.Errorf("first %+v, last %+v", m[0], m[len(m)-1])
			}
			if len(st.entries) != 2 {
				t.Fatalf("%d entries", len(st.entries))
			}
			for i, e := range st.entries {
				if id := must(acts[i].EntryID())(t); e.id != id || e.entryType != acts[i].Type {
					t.Errorf("entry %d is %s of type %s, want %s", i, e.id, e.entryType, id)
				}
			}
		}
		if one, other := must(acts[0].EntryID())(t), must(acts[1].EntryID())(t); one == other {
			t.Error("two acts have one ID")
		}
	})
}

func TestRecordActsRefuses(t *testing.T) {
	s := newSite(t)
	key, unpublished := s.authority(), must(s.unpublishedAuthority())(t)
	retired := keyAct(archive.ActKeyRetired, s.key.ID(), time.Now())
	for _, tt := range []struct {
		name string
		key  *keys.SigningKey
		act  archive.TypedAct
		err  error
		says string
	}{
		{"a writer's key", s.key, retired, archive.ErrKey, "is for a key of role authority, and key " + string(s.key.ID()) + " has the role writer"},
		{"an act of another role", key, archive.TypedAct{Type: archive.ActHoldReleased, Act: &archive.HoldReleased{Case: "c", Reason: "r"}}, archive.ErrKey, "of role custodian"},
		{"an unpublished key", unpublished, retired, archive.ErrKey, "no record of key"},
		{"no act", key, archive.TypedAct{Type: "wormlog.unheard", Act: retired.Act}, nil, "is no act"},
		{"data of another type", key, archive.TypedAct{Type: archive.ActCountersigned, Act: retired.Act}, archive.ErrMalformed, ""},
		{"without reason", key, archive.TypedAct{Type: archive.ActKeyRetired, Act: &archive.KeyAct{KeyID: s.key.ID(), Since: archive.Second{Time: time.Now()}}}, nil, "reason"},
		{"nothing", nil, retired, nil, "signing key"},
	} {
		err := archive.RecordActs(t.Context(), s.acts(tt.key), retired, tt.act)
		if err == nil || tt.err != nil && !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if a := s.recheck(); len(a.streams) != 0 {
		t.Errorf("%d streams were written", len(a.streams))
	}
}

func (s *site) unpublishedAuthority() (*keys.SigningKey, error) {
	key, _ := s.unpublishedKey(keys.RoleAuthority, "authority.*", keys.AlgorithmEd25519)
	return key, nil
}

// Each create, of the segment and of the manifest, is lost, or its reply is. A run that is then repeated leaves acts that are in force, under the same IDs.
func TestRecordActsDisturbed(t *testing.T) {
	for _, form := range archivetest.Forms {
		for call := 1; call <= 2; call++ {
			for _, stop := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/%v", form, call, stop), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := newSite(t)
						c := s.acts(s.authority())
						act := keyAct(archive.ActKeyCompromised, s.key.ID(), time.Now())
						ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
						defer cancel()
						faulty := archivetest.NewFaulty(s.mem, archivetest.Fault{Op: archivetest.OpCreate, Call: call, Form: form, Err: archive.ErrUncertain, Stop: stop})
						c.Store = faulty
						err := archive.RecordActs(ctx, c, act)
						if (err != nil) != stop || len(faulty.Unstruck()) > 0 {
							t.Fatalf("%v, not tried: %v", err, faulty.Unstruck())
						}
						if stop && call == 2 && !errors.Is(err, archive.ErrUncertain) {
							t.Errorf("the manifest may be there, and the error is %v", err)
						}
						c.Store = s.mem
						if err := archive.RecordActs(t.Context(), c, act); err != nil {
							t.Fatal(err)
						}
						for id, found := range s.recheck().byID {
							if id != must(act.EntryID())(t) || len(found) > 2 {
								t.Errorf("%s is archived %d times", id, len(found))
							}
						}
					})
				})
			}
		}
	}
}
