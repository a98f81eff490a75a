package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/rotate/rotatetest"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// The key turns ten times in a row while eight appenders hand over entries, with HMACs as fast as they can: nothing is lost, nothing is
// there twice or in disorder, every key has signed, and all of it verifies with its HMACs.
func TestRotationUnderFullLoad(t *testing.T) {
	for algorithm, rate := range map[keys.Algorithm]int{keys.AlgorithmHMACSHA256: 0, keys.AlgorithmEd25519: 200} {
		t.Run(string(algorithm), func(t *testing.T) {
			s := rotatetest.New(t, algorithm)
			p, err := secretsmanager.NewProvider(secretsmanager.Config{API: s.API, SecretID: rotatetest.Signing, MaxAge: 10 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			l := &load{
				Writer: archive.WriterConfig{
					Store: s.Store, Log: s.Log, Writer: "main", Key: archive.SigningKeys(s.Log, s.Store, p),
					KeyCheck: 5 * time.Millisecond, BatchBytes: 64 << 10, MaxPendingBytes: 192 << 10, BatchAge: 20 * time.Millisecond,
				},
				Appenders: 8, Rate: rate, Lines: [][]byte{[]byte(`{"n":1}`), []byte("not JSON"), []byte(`{"who":"somebody","what":"something"}`)},
				Rotations: 10,
				Rotate: func(ctx context.Context) error {
					_, err := s.Job().Run(ctx, rotatetest.Signing)
					return err
				},
			}
			o, err := l.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f, err := readBack(t.Context(), archive.ReaderConfig{Store: s.Store, LogID: s.Log.ID, Copies: s.Copies()}, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.err(); err != nil {
				t.Error(err)
			}
			if len(f.Keys) != 11 || o.Stats.KeyTurns != 10 || len(o.Stats.Streams) != 11 || o.Stats.KeyTrouble != nil {
				t.Errorf("%d keys signed in %d streams after %d turns: %v", len(f.Keys), len(o.Stats.Streams), o.Stats.KeyTurns, o.Stats.KeyTrouble)
			}
			if r := s.Verify(); r.Verdict != archive.Intact || algorithm == keys.AlgorithmHMACSHA256 && r.HMAC != archive.HMACChecked {
				t.Errorf("%s %v", r, r.Findings)
			}
			t.Logf("%d entries in %s", o.entries(), o.Took)
		})
	}
}

// A writer whose clock is nearly five minutes off the store's to one side, and rotations by a machine that is off to the
// other.
func TestRotationWithClocksApart(t *testing.T) {
	for _, skew := range []time.Duration{-5*time.Minute + time.Second, 5*time.Minute - time.Second} {
		t.Run(skew.String(), func(t *testing.T) {
			s := rotatetest.New(t, keys.AlgorithmHMACSHA256)
			p, err := secretsmanager.NewProvider(secretsmanager.Config{API: s.API, SecretID: rotatetest.Signing, MaxAge: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			l := &load{
				Writer: archive.WriterConfig{
					Store: s.Store, Log: s.Log, Writer: "main", Key: archive.SigningKeys(s.Log, s.Store, p), KeyCheck: time.Millisecond,
					Now: func() time.Time { return s.Now().Add(skew) }, BatchAge: 10 * time.Millisecond,
				},
				Appenders: 2, Rate: 200, Lines: [][]byte{[]byte(`{"n":1}`)}, Rotations: 3,
				Rotate: func(ctx context.Context) error {
					j := s.Job()
					j.Now = func() time.Time { return s.Now().Add(-skew) }
					_, err := j.Run(ctx, rotatetest.Signing)
					return err
				},
			}
			o, err := l.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f, err := readBack(t.Context(), archive.ReaderConfig{Store: s.Store, LogID: s.Log.ID, Copies: s.Copies()}, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.err(); err != nil || len(f.Keys) != 4 {
				t.Errorf("%d keys signed: %v", len(f.Keys), err)
			}
			for _, later := range []time.Duration{0, 25 * time.Hour} { // before and after the old keys are retired
				s.Wait(later)
				if r := s.Verify(); r.Verdict != archive.Intact || r.HMAC != archive.HMACChecked {
					t.Errorf("%s later: %s %v", later, r, r.Findings)
				}
			}
		})
	}
}

func TestWaits(t *testing.T) {
	for d := time.Duration(0); d < time.Hour; d = d*21/20 + 1 {
		if up := upper(class(d)); d > up || d > 32 && float64(up) > float64(d)*17/16 {
			t.Fatalf("%d is in a class up to %d", d, up)
		}
		if class(upper(class(d))) != class(d) || class(upper(class(d))+1) != class(d)+1 {
			t.Fatalf("the class of %d does not end at %d", d, upper(class(d)))
		}
	}
	var w, other waits
	for i := range 500 {
		w.add(time.Duration(i+1) * time.Millisecond)
		other.add(time.Duration(i+501) * time.Millisecond)
	}
	w.merge(&other)
	for q, want := range map[float64]time.Duration{0: time.Millisecond, 0.5: 501 * time.Millisecond, 0.999: time.Second, 1: time.Second} {
		if got := w.quantile(q); got < want || float64(got) > float64(want)*17/16 {
			t.Errorf("quantile %v is %s, want %s", q, got, want)
		}
	}
	if fmt.Sprint(w.n, w.longest) != "1000 1s" {
		t.Errorf("%d waits up to %s", w.n, w.longest)
	}
}

// What is missing, doubled, out of order or foreign is told.
func TestReadBackTells(t *testing.T) {
	s := rotatetest.New(t, keys.AlgorithmEd25519)
	w, err := archive.OpenWriter(t.Context(), archive.WriterConfig{Store: s.Store, Log: s.Log, Writer: "main", Key: s.Key(rotatetest.Signing)})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"0-0", "0-2", "0-1", "1-0", "1-0", "2-0", "0-9", "x"} {
		if _, err := w.Append(t.Context(), archive.Record{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := readBack(t.Context(), archive.ReaderConfig{Store: s.Store}, &outcome{Appended: []uint64{4, 2}, Stats: w.Stats()})
	if err != nil {
		t.Fatal(err)
	}
	if f.Lost != 2 || f.Twice != 1 || f.Disorder != 2 || f.Strangers != 3 || f.Entries != 8 || f.err() == nil {
		t.Errorf("%+v", f)
	}
}
