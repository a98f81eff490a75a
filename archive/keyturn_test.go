package archive_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// turning is a WriterConfig.Key that a test turns, fails and holds.
type turning struct {
	mu    sync.Mutex
	key   *keys.SigningKey
	err   error
	asked int
}

func (k *turning) set(key *keys.SigningKey, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.key, k.err = key, err
}

func (k *turning) get(context.Context) (*keys.SigningKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	return k.key, k.err
}

func (k *turning) use(c *archive.WriterConfig) { c.Key = k.get }

func (s *site) writerKey() *keys.SigningKey {
	return s.newKey(keys.RoleWriter, "app.*", keys.AlgorithmHMACSHA256)
}

// keysOf are the keys that signed the entries of each stream, and its sequence 0.
func (a *archived) keysOf(s *site) (all [][]keys.ID) {
	for _, st := range a.streams {
		var ids []keys.ID
		for _, m := range st.manifests {
			for _, seg := range m.Segments {
				ids = append(ids, seg.KeyIDs...)
			}
		}
		all = append(all, ids)
	}
	return all
}

// continued fails the test unless each stream continues the one before at its final manifest.
func (a *archived) continued(t testing.TB) {
	t.Helper()
	for i, st := range a.streams {
		if m := st.manifests[len(st.manifests)-1]; !m.Final {
			t.Errorf("stream %d has no final manifest", i)
		}
		if i == 0 {
			continue
		}
		before := a.streams[i-1]
		last := len(before.manifests) - 1
		if c := st.manifests[0].Open.Continues; c == nil || c.Stream != before.name || c.Sequence != uint64(last) || c.SHA256 != before.hashes[last] {
			t.Errorf("stream %d continues %+v, want the end of %s", i, c, before.name)
		}
	}
}

// The key turns while a batch is open: that batch is finished with the old key, what follows is signed by the new one, in
// order and in a stream that continues the old one.
func TestKeyTurns(t *testing.T) {
	for _, noStreamKey := range []bool{false, true} {
		t.Run(fmt.Sprintf("no stream key %v", noStreamKey), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				second := s.writerKey()
				k := &turning{key: s.key}
				w := s.open(k.use, func(c *archive.WriterConfig) {
					c.BatchAge, c.Heartbeat, c.NoStreamKey = time.Hour, time.Hour, noStreamKey
				})
				ids, pending := s.add(w, "a", 3)
				flush(t, w)
				more, morePending := s.add(w, "b", 2) // in the open batch
				k.set(second, nil)
				time.Sleep(59 * time.Second)
				synctest.Wait()
				again, againPending := s.add(w, "c", 1)
				if got := w.Stats(); got.KeyTurns != 0 || len(got.Streams) != 1 {
					t.Errorf("before the minute is over: %+v", got)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if got := w.Stats(); got.KeyTurns != 1 || got.Streams[1] != w.Stream() || got.KeyTrouble != nil {
					t.Errorf("after a minute: %+v", got)
				}
				last, lastPending := s.add(w, "d", 2)
				flush(t, w)
				old := append(append(pending, morePending...), againPending...)
				receipts := must(w.Receipts(t.Context(), append(old, lastPending...)...))(t)
				time.Sleep(24 * time.Hour)
				s.close(w)
				a := s.recheck()
				a.once(t, append(append(append(ids, more...), again...), last...)...)
				a.continued(t)
				s.agree(a, s.acknowledged(append(old, lastPending...)))
				if got, want := fmt.Sprint(a.keysOf(s)), fmt.Sprintf("[[%s %s] [%s]]", s.key.ID(), s.key.ID(), second.ID()); got != want {
					t.Errorf("the streams' keys are %s, want %s", got, want)
				}
				s.receiptsBy(receipts, s.key, second)
				s.receiptsHold(receipts)
				if got := w.Stats(); got.KeyTurns != 1 || len(got.Streams) != 2 {
					t.Errorf("a day later: %+v", got)
				}
			})
		})
	}
}

// receiptsBy checks that the receipts are signed by these keys, in order.
func (s *site) receiptsBy(receipts [][]byte, by ...*keys.SigningKey) {
	s.t.Helper()
	if len(receipts) != len(by) {
		s.t.Fatalf("%d receipts, want %d", len(receipts), len(by))
	}
	for i, b := range receipts {
		_, o, err := archive.ParseReceipt(b)
		if err == nil {
			err = keys.VerifyLine(keys.KindReceipt, s.log.ID, by[i].ID(), by[i].Record().PublicKey, o)
		}
		if err != nil {
			s.t.Errorf("receipt %d: %v", i, err)
		}
	}
}

// receiptsHold has the verifier judge the archive with receipts.
func (s *site) receiptsHold(receipts [][]byte) {
	s.t.Helper()
	r := must(archive.Verify(s.t.Context(), archive.VerifyConfig{Store: s.mem, LogID: s.log.ID, Copies: s, RequireHMAC: true, Receipts: receipts}))(s.t)
	if r.Verdict != archive.Intact {
		s.t.Errorf("%s %v", r, r.Findings)
	}
}

// Keys that turn quickly, and back, with entries in between or none: each turn is a stream, those without entries leave
// nothing.
func TestKeyTurnsQuicklyAndBack(t *testing.T) {
	for _, batch := range []int{1, 100} {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				list := []*keys.SigningKey{s.key, s.writerKey(), s.key, s.writerKey(), s.writerKey(), s.key}
				k := new(turning)
				k.set(list[0], nil)
				w := s.open(k.use, smallBatches(batch), func(c *archive.WriterConfig) { c.BatchAge, c.KeyCheck = time.Hour, time.Second })
				var ids []string
				var pending []archive.Pending
				var want []string
				turned := true // since the last entry
				for i := range 24 {
					key := list[i%len(list)]
					turned = turned || key != list[(i+len(list)-1)%len(list)]
					k.set(key, nil)
					time.Sleep(time.Second)
					synctest.Wait()
					if i%4 == 3 {
						continue // a key that signs nothing
					}
					id, p := s.add(w, fmt.Sprintf("%d-", i), 2)
					ids, pending = append(ids, id...), append(pending, p...)
					if turned {
						want = append(want, string(key.ID()))
					}
					turned = false
				}
				items := s.acknowledged(pending)
				s.close(w)
				a := s.recheck()
				a.once(t, ids...)
				a.continued(t)
				s.agree(a, items)
				s.intact()
				var got []string
				for _, st := range a.keysOf(s) {
					got = append(got, string(st[0]))
				}
				if strings.Join(got, " ") != strings.Join(want, " ") {
					t.Errorf("the streams' keys are %q, want %q", got, want)
				}
			})
		})
	}
}

// A key that cannot be had, or does not fit, changes nothing: the present one signs on, and that is told once.
func TestKeyThatDoesNotCome(t *testing.T) {
	other := newSite(t)
	for name, tt := range map[string]struct {
		key   func(*site) *keys.SigningKey
		err   error
		want  error
		level string
	}{
		"denied":      {nil, keys.ErrDenied, keys.ErrDenied, "WARN"},
		"store away":  {nil, fmt.Errorf("reading: %w", archive.ErrUncertain), archive.ErrUncertain, "WARN"},
		"another log": {func(*site) *keys.SigningKey { return other.key }, nil, archive.ErrKey, "ERROR"},
		"another role": {func(s *site) *keys.SigningKey {
			return s.newKey(keys.RoleVerifier, "verifier.*", keys.AlgorithmEd25519)
		}, nil, archive.ErrKey, "ERROR"},
		"another writer": {func(s *site) *keys.SigningKey {
			return s.newKey(keys.RoleWriter, "other.*", keys.AlgorithmHMACSHA256)
		}, nil, archive.ErrKey, "ERROR"},
		"no record": {func(s *site) *keys.SigningKey {
			key, _ := s.unpublishedKey(keys.RoleWriter, "app.*", keys.AlgorithmHMACSHA256)
			return key
		}, nil, archive.ErrKey, "ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				k := &turning{key: s.key}
				lines := new(lines)
				w := s.open(k.use, lines.use)
				ids, _ := s.add(w, "a", 1)
				var bad *keys.SigningKey
				if tt.key != nil {
					bad = tt.key(s)
				}
				k.set(bad, tt.err)
				time.Sleep(90 * time.Minute)
				synctest.Wait()
				more, pending := s.add(w, "b", 1)
				items := s.acknowledged(pending)
				got := w.Stats()
				if !errors.Is(got.KeyTrouble, tt.want) || got.KeyTurns != 0 || len(got.Streams) != 1 || w.Err() != nil {
					t.Errorf("stats %+v, error %v", got, w.Err())
				}
				if n := lines.count("level=" + tt.level); n < 1 || n > 10 || lines.count("level=WARN")+lines.count("level=ERROR") != n {
					t.Errorf("%d lines of level %s for 90 failures:\n%s", n, tt.level, lines)
				}
				second := s.writerKey()
				k.set(second, nil)
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := w.Stats(); got.KeyTrouble != nil || got.KeyTurns != 1 {
					t.Errorf("after a key came that fits: %+v", got)
				}
				if n := lines.count("can be used again"); n != 1 {
					t.Errorf("%d lines tell that it is over:\n%s", n, lines)
				}
				last, _ := s.add(w, "c", 1)
				s.close(w)
				a := s.recheck()
				a.once(t, append(append(ids, more...), last...)...)
				s.agree(a, items)
				s.intact()
			})
		})
	}
}

// lines is a logger's output.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) use(c *archive.WriterConfig) { c.Logger = slog.New(slog.NewTextHandler(l, nil)) }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) count(what string) int { return strings.Count(l.String(), what) }

// When the stream is too old and the key does not fit, appenders wait for one that does; nothing that was accepted is
// given up.
func TestKeyThatDoesNotFitAtReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		k := &turning{key: s.key}
		w := s.open(k.use, func(c *archive.WriterConfig) {
			c.StreamAge, c.BatchAge, c.GiveUpAfter = 16*time.Hour, 20*time.Hour, 24*time.Hour
		})
		bad, _ := s.unpublishedKey(keys.RoleWriter, "app.*", keys.AlgorithmHMACSHA256)
		k.set(bad, nil)
		ids, pending := s.add(w, "a", 2)
		time.Sleep(17 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := w.Append(ctx, archive.Record{}); !errors.Is(err, archive.ErrKey) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("append: %v", err)
		}
		k.set(s.writerKey(), nil)
		more, _ := s.add(w, "b", 2)
		s.close(w)
		s.acknowledged(pending)
		a := s.recheck()
		a.once(t, append(ids, more...)...)
		s.intact()
	})
}

// A writer without patience gives up, but not before somebody waits for the stream.
func TestKeyAwayIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		k := &turning{key: s.key}
		w := s.open(k.use, func(c *archive.WriterConfig) { c.StreamAge, c.GiveUpAfter = 16*time.Hour, time.Minute })
		k.set(nil, keys.ErrDenied)
		time.Sleep(16*time.Hour - time.Second)
		ids, pending := s.add(w, "a", 1) // within the lead
		s.acknowledged(pending)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if err := w.Err(); !errors.Is(err, keys.ErrDenied) {
			t.Errorf("the writer ended with %v", err)
		}
		if err := w.Close(t.Context()); !errors.Is(err, keys.ErrDenied) {
			t.Errorf("close: %v", err)
		}
		s.recheck().once(t, ids...)
	})
}

func TestKeyIsNotChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		k := &turning{key: s.key}
		w := s.open(k.use, func(c *archive.WriterConfig) { c.KeyCheck = -1 })
		k.set(s.writerKey(), nil)
		time.Sleep(6 * 24 * time.Hour)
		ids, _ := s.add(w, "a", 1)
		s.close(w)
		if k.asked != 1 {
			t.Errorf("the key was asked for %d times", k.asked)
		}
		s.recheck().once(t, ids...)
	})
}

// Nobody waits while a key is being fetched, nor while it turns out that it cannot be.
func TestAppendersDoNotWaitForTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		second := s.writerKey()
		var slow atomic.Bool
		w := s.open(func(c *archive.WriterConfig) {
			c.Key = func(ctx context.Context) (*keys.SigningKey, error) {
				if slow.Load() {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return second, nil
			}
		})
		slow.Store(true)
		time.Sleep(time.Minute + time.Second) // the question is under way
		var ids []string
		for i := range 100 {
			before := time.Now()
			id, pending := s.add(w, fmt.Sprint(i, "-"), 1)
			if d := time.Since(before); d > 0 {
				t.Fatalf("append %d took %s", i, d)
			}
			s.acknowledged(pending)
			ids = append(ids, id...)
		}
		if err := w.Stats().KeyTrouble; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("trouble %v", err)
		}
		s.close(w) // while another question is under way
		s.recheck().once(t, ids...)
	})
}

// A machine that slept has timers that are late: the first entry afterwards has the key looked at.
func TestKeyCheckAfterSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1000 * time.Hour) // no time before the year 2000 exists
		s := newSite(t)
		k := &turning{key: s.key}
		var slept atomic.Int64
		w := s.open(k.use, func(c *archive.WriterConfig) {
			c.Now = func() time.Time { return time.Now().Add(time.Duration(slept.Load())) }
		})
		k.set(s.writerKey(), nil)
		slept.Store(int64(2 * time.Minute))
		ids, _ := s.add(w, "a", 1)
		synctest.Wait()
		if n := w.Stats().KeyTurns; n != 1 {
			t.Errorf("%d turns after the first entry", n)
		}
		slept.Store(int64(-2 * time.Minute)) // and a clock that is set back delays nothing
		k.set(s.writerKey(), nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.Stats().KeyTurns; n != 2 {
			t.Errorf("%d turns after the clock was set back", n)
		}
		s.close(w)
		s.recheck().once(t, ids...)
	})
}

// The key turns again and again while the archive is away: the queue does not grow by that, and nothing is lost.
func TestKeyTurnsWhileTheArchiveIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		two := []*keys.SigningKey{s.key, s.writerKey()}
		k := &turning{key: s.key}
		pause := archivetest.NewPause()
		w := s.open(onStore(archivetest.NewFaulty(s.mem, archivetest.Fault{Op: archivetest.OpCreate, Pause: pause})), k.use,
			func(c *archive.WriterConfig) { c.BatchBytes, c.MaxPendingBytes = 10_000, 30_000 })
		var ids []string
		for i := range 200 {
			k.set(two[i%2], nil)
			if i < 40 {
				id, _ := s.add(w, fmt.Sprint(i, "-"), 1)
				ids = append(ids, id...)
			}
			time.Sleep(time.Minute)
		}
		if n := len(w.Stats().Streams); n > 10 {
			t.Errorf("%d streams were opened", n)
		}
		pause.Resume()
		last, _ := s.add(w, "last", 1)
		s.close(w)
		s.recheck().once(t, append(ids, last...)...)
		s.intact()
	})
}

// The old stream is lost while it ends for a new key, and the new one is there already.
func TestFencedWhileTheKeyTurns(t *testing.T) {
	for _, kind := range []string{"segments/", "manifests/"} {
		for nth := 1; nth <= 3; nth++ {
			t.Run(fmt.Sprintf("%s/%d", kind, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSite(t)
					second := s.writerKey()
					k := &turning{key: s.key}
					pause := archivetest.NewPause()
					faulty := archivetest.NewFaulty(s.mem, archivetest.Fault{Op: archivetest.OpCreate, Key: kind + "*", Call: nth, Pause: pause})
					q := &squat{Store: faulty, kind: kind, nth: nth, times: 1, s: s}
					w := s.open(onStore(q), k.use, smallBatches(2))
					var ids []string
					var pending []archive.Pending
					for i := range 3 {
						id, p := s.add(w, fmt.Sprint(i, "-"), 3)
						ids, pending = append(ids, id...), append(pending, p...)
						synctest.Wait()
					}
					k.set(second, nil)
					time.Sleep(2 * time.Minute)
					synctest.Wait()
					last, p := s.add(w, "last", 2)
					select {
					case <-pause.Reached():
					default:
						t.Fatal("nothing was under way")
					}
					pause.Resume()
					items := s.acknowledged(append(pending, p...))
					s.close(w)
					q.dropForeign()
					a := s.recheck()
					a.once(t, append(ids, last...)...)
					s.agree(a, items)
					s.intact()
					by := a.keysOf(s)
					if got := by[len(by)-1][0]; got != second.ID() {
						t.Errorf("the last stream is signed by %s", got)
					}
				})
			})
		}
	}
}

// Turning, appending, flushing, closing and failing race.
func TestKeyTurnRaces(t *testing.T) {
	for _, end := range []string{"close", "fail", "give up"} {
		t.Run(end, func(t *testing.T) {
			s := newSite(t)
			list := []*keys.SigningKey{s.key, s.writerKey(), s.writerKey()}
			var turn atomic.Int64
			faulty := archivetest.NewFaulty(s.mem)
			w := s.open(onStore(faulty), smallBatches(20), func(c *archive.WriterConfig) {
				c.KeyCheck = 100 * time.Microsecond
				c.Key = func(context.Context) (*keys.SigningKey, error) {
					n := turn.Add(1)
					if n%5 == 3 {
						return nil, keys.ErrDenied
					}
					return list[n%3], nil
				}
			})
			acknowledged := make([][]archive.Pending, 4)
			var wg sync.WaitGroup
			for g := range acknowledged {
				wg.Go(func() {
					for i := range 300 {
						p, err := w.Append(t.Context(), archive.Record{ID: fmt.Sprintf("%d-%d", g, i)})
						if err != nil {
							if end == "close" {
								t.Error(err)
							}
							return
						}
						acknowledged[g] = append(acknowledged[g], p)
						if i%50 == 0 {
							_ = w.Flush(t.Context())
							w.Stats()
						}
					}
				})
			}
			ctx, cancel := context.WithCancel(t.Context())
			switch end {
			case "close":
				wg.Wait()
			case "fail":
				faulty.Add(archivetest.Fault{Op: archivetest.OpCreate, Key: "manifests/*", Call: 3, Err: archive.ErrDenied})
			case "give up":
				cancel()
			}
			if err := w.Close(ctx); end == "close" && err != nil {
				t.Error(err)
			}
			wg.Wait()
			cancel()
			a := s.recheck()
			for _, list := range acknowledged {
				last := ""
				for i, p := range list {
					item, err := p.Wait(t.Context())
					if err != nil {
						if end == "close" {
							t.Error(err)
						}
						continue
					}
					s.agree(a, []archive.ReceiptItem{item})
					if place := fmt.Sprintf("%s %020d", p.Stream(), item.Index); i > 0 && p.Stream() == strings.Fields(last + " x")[0] && place <= last {
						t.Fatalf("the order of one appender was not kept: %s after %s", place, last)
					} else {
						last = place
					}
				}
			}
			if end == "close" {
				s.intact()
			}
		})
	}
}
