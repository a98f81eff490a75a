package archive

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// corpus is the CloudTrail log, some times over, with fresh UUIDs in each entry of each copy.
var corpus = sync.OnceValue(func() [][]byte {
	b, err := os.ReadFile("../testdata/logs/invictus-cloudtrail/cloudtrail.ndjson")
	if err != nil {
		panic(err)
	}
	uuid := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	random := rand.New(rand.NewPCG(1, 2))
	var entries [][]byte
	for range 7 {
		for line := range bytes.Lines(b) {
			entries = append(entries, uuid.ReplaceAllFunc(bytes.TrimSpace(line), func(old []byte) []byte {
				for i, c := range old {
					if c != '-' {
						old[i] = "0123456789abcdef"[random.IntN(16)]
					}
				}
				return old
			}))
		}
	}
	return entries
})

func corpusBytes() (n int64) {
	for _, e := range corpus() {
		n += int64(len(e))
	}
	return n
}

// discard is a store that takes everything and keeps nothing.
type discard struct{}

func (discard) Create(context.Context, string, []byte, CreateOptions) (Created, error) {
	return Created{VersionID: "v", Date: time.Now().UTC().Truncate(time.Second)}, nil
}
func (discard) Head(context.Context, string, string) (Object, error) { return Object{}, nil }
func (discard) Get(context.Context, string, string, int64) ([]byte, Object, error) {
	return nil, Object{}, ErrNotFound
}
func (discard) Versions(context.Context, string, string) iter.Seq2[Version, error] { return nil }
func (discard) ExtendRetention(context.Context, string, string, time.Time) error   { return ErrRefused }
func (discard) SetLegalHold(context.Context, string, string, bool) error           { return ErrRefused }
func (discard) Now(context.Context) (time.Time, error)                             { return time.Now(), nil }
func (discard) Home() Home                                                         { return Home{Bucket: "none"} }
func (discard) Settings(context.Context) (Settings, error) {
	return Settings{ObjectLock: Known[bool]{Value: true}, Versioning: Known[string]{Value: "Enabled"}}, nil
}

func benchKey(tb testing.TB) (*Log, *keys.SigningKey) {
	tb.Helper()
	online, err := keys.NewAuthorityKey(OnlineAuthority)
	recovery, err2 := keys.NewAuthorityKey(RecoveryAuthority)
	if err := errors.Join(err, err2); err != nil {
		tb.Fatal(err)
	}
	l, err := NewLog(Genesis{
		Origin: "example.com/bench", Nonce: NewNonce(), Created: Instant{time.Now()}, Home: Home{Bucket: "none"},
		Authorities: []keys.Authority{online.Authority(), recovery.Authority()},
		Retention:   RetentionPolicy{Days: 2557, MaxDays: 3650},
	}, online)
	if err != nil {
		tb.Fatal(err)
	}
	bundle, record, err := keys.NewKey(l.ID, keys.RoleWriter, "bench.*", keys.AlgorithmHMACSHA256, map[string]string{"kind": "test"}, "")
	if err != nil {
		tb.Fatal(err)
	}
	key, err := bundle.SigningKey(record)
	if err != nil {
		tb.Fatal(err)
	}
	return l, key
}

func benchWriter(tb testing.TB) *Writer {
	tb.Helper()
	l, key := benchKey(tb)
	w, err := OpenWriter(tb.Context(), WriterConfig{
		Store: discard{}, Log: l, Writer: "bench",
		Key: func(context.Context) (*keys.SigningKey, error) { return key, nil },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// BenchmarkSeal is the writer from Append to the manifest, with a store that discards. Compare with BenchmarkSealFloor of
// the same run.
func BenchmarkSeal(b *testing.B) {
	entries := corpus()
	w := benchWriter(b)
	b.SetBytes(corpusBytes() / int64(len(entries)))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, err := w.Append(b.Context(), Record{Data: entries[i%len(entries)]}); err != nil {
			b.Fatal(err)
		}
	}
	// The time counts until everything is archived, which b.Loop would not let it.
	if err := w.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	reportEntries(b, w.Stats())
}

// BenchmarkSealParallel is BenchmarkSeal with an appender for each core.
func BenchmarkSealParallel(b *testing.B) {
	entries := corpus()
	w := benchWriter(b)
	b.SetBytes(corpusBytes() / int64(len(entries)))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := rand.IntN(len(entries)); pb.Next(); i++ {
			if _, err := w.Append(b.Context(), Record{Data: entries[i%len(entries)]}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	if err := w.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	reportEntries(b, w.Stats())
}

func reportEntries(b *testing.B, st Stats) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	if st.SegmentBytes > 0 {
		b.ReportMetric(float64(st.RawBytes)/float64(st.SegmentBytes), "ratio")
	}
}

// BenchmarkSealFloor is the work that cannot be avoided, in a plain loop on one core: the JSON check and compaction of each
// payload, the HMAC of each entry, the leaf hash of each line, and the compression of the lines.
func BenchmarkSealFloor(b *testing.B) { benchmarkFloor(b, benchLines) }

// BenchmarkSealFloorPayload is the same without wormlog's envelope around the payload.
func BenchmarkSealFloorPayload(b *testing.B) {
	benchmarkFloor(b, func(*stream) [][]byte { return corpus() })
}

func benchmarkFloor(b *testing.B, of func(*stream) [][]byte) {
	entries := corpus()
	w := benchWriter(b)
	w.fail(errStreamClosed)
	s, err := newSealer(CompressionFastest)
	if err != nil {
		b.Fatal(err)
	}
	s.signer = w.stream.signer.Clone()
	lines := of(w.stream)
	from := 0
	if len(lines[0]) > len(entries[0]) {
		from = w.stream.head.signed
	}
	var compact, raw, sealed []byte
	b.SetBytes(corpusBytes() / int64(len(entries)))
	b.ReportAllocs()
	i := 0
	var st Stats
	for b.Loop() {
		line := lines[i%len(lines)]
		if compact, err = appendCompact(compact[:0], entries[i%len(lines)]); err != nil {
			b.Fatal(err)
		}
		if s.sig, err = s.signer.AppendSignature(s.sig[:0], line[from:len(line)-1]); err != nil {
			b.Fatal(err)
		}
		s.leafHash(line)
		raw = append(raw, line...)
		raw = append(raw, '\n')
		if len(raw) >= defaultBatchBytes {
			sealed = s.zstd.EncodeAll(raw, sealed[:0])
			st.RawBytes += uint64(len(raw))
			st.SegmentBytes += uint64(len(sealed))
			raw = raw[:0]
		}
		i++
	}
	reportEntries(b, st)
}

// benchLines are the entry lines of the corpus, with signatures that compress as badly as real ones.
func benchLines(s *stream) (lines [][]byte) {
	signer := s.signer.Clone()
	for i, e := range corpus() {
		var sc scratch
		if err := sc.prepare(&Record{Data: e}, keys.RoleWriter); err != nil {
			panic(err)
		}
		line, _ := s.head.append(nil, uint64(i), sc.id, time.Now(), sc.tail)
		sl := sealer{signer: signer}
		if err := sl.sign(line[:len(line)-1], &s.head); err != nil {
			panic(err)
		}
		lines = append(lines, line[:len(line)-1])
	}
	return lines
}

// A stream's key is gone when the writer is closed, or has failed: nobody can extend the stream later.
func TestStreamKeyIsDestroyed(t *testing.T) {
	for _, end := range []func(*Writer){
		func(w *Writer) { _ = w.Close(t.Context()) },
		func(w *Writer) { w.fail(ErrDenied); _ = w.Close(t.Context()) },
	} {
		w := benchWriter(t)
		if _, err := w.Append(t.Context(), Record{}); err != nil {
			t.Fatal(err)
		}
		s := w.present()
		end(w)
		if _, err := s.ownKey.Signer().Sign(nil); err == nil {
			t.Error("the stream key still signs")
		}
	}
}
