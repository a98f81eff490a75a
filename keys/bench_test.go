package keys

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"testing"
)

// The entry of the budgets: 1.26 KB, the mean of the CloudTrail sample.
var benchEntry = make([]byte, 1260)

func BenchmarkHMACSign(b *testing.B) {
	s, err := NewHMACEntrySigner(make([]byte, 32), testLog, testID, testStream)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 32)
	b.SetBytes(int64(len(benchEntry)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.AppendSignature(dst, benchEntry); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHMACVerify(b *testing.B) {
	v, err := NewHMACEntryVerifier(make([]byte, 32), testLog, testID, testStream)
	if err != nil {
		b.Fatal(err)
	}
	sig := make([]byte, 32)
	b.SetBytes(int64(len(benchEntry)))
	b.ReportAllocs()
	for b.Loop() {
		v.VerifyEntry(benchEntry, sig)
	}
}

// The ways not taken, measured beside: crypto/hmac with Reset, and with a Clone of the state after the prefix.
func BenchmarkHMACReset(b *testing.B) {
	m := plainHMAC(b)
	prefix := EntryPrefix(testLog, testID)
	dst := make([]byte, 0, 32)
	b.SetBytes(int64(len(benchEntry)))
	b.ReportAllocs()
	for b.Loop() {
		m.Reset()
		m.Write(prefix)
		m.Write(benchEntry)
		m.Sum(dst)
	}
}

func BenchmarkHMACClone(b *testing.B) {
	m := plainHMAC(b)
	m.Write(EntryPrefix(testLog, testID))
	dst := make([]byte, 0, 32)
	b.SetBytes(int64(len(benchEntry)))
	b.ReportAllocs()
	for b.Loop() {
		c, err := m.(hash.Cloner).Clone()
		if err != nil {
			b.Fatal(err)
		}
		c.Write(benchEntry)
		c.Sum(dst)
	}
}

// BenchmarkSHA256 is the floor: the entry alone, hashed once.
func BenchmarkSHA256(b *testing.B) {
	b.SetBytes(int64(len(benchEntry)))
	for b.Loop() {
		sha256.Sum256(benchEntry)
	}
}

func plainHMAC(b *testing.B) hash.Hash {
	key, err := hkdf.Key(sha256.New, make([]byte, 32), nil, "bench", 32)
	if err != nil {
		b.Fatal(err)
	}
	return hmac.New(sha256.New, key)
}

func BenchmarkEd25519Sign(b *testing.B) {
	s := NewEd25519EntrySigner(ed25519.NewKeyFromSeed(make([]byte, 32)), testLog, testID)
	dst := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.AppendSignature(dst, benchEntry); err != nil {
			b.Fatal(err)
		}
	}
}
