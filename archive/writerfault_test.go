package archive_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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

// transient are the errors after which the same bytes are tried again.
var transient = []error{archive.ErrUncertain, archive.ErrConflict, archive.ErrThrottled, context.DeadlineExceeded}

// Each create of a run is disturbed in both forms by each transient error; the retry always works.
func TestEveryCreateDisturbed(t *testing.T) {
	const creates = 5 // three segments, two manifests or more, as batches happen to be grouped
	for _, form := range archivetest.Forms {
		for _, fault := range transient {
			if form == archivetest.AfterEffect && fault == archive.ErrThrottled {
				continue // what was throttled has not happened
			}
			for call := 1; call <= creates; call++ {
				t.Run(fmt.Sprintf("%s/%v/%d", form, fault, call), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := newSite(t)
						faulty := archivetest.NewFaulty(s.mem, archivetest.Fault{
							Op: archivetest.OpCreate, Call: call, Form: form, Err: fault,
						})
						w := s.open(onStore(faulty), smallBatches(2))
						ids, pending := s.add(w, "r", 4)
						flush(t, w)
						more, morePending := s.add(w, "s", 2)
						s.close(w)
						a := s.recheck()
						a.once(t, append(ids, more...)...)
						s.agree(a, s.acknowledged(append(pending, morePending...)))
						if len(a.streams) != 1 || len(a.orphans) != 0 || len(s.mem.Overwrites()) != 0 {
							t.Errorf("%d streams, orphans %q, overwrites %q", len(a.streams), a.orphans, s.mem.Overwrites())
						}
						if left := faulty.Unstruck(); len(left) != 0 {
							t.Errorf("not tried: %+v", left)
						}
					})
				})
			}
		}
	}
}

// A lost reply, and the read-back that follows is disturbed as well.
func TestReadBackDisturbed(t *testing.T) {
	for _, kind := range []string{"segments", "manifests"} {
		for _, err := range append(slices.Clone(transient), archive.ErrNotFound) {
			t.Run(fmt.Sprintf("%s/%v", kind, err), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSite(t)
					w := s.open(onStore(archivetest.NewFaulty(s.mem,
						archivetest.Fault{Op: archivetest.OpCreate, Key: kind + "/*", Call: 1, Form: archivetest.AfterEffect, Err: archive.ErrUncertain},
						archivetest.Fault{Op: archivetest.OpHead, Key: kind + "/*", Call: 1, Err: err})))
					ids, pending := s.add(w, "r", 3)
					s.close(w)
					a := s.recheck()
					a.once(t, ids...)
					s.agree(a, s.acknowledged(pending))
				})
			})
		}
	}
}

// Calls at the start fail the start, and say which it was.
func TestOpenDisturbed(t *testing.T) {
	for _, op := range []archivetest.Op{archivetest.OpNow, archivetest.OpSettings, archivetest.OpHead} {
		for _, form := range archivetest.Forms {
			for _, err := range []error{archive.ErrUncertain, archive.ErrThrottled} {
				s := newSite(t)
				c := s.config()
				c.Store = archivetest.NewFaulty(s.mem, archivetest.Fault{Op: op, Form: form, Err: err})
				if w, got := archive.OpenWriter(t.Context(), c); w != nil || !errors.Is(got, err) {
					t.Errorf("%s %s: %v", op, form, got)
				}
			}
		}
	}
}

// A process that ends at any create, before or after it took effect, loses nothing that was acknowledged. The next one
// goes on, and what is handed over again is found under its ID.
func TestCrashAtEveryCreate(t *testing.T) {
	for _, form := range archivetest.Forms {
		for call := 1; call <= 7; call++ {
			t.Run(fmt.Sprintf("%s/%d", form, call), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSite(t)
					faulty := archivetest.NewFaulty(s.mem, archivetest.Fault{
						Op: archivetest.OpCreate, Call: call, Form: form, Stop: true,
					})
					w := s.open(onStore(faulty), smallBatches(2))
					var acknowledged []archive.ReceiptItem
					var lost []string
					for i := range 4 {
						ids, pending := s.add(w, fmt.Sprintf("r%d-", i), 2)
						ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
						for j, p := range pending {
							item, err := p.Wait(ctx)
							if err != nil {
								lost = append(lost, ids[j])
								continue
							}
							acknowledged = append(acknowledged, item)
						}
						cancel()
					}
					select {
					case <-faulty.Stopped():
					default:
						t.Fatal("no crash")
					}
					ctx, cancel := context.WithCancel(t.Context())
					cancel()
					if err := w.Close(ctx); err == nil {
						t.Error("closed without an error")
					}
					s.agree(s.recheck(), acknowledged)
					again := s.open()
					for _, id := range lost {
						must(again.Append(t.Context(), archive.Record{ID: id}))(t)
					}
					s.close(again)
					a := s.recheck()
					s.agree(a, acknowledged)
					s.intact()
					for _, id := range lost {
						if len(a.byID[id]) == 0 {
							t.Errorf("%s is not archived", id)
						}
					}
				})
			})
		}
	}
}

// squat puts a foreign object under the next key that fits, just before the writer's own create.
type squat struct {
	archive.Store
	s    *site
	kind string
	nth  int

	mu    sync.Mutex
	times int
	seen  int
}

func (q *squat) Create(ctx context.Context, key string, body []byte, o archive.CreateOptions) (archive.Created, error) {
	if q.strikes(key) {
		if _, err := q.Store.Create(context.WithoutCancel(ctx), key, []byte("foreign"), archive.CreateOptions{
			RetainUntil: o.RetainUntil, SHA256: archive.ManifestDigest([]byte("foreign")),
		}); err != nil {
			q.s.t.Error(err)
		}
	}
	return q.Store.Create(ctx, key, body, o)
}

func (q *squat) strikes(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !strings.HasPrefix(key, q.kind) || q.times == 0 {
		return false
	}
	q.seen++
	if q.seen >= q.nth {
		q.times--
		return true
	}
	return false
}

func (q *squat) dropForeign() {
	for v := range q.s.mem.Raw().All() {
		if string(v.Body) == "foreign" {
			_ = q.s.mem.Raw().RemoveKey(v.Key)
		}
	}
}

// Somebody else writes under our keys: the writer leaves the stream, continues it in a new one, and loses nothing.
func TestFenced(t *testing.T) {
	for _, kind := range []string{"segments/", "manifests/"} {
		for nth := 1; nth <= 3; nth++ {
			for times := 1; times <= 2; times++ {
				t.Run(fmt.Sprintf("%s/%d/%d", kind, nth, times), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := newSite(t)
						q := &squat{Store: s.mem, kind: kind, nth: nth, times: times, s: s}
						w := s.open(onStore(q), smallBatches(2))
						var ids []string
						var pending []archive.Pending
						for i := range 4 {
							id, p := s.add(w, fmt.Sprintf("r%d-", i), 3)
							ids, pending = append(ids, id...), append(pending, p...)
							if i == 1 {
								flush(t, w)
							}
						}
						items := s.acknowledged(pending)
						s.close(w)
						q.dropForeign()
						a := s.recheck()
						a.once(t, ids...)
						s.agree(a, items)
						s.intact()
						if got := w.Stats(); got.Fenced < 1 || got.Fenced > uint64(times) || len(got.Streams) != int(got.Fenced)+1 || got.Archived != 12 {
							t.Errorf("stats %+v", got)
						}
						for i, st := range a.streams[1:] {
							c := st.manifests[0].Open.Continues
							if before := a.streams[i]; c == nil || c.Stream != before.name || c.SHA256 != before.hashes[len(before.hashes)-1] {
								t.Errorf("stream %d continues %+v", i+1, c)
							}
						}
					})
				})
			}
		}
	}
}

// Without the permission to read back, a lost reply fences: the entries are in the archive twice, under the same IDs.
func TestFencedWithoutReadPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.mem.Raw().Deny(archivetest.GetObject, "manifests/")
		w := s.open(onStore(archivetest.NewFaulty(s.mem, archivetest.Fault{
			Op: archivetest.OpCreate, Key: "manifests/*", Call: 1, Form: archivetest.AfterEffect, Err: archive.ErrUncertain,
		})))
		ids, pending := s.add(w, "r", 3)
		items := s.acknowledged(pending)
		s.close(w)
		a := s.recheck()
		a.once(t, append(ids, ids...)...)
		s.mem.Raw().AllowAll()
		s.intact()
		for i, item := range items {
			if e := a.byID[ids[i]][1]; e.leaf != item.Leaf {
				t.Errorf("the receipt of %s is not for its last place", ids[i])
			}
		}
	})
}

// The last stream is lost while it ends: what is left ends it in a stream between it and its successor.
func TestFencedWhileStreamsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		pause := archivetest.NewPause()
		faulty := archivetest.NewFaulty(s.mem, archivetest.Fault{
			Op: archivetest.OpCreate, Key: "segments/*", Call: 2, Pause: pause,
		})
		q := &squat{Store: faulty, kind: "segments/", nth: 2, times: 1, s: s}
		w := s.open(onStore(q), func(c *archive.WriterConfig) { c.StreamAge = 16 * time.Hour })
		ids, _ := s.add(w, "a", 2)
		flush(t, w)
		more, _ := s.add(w, "b", 2)
		<-pause.Reached()
		time.Sleep(15*time.Hour + time.Minute) // the next stream is there
		last, pending := s.add(w, "c", 2)
		pause.Resume()
		s.acknowledged(pending)
		s.close(w)
		q.dropForeign()
		a := s.recheck()
		a.once(t, append(append(ids, more...), last...)...)
		if len(a.streams) != 3 {
			t.Fatalf("%d streams", len(a.streams))
		}
		for i, st := range a.streams {
			m := st.manifests[len(st.manifests)-1]
			if m.Final != (i > 0) {
				t.Errorf("stream %d: final is %v", i, m.Final)
			}
			if i > 0 && st.manifests[0].Open.Continues.Stream != a.streams[i-1].name {
				t.Errorf("stream %d continues another one", i)
			}
		}
	})
}

// A store that says of every key that it is taken does not keep the writer busy for ever.
func TestFencedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		w := s.open(onStore(&squat{Store: s.mem, kind: "segments/", nth: 1, times: 1000, s: s}))
		_, pending := s.add(w, "r", 2)
		_, err := pending[0].Wait(t.Context())
		if !errors.Is(err, archive.ErrNotArchived) || errors.Is(err, archive.ErrUncertain) {
			t.Errorf("wait: %v", err)
		}
		if err := w.Close(t.Context()); !errors.Is(err, archive.ErrTaken) {
			t.Errorf("close: %v", err)
		}
	})
}

// An entry that was not acknowledged says whether it may be in the archive.
func TestGivenUp(t *testing.T) {
	for _, tt := range []struct {
		name      string
		fault     archivetest.Fault
		err       error
		uncertain bool // of the first batch; what of the second was written depends on how fast it was
	}{
		{"segment denied", archivetest.Fault{Key: "segments/*", Err: archive.ErrDenied}, archive.ErrDenied, false},
		{"segment refused", archivetest.Fault{Key: "segments/*", Err: archive.ErrRefused}, archive.ErrRefused, false},
		{"segment unknown", archivetest.Fault{Key: "segments/*", Err: archive.ErrUncertain}, archive.ErrUncertain, true},
		{"segment throttled", archivetest.Fault{Key: "segments/*", Err: archive.ErrThrottled}, archive.ErrThrottled, false},
		{"manifest denied", archivetest.Fault{Key: "manifests/*", Err: archive.ErrDenied}, archive.ErrDenied, true},
		{"manifest unknown", archivetest.Fault{Key: "manifests/*", Form: archivetest.AfterEffect, Err: archive.ErrUncertain},
			archive.ErrUncertain, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				tt.fault.Op = archivetest.OpCreate
				s.mem.Raw().Deny(archivetest.GetObject, "nothing")
				store := archivetest.NewFaulty(s.mem, tt.fault,
					archivetest.Fault{Op: archivetest.OpHead, Key: "manifests/*", Err: archive.ErrUncertain})
				w := s.open(onStore(store), smallBatches(2), func(c *archive.WriterConfig) { c.GiveUpAfter = time.Minute })
				var pending []archive.Pending
				for range 4 {
					p, err := w.Append(t.Context(), archive.Record{})
					if errors.Is(err, archive.ErrClosed) {
						break // it has ended by now
					}
					if err != nil {
						t.Fatal(err)
					}
					pending = append(pending, p)
				}
				for i, p := range pending {
					_, err := p.Wait(t.Context())
					if !errors.Is(err, archive.ErrNotArchived) || i < 2 && errors.Is(err, archive.ErrUncertain) != tt.uncertain {
						t.Errorf("entry %d: %v", i, err)
					}
				}
				if !errors.Is(w.Err(), tt.err) {
					t.Errorf("the writer ended with %v", w.Err())
				}
				if _, err := w.Append(t.Context(), archive.Record{}); !errors.Is(err, archive.ErrClosed) || !errors.Is(err, tt.err) {
					t.Errorf("append: %v", err)
				}
				if err := w.Flush(t.Context()); !errors.Is(err, tt.err) {
					t.Errorf("flush: %v", err)
				}
				if err := w.Close(t.Context()); !errors.Is(err, tt.err) {
					t.Errorf("close: %v", err)
				}
			})
		})
	}
}

func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		pause := archivetest.NewPause()
		w := s.open(onStore(archivetest.NewFaulty(s.mem, archivetest.Fault{Op: archivetest.OpCreate, Pause: pause})),
			func(c *archive.WriterConfig) { c.BatchBytes, c.MaxPendingBytes = 10_000, 20_000 })
		var ids []string
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			id := fmt.Sprint(len(ids))
			_, err := w.Append(ctx, archive.Record{ID: id, Data: []byte(`"` + strings.Repeat("x", 1000) + `"`)})
			cancel()
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("append: %v", err)
				}
				break
			}
			ids = append(ids, id)
		}
		if n := len(ids); n < 10 || n > 16 {
			t.Errorf("%d entries of 1.3 KB were accepted before 20 KB were pending", n)
		}
		blocked := make(chan error)
		go func() {
			_, err := w.Append(t.Context(), archive.Record{ID: "blocked"})
			blocked <- err
		}()
		synctest.Wait()
		pause.Resume()
		if err := <-blocked; err != nil {
			t.Errorf("append after the archive came back: %v", err)
		}
		s.close(w)
		s.recheck().once(t, append(ids, "blocked")...)
	})
}

// While the archive is away, small batches grow instead of becoming many.
func TestBatchesGrowWhileTheArchiveIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		pause := archivetest.NewPause()
		w := s.open(onStore(archivetest.NewFaulty(s.mem, archivetest.Fault{Op: archivetest.OpCreate, Pause: pause})))
		var ids []string
		for i := range 100 {
			id, _ := s.add(w, fmt.Sprintf("%d-", i), 1)
			ids = append(ids, id...)
			time.Sleep(10 * time.Second)
		}
		pause.Resume()
		s.close(w)
		s.recheck().once(t, ids...)
		if n := w.Stats().Segments; n > 6 {
			t.Errorf("%d segments", n)
		}
	})
}

// The archive is away for longer than a stream may be late: what is left goes to a new stream, with a promise that its
// manifests outlive.
func TestAwayForDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		pause := archivetest.NewPause()
		w := s.open(onStore(archivetest.NewFaulty(s.mem, archivetest.Fault{Op: archivetest.OpCreate, Call: 3, Pause: pause})),
			smallBatches(2), func(c *archive.WriterConfig) { c.Uploads, c.StreamAge = 1, time.Hour })
		ids, _ := s.add(w, "a", 2)
		flush(t, w)
		more, pending := s.add(w, "b", 4)
		<-pause.Reached()
		time.Sleep(72 * time.Hour)
		pause.Resume()
		s.acknowledged(pending)
		last, _ := s.add(w, "c", 2)
		s.close(w)
		s.recheck().once(t, append(append(ids, more...), last...)...)
		s.intact()
	})
}

func TestCancelledWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		pause := archivetest.NewPause()
		w := s.open(onStore(archivetest.NewFaulty(s.mem, archivetest.Fault{Op: archivetest.OpCreate, Pause: pause})))
		_, pending := s.add(w, "r", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := pending[0].Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, archive.ErrNotArchived) {
			t.Errorf("wait: %v", err)
		}
		if err := w.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush: %v", err)
		}
		if _, err := w.Receipts(ctx, pending...); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("receipts: %v", err)
		}
		if _, ok := pending[0].Index(); ok || pending[0].Stream() != "" {
			t.Error("the entry has a place before it is archived")
		}
		if _, err := w.Append(ctx, archive.Record{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("append with a context that has ended: %v", err)
		}
		if err := w.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close: %v", err)
		}
		if _, err := pending[0].Wait(t.Context()); !errors.Is(err, archive.ErrNotArchived) || !errors.Is(err, archive.ErrUncertain) {
			t.Errorf("wait after close: %v", err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	const days = 365
	for name, tt := range map[string]struct {
		change func(*site, *archive.WriterConfig)
		want   error
		text   string
	}{
		"clock behind": {func(_ *site, c *archive.WriterConfig) {
			c.Now = func() time.Time { return time.Now().Add(-6 * time.Minute) }
		}, archive.ErrClock, ""},
		"clock ahead": {func(_ *site, c *archive.WriterConfig) {
			c.Now = func() time.Time { return time.Now().Add(time.Hour) }
		}, archive.ErrClock, ""},
		"no lock": {func(s *site, _ *archive.WriterConfig) {
			s.mem.Raw().SetSettings(archive.Settings{Versioning: archive.Known[string]{Value: "Enabled"}})
		}, archive.ErrNoObjectLock, ""},
		"no versions": {func(s *site, _ *archive.WriterConfig) {
			s.mem.Raw().SetSettings(archive.Settings{ObjectLock: archive.Known[bool]{Value: true}, Versioning: archive.Known[string]{Value: "Suspended"}})
		}, archive.ErrNoObjectLock, "Suspended"},
		"key of another writer": {func(s *site, c *archive.WriterConfig) { c.Writer = "other" }, archive.ErrKey, "app.*"},
		"key of another role":   {func(s *site, c *archive.WriterConfig) { c.Writer = "verifier" }, archive.ErrKey, "role"},
		"key of another log": {func(s *site, c *archive.WriterConfig) {
			other := newSite(s.t)
			c.Key = func(context.Context) (*keys.SigningKey, error) { return other.key, nil }
		}, archive.ErrKey, "log"},
		"unpublished key": {func(s *site, c *archive.WriterConfig) {
			key, _ := s.unpublishedKey(keys.RoleWriter, "app.*", keys.AlgorithmEd25519)
			c.Key = func(context.Context) (*keys.SigningKey, error) { return key, nil }
		}, archive.ErrKey, "publish"},
		"no key": {func(s *site, c *archive.WriterConfig) {
			c.Key = func(context.Context) (*keys.SigningKey, error) { return nil, keys.ErrNotFound }
		}, keys.ErrNotFound, ""},
		"writer name":     {func(_ *site, c *archive.WriterConfig) { c.Writer = "App" }, nil, "App"},
		"retention short": {func(_ *site, c *archive.WriterConfig) { c.RetentionDays = days - 1 }, nil, "365 to 3650 days"},
		"retention long":  {func(_ *site, c *archive.WriterConfig) { c.RetentionDays = 3651 }, nil, "365 to 3650 days"},
		"stream age":      {func(_ *site, c *archive.WriterConfig) { c.StreamAge = 8 * 24 * time.Hour }, nil, "7 days"},
		"batch bytes":     {func(_ *site, c *archive.WriterConfig) { c.BatchBytes = 32 << 20 }, nil, "bytes"},
		"batch entries":   {func(_ *site, c *archive.WriterConfig) { c.BatchEntries = -1 }, nil, "entries"},
		"pending":         {func(_ *site, c *archive.WriterConfig) { c.MaxPendingBytes = 1 << 20 }, nil, "two batches"},
		"heartbeat":       {func(_ *site, c *archive.WriterConfig) { c.Heartbeat = time.Millisecond }, nil, "seconds"},
		"uploads":         {func(_ *site, c *archive.WriterConfig) { c.Uploads = -1 }, nil, "uploads"},
		"compression":     {func(_ *site, c *archive.WriterConfig) { c.Compression = "gzip" }, nil, "gzip"},
		"software":        {func(_ *site, c *archive.WriterConfig) { c.Software = "é" }, nil, "software"},
		"store":           {func(_ *site, c *archive.WriterConfig) { c.Store = nil }, nil, "store"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c := s.config()
			tt.change(s, &c)
			w, err := archive.OpenWriter(t.Context(), c)
			if err == nil || w != nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

// A role that may only write can do so; what it could not look at is logged.
func TestOpenWithoutReadPermissions(t *testing.T) {
	s := newSite(t)
	for _, a := range []archivetest.Action{archivetest.GetObject, archivetest.ListBucket,
		archivetest.GetBucketObjectLockConfiguration, archivetest.GetBucketVersioning} {
		s.mem.Raw().Deny(a, "")
	}
	var text strings.Builder
	w := s.open(func(c *archive.WriterConfig) { c.Logger = slog.New(slog.NewTextHandler(&text, nil)) })
	ids, _ := s.add(w, "r", 2)
	s.close(w)
	s.recheck().once(t, ids...)
	for _, want := range []string{"Object Lock could not be read", "versions could not be read", "key record could not be looked at"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &text)
		}
	}
}

// The key is away when the stream should change: the old stream goes on as long as it may, then Append waits.
func TestKeyAwayAtReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		var away atomic.Bool
		w := s.open(func(c *archive.WriterConfig) {
			c.StreamAge = 16 * time.Hour
			c.Key = func(context.Context) (*keys.SigningKey, error) {
				if away.Load() {
					return nil, keys.ErrDenied
				}
				return s.key, nil
			}
		})
		away.Store(true)
		time.Sleep(15*time.Hour + 30*time.Minute)
		ids, pending := s.add(w, "a", 2)
		s.acknowledged(pending)
		time.Sleep(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := w.Append(ctx, archive.Record{}); !errors.Is(err, keys.ErrDenied) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("append: %v", err)
		}
		away.Store(false)
		more, _ := s.add(w, "b", 2)
		s.close(w)
		a := s.recheck()
		a.once(t, append(ids, more...)...)
		if len(a.streams) != 2 {
			t.Errorf("%d streams", len(a.streams))
		}
	})
}

// A clock that goes back does not take the timestamps of a stream with it; one that jumps ahead neither shortens retention
// nor stops the writer until the time has come that it had shown.
func TestClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1000 * time.Hour) // no time before the year 2000 exists
		s := newSite(t)
		var jump atomic.Int64
		w := s.open(func(c *archive.WriterConfig) {
			c.Now = func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }
		})
		start := time.Now()
		for i, j := range []time.Duration{0, -time.Minute, -time.Hour, 30 * time.Hour, -48 * time.Hour, 0, 20 * 24 * time.Hour, 0} {
			jump.Store(int64(j))
			s.add(w, fmt.Sprint(i), 2)
			flush(t, w)
		}
		s.close(w)
		if took := time.Since(start); took > time.Hour {
			t.Errorf("the writer waited %s for the clock", took)
		}
		s.intact()
		if n := len(s.recheck().byID); n != 16 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestNoStreamKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		w := s.open(func(c *archive.WriterConfig) { c.NoStreamKey = true }, smallBatches(1))
		ids, _ := s.add(w, "r", 3)
		s.close(w)
		a := s.recheck()
		a.once(t, ids...)
		if a.streams[0].manifests[0].Open.StreamKey != nil {
			t.Error("there is a stream key")
		}
	})
}
