package archive_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// TestCreateUntilKnown is the loop that all objects are created by, seen through the creation of a key record.
func TestCreateUntilKnown(t *testing.T) {
	var key string
	var record []byte
	lockFor := func(d time.Duration) archive.Lock {
		return archive.Lock{Mode: archive.Compliance, RetainUntil: archive.Retain(time.Now().Add(d), 365+180)}
	}
	lost := archivetest.Fault{Op: archivetest.OpCreate, Call: 1, Form: archivetest.AfterEffect, Err: archive.ErrUncertain}
	put := func(s *site, body []byte, l archive.Lock) {
		must(s.mem.Raw().PutVersion(key, body, l, time.Time{}))(s.t)
	}
	for _, tt := range []struct {
		name      string
		before    func(*site)
		plan      []archivetest.Fault
		want      error // nil: success
		uncertain bool
		versions  int
	}{
		{"plain", nil, nil, nil, false, 1},
		{"reply lost", nil, []archivetest.Fault{lost}, nil, false, 1},
		{"the same is there", func(s *site) { put(s, record, lockFor(0)) }, nil, nil, false, 1},
		{"the same is there, locked for longer", func(s *site) { put(s, record, lockFor(48*time.Hour)) }, nil, nil, false, 1},
		{"the same is there, locked for less", func(s *site) { put(s, record, lockFor(-48*time.Hour)) }, nil, archive.ErrTaken, false, 1},
		{"the same is there, not locked", func(s *site) { put(s, record, archive.Lock{}) }, nil, archive.ErrTaken, false, 1},
		{"the same is there, in governance", func(s *site) {
			l := lockFor(0)
			l.Mode = archive.Governance
			put(s, record, l)
		}, nil, archive.ErrTaken, false, 1},
		{"the same is there, its lock hidden", func(s *site) {
			put(s, record, lockFor(0))
			s.mem.Raw().Deny(archivetest.GetObjectRetention, "")
		}, nil, nil, false, 1},
		{"something else of that size is there", func(s *site) {
			put(s, make([]byte, len(record)), lockFor(0))
		}, nil, archive.ErrTaken, false, 1},
		{"no checksum is there", func(s *site) {
			must(s.mem.Raw().InsertVersion(archivetest.RawVersion{Key: key, Body: record, Lock: lockFor(0)}, archivetest.Newest))(s.t)
		}, nil, archive.ErrTaken, false, 1},
		{"reply lost, and no permission to read back", func(s *site) {
			s.mem.Raw().Deny(archivetest.GetObject, "")
		}, []archivetest.Fault{lost}, archive.ErrTaken, false, 1},
		{"a delete marker is there", func(s *site) { must(s.mem.Raw().DeleteMarker(key))(s.t) }, nil, nil, false, 2},
		{"denied", nil, []archivetest.Fault{{Op: archivetest.OpCreate, Err: archive.ErrDenied}}, archive.ErrDenied, false, 0},
		{"refused", nil, []archivetest.Fault{{Op: archivetest.OpCreate, Err: archive.ErrRefused}}, archive.ErrRefused, false, 0},
		{"reply lost, then denied", nil, []archivetest.Fault{lost, {Op: archivetest.OpCreate, Call: 2, Err: archive.ErrDenied}},
			archive.ErrDenied, true, 1},
		{"always throttled", nil, []archivetest.Fault{{Op: archivetest.OpCreate, Err: archive.ErrThrottled}},
			context.DeadlineExceeded, false, 0},
		{"request always lost", nil, []archivetest.Fault{{Op: archivetest.OpCreate, Err: archive.ErrUncertain}},
			context.DeadlineExceeded, true, 0},
		{"an unknown kind of error", nil, []archivetest.Fault{{Op: archivetest.OpCreate, Err: errors.New("odd")}},
			context.DeadlineExceeded, true, 0},
		{"there is something that never reads back", func(s *site) { put(s, record, lockFor(0)) },
			[]archivetest.Fault{{Op: archivetest.OpHead, Err: archive.ErrUncertain}}, context.DeadlineExceeded, true, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				signing, b := s.unpublishedKey(keys.RoleWriter, "app.*", keys.AlgorithmEd25519)
				record, key = b, archive.RecordKey(signing.ID())
				if tt.before != nil {
					tt.before(s)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				placed, err := s.log.CreateRecord(ctx, archivetest.NewFaulty(s.mem, tt.plan...), signing.ID(), record)
				if !errors.Is(err, tt.want) || (err != nil) != (tt.want != nil) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				if errors.Is(err, archive.ErrUncertain) != tt.uncertain {
					t.Errorf("that it may exist is %v: %v", !tt.uncertain, err)
				}
				n := 0
				for v := range s.mem.Raw().All() {
					if v.Key != key {
						continue
					}
					if n++; n == 1 && err == nil && (v.VersionID != placed.VersionID || v.Lock.RetainUntil.Before(placed.RetainUntil)) {
						t.Errorf("placed %+v, there is version %s until %s", placed, v.VersionID, v.Lock.RetainUntil)
					}
				}
				if n != tt.versions {
					t.Errorf("%d versions, want %d", n, tt.versions)
				}
			})
		})
	}
}
