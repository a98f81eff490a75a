//go:build unix

package archive

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/wormlog/wormlog/keys"
)

var budgets = flag.Bool("budgets", false, "measure sealing and verifying beside their floors and print the table of docs/performance.md")

// TestBudgets is make bench: sealing and full verification of real CloudTrail entries beside their floors, measured in
// turn in one run so that a noisy machine troubles both alike. It prints and never judges; without -budgets it runs one
// small round, to keep the measurement itself right.
func TestBudgets(t *testing.T) {
	entries, rounds := 3_000, 1
	if *budgets {
		entries, rounds = 100_000, 5
	}
	w := newWorkload(t, entries)
	rows := []*budgetRow{}
	for _, cores := range []int{1, 2} {
		rows = append(rows,
			&budgetRow{name: "seal", cores: cores, run: func() { w.seal(t, &budgetStore{discard: true}) }, floor: func() { w.parallel(cores, w.sealFloor) }},
			&budgetRow{name: "verify", cores: cores, run: func() { w.verify(t) }, floor: func() { w.parallel(cores, w.verifyFloor) }})
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for range rounds {
		for _, r := range rows {
			runtime.GOMAXPROCS(r.cores)
			r.floors = append(r.floors, measure(r.floor))
			r.runs = append(r.runs, measure(r.run))
		}
	}
	if *budgets {
		printBudgets(os.Stdout, rows, w)
	} else {
		printBudgets(io.Discard, rows, w)
	}
}

// budgetRow is one thing measured, run by run beside its floor.
type budgetRow struct {
	name         string
	cores        int
	run, floor   func()
	runs, floors []measured
}

// ratios are how near each run came to the floor measured just before it, in CPU time, which a busy machine distorts
// least.
func (r *budgetRow) ratios() (out []float64) {
	for i := range r.runs {
		out = append(out, r.floors[i].cpu/r.runs[i].cpu)
	}
	return out
}

func wall(m measured) float64 { return m.wall }
func cpu(m measured) float64  { return m.cpu }

func medianOf(ms []measured, of func(measured) float64) float64 {
	var v []float64
	for _, m := range ms {
		v = append(v, of(m))
	}
	return median(v)
}

func printBudgets(out io.Writer, rows []*budgetRow, w *workload) {
	entries := float64(len(w.records))
	tw := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\tcores\tentries/s\tMB/s\tentries per CPU s\tfloor per CPU s\tof floor\t[min … max]\tallocs/entry\t")
	for _, r := range rows {
		ratios := r.ratios()
		fmt.Fprintf(tw, "%s\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f … %.2f\t%.3f\t\n", r.name, r.cores,
			entries/medianOf(r.runs, wall), float64(w.bytes)/medianOf(r.runs, wall)/1e6, entries/medianOf(r.runs, cpu),
			entries/medianOf(r.floors, cpu), median(ratios), slices.Min(ratios), slices.Max(ratios), r.runs[0].allocs/entries)
	}
	tw.Flush()
	for i, one := range rows[:len(rows)/2] {
		two := rows[len(rows)/2+i]
		fmt.Fprintf(out, "%s on two cores: %.2f times one (its floor: %.2f times)\n", one.name,
			medianOf(one.runs, wall)/medianOf(two.runs, wall), medianOf(one.floors, wall)/medianOf(two.floors, wall))
	}
	fmt.Fprintf(out, "%.0f CloudTrail entries of %d bytes on average, IDs varied; %s, %d rounds, medians\n",
		entries, w.bytes/len(w.records), runtime.Version(), len(rows[0].runs))
}

func measure(f func()) (m measured) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	f()
	m.wall, m.cpu = time.Since(start).Seconds(), (cpuTime() - cpu).Seconds()
	runtime.ReadMemStats(&after)
	m.allocs = float64(after.Mallocs - before.Mallocs)
	return m
}

// cpuTime is what the process has used so far, all threads, user and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type measured struct{ wall, cpu, allocs float64 }

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// workload is real entries with varied IDs, an archive of them, and what the floors need.
type workload struct {
	records     [][]byte
	bytes       int
	log         *Log
	key         *keys.SigningKey
	copies      keys.FileCopies
	kept        *budgetStore
	lines       [][]byte // the same entries as they are archived
	recordBytes []byte
}

var eventID = regexp.MustCompile(`"eventID":"[0-9a-f-]{36}"`)

func newWorkload(t *testing.T, n int) *workload {
	t.Helper()
	b, err := os.ReadFile("../testdata/logs/invictus-cloudtrail/cloudtrail.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	w := &workload{}
	for i := range n {
		r := eventID.ReplaceAllFunc(lines[i%len(lines)], func(m []byte) []byte {
			var id [16]byte
			rand.Read(id[:])
			h := hex.EncodeToString(id[:])
			return []byte(`"eventID":"` + strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-") + `"`)
		})
		w.records = append(w.records, r)
		w.bytes += len(r)
	}
	w.newLog(t)
	w.kept = &budgetStore{}
	w.publish(t, w.kept)
	w.seal(t, w.kept)
	w.keepLines(t)
	return w
}

func (w *workload) newLog(t *testing.T) {
	online, err := keys.NewAuthorityKey(OnlineAuthority)
	if err != nil {
		t.Fatal(err)
	}
	recovery, err := keys.NewAuthorityKey(RecoveryAuthority)
	if err != nil {
		t.Fatal(err)
	}
	w.log, err = NewLog(Genesis{
		Origin: "example.com/budget", Nonce: NewNonce(), Created: Instant{time.Now()}, Home: (&budgetStore{}).Home(),
		Authorities: []keys.Authority{online.Authority(), recovery.Authority()}, Retention: RetentionPolicy{Days: 30, MaxDays: 400},
	}, online)
	if err != nil {
		t.Fatal(err)
	}
	bundle, record, err := keys.NewKey(w.log.ID, keys.RoleWriter, "app.*", keys.AlgorithmHMACSHA256, map[string]string{"provider": "test"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if w.key, err = bundle.SigningKey(record); err != nil {
		t.Fatal(err)
	}
	w.copies = keys.FileCopies{Dir: t.TempDir()}
	if err := w.copies.PutCopy(context.Background(), bundle.VerificationCopy()); err != nil {
		t.Fatal(err)
	}
	w.recordBytes, _, err = keys.SignRecord(record, online.Signer())
	if err != nil {
		t.Fatal(err)
	}
}

func (w *workload) publish(t *testing.T, s *budgetStore) {
	ctx := context.Background()
	if _, err := w.log.Create(ctx, s); err != nil {
		t.Fatal(err)
	}
	if _, err := w.log.CreateRecord(ctx, s, w.key.ID(), w.recordBytes); err != nil {
		t.Fatal(err)
	}
}

func (w *workload) seal(t *testing.T, s *budgetStore) {
	ctx := context.Background()
	wr, err := OpenWriter(ctx, WriterConfig{
		Store: s, Log: w.log, Writer: "app", Key: func(context.Context) (*keys.SigningKey, error) { return w.key, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range w.records {
		if _, err := wr.Append(ctx, Record{Data: r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := wr.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func (w *workload) verify(t *testing.T) {
	r, err := Verify(context.Background(), VerifyConfig{Store: w.kept, LogID: w.log.ID, Copies: w.copies})
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != Intact || r.HMAC != HMACChecked || r.Counts.Checked != uint64(len(w.records)) {
		t.Fatalf("%v: %+v %v", r, r.Counts, r.Findings)
	}
}

func (w *workload) keepLines(t *testing.T) {
	d, err := newSegmentDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, key := range w.kept.keys {
		if !strings.HasPrefix(key, "segments/") {
			continue
		}
		raw, err := d.decode(w.kept.objects[key].body, MaxSegmentBytes)
		if err != nil {
			t.Fatal(err)
		}
		lines(raw, func(line []byte) error {
			w.lines = append(w.lines, bytes.Clone(line))
			return nil
		})
	}
}

// parallel runs a floor on so many cores, each with its share.
func (w *workload) parallel(cores int, floor func(share, of int)) {
	var wg sync.WaitGroup
	for i := range cores {
		wg.Go(func() { floor(i, cores) })
	}
	wg.Wait()
}

// sealFloor is the least that sealing can cost: JSON check and compaction of what is handed over, then HMAC, leaf hash and
// zstd of the lines that it becomes, in batches as large.
func (w *workload) sealFloor(share, of int) {
	mac, leaf := hmac.New(sha256.New, make([]byte, 32)), sha256.New()
	z, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(writeWindow))
	var data, raw, sealed []byte
	for i, r := range w.records {
		if i%of != share {
			continue
		}
		data, _ = appendCompact(data[:0], r)
		sum(mac, w.lines[i])
		sumLeaf(leaf, w.lines[i])
		raw = append(raw, w.lines[i]...)
		if len(raw) > defaultBatchBytes {
			sealed = z.EncodeAll(raw, sealed[:0])
			raw = raw[:0]
		}
	}
	z.EncodeAll(raw, sealed[:0])
}

// verifyFloor is the least that verifying can cost: zstd decoding, HMAC and leaf hash of every line.
func (w *workload) verifyFloor(share, of int) {
	mac, leaf := hmac.New(sha256.New, make([]byte, 32)), sha256.New()
	z, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	defer z.Close()
	var raw []byte
	n := 0
	for _, key := range w.kept.keys {
		if !strings.HasPrefix(key, "segments/") {
			continue
		}
		if n++; n%of != share {
			continue
		}
		raw, _ = z.DecodeAll(w.kept.objects[key].body, raw[:0])
		lines(raw, func(line []byte) error {
			sum(mac, line)
			sumLeaf(leaf, line)
			return nil
		})
	}
}

// sumLeaf is the leaf hash of RFC 6962, 2.1: a zero byte, then the line.
func sumLeaf(h hash.Hash, b []byte) {
	var out [32]byte
	h.Reset()
	h.Write(zero)
	h.Write(b)
	h.Sum(out[:0])
}

var zero = []byte{0}

func sum(h hash.Hash, b []byte) {
	var out [32]byte
	h.Reset()
	h.Write(b)
	h.Sum(out[:0])
}

// budgetStore keeps objects in memory without copying them, or counts them and lets them go.
type budgetStore struct {
	discard bool
	mu      sync.Mutex
	keys    []string
	objects map[string]budgetObject
}

type budgetObject struct {
	body []byte
	info Object
}

func (s *budgetStore) Create(_ context.Context, key string, body []byte, o CreateOptions) (Created, error) {
	now := time.Now().UTC().Truncate(time.Second)
	if s.discard {
		return Created{VersionID: "v1", Date: now}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects == nil {
		s.objects = map[string]budgetObject{}
	}
	i, found := slices.BinarySearch(s.keys, key)
	if found {
		return Created{}, ErrExists
	}
	s.keys = slices.Insert(s.keys, i, key)
	s.objects[key] = budgetObject{bytes.Clone(body), Object{
		Key: key, VersionID: "v1", Size: int64(len(body)), SHA256: o.SHA256, HasSHA256: true, LastModified: now,
		Lock: Lock{Mode: Compliance, RetainUntil: o.RetainUntil}, Date: now,
	}}
	return Created{VersionID: "v1", Date: now}, nil
}

func (s *budgetStore) Head(_ context.Context, key, _ string) (Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.objects[key]; ok {
		return o.info, nil
	}
	if s.discard {
		return Object{Key: key, VersionID: "v1"}, nil
	}
	return Object{}, ErrNotFound
}

func (s *budgetStore) Get(_ context.Context, key, _ string, _ int64) ([]byte, Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return nil, Object{}, ErrNotFound
	}
	return o.body, o.info, nil
}

func (s *budgetStore) Versions(_ context.Context, prefix, after string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		for _, key := range s.keys {
			o := s.objects[key].info
			if strings.HasPrefix(key, prefix) && key > after &&
				!yield(Version{Key: key, VersionID: "v1", IsLatest: true, Size: o.Size, LastModified: o.LastModified}, nil) {
				return
			}
		}
	}
}

func (s *budgetStore) ExtendRetention(context.Context, string, string, time.Time) error {
	return ErrRefused
}
func (s *budgetStore) SetLegalHold(context.Context, string, string, bool) error { return ErrRefused }
func (s *budgetStore) Now(context.Context) (time.Time, error)                   { return time.Now(), nil }
func (s *budgetStore) Home() Home                                               { return Home{Bucket: "budget", Region: "local"} }
func (s *budgetStore) Settings(context.Context) (Settings, error) {
	return Settings{ObjectLock: Known[bool]{Value: true}, Versioning: Known[string]{Value: "Enabled"}}, nil
}
