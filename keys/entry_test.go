package keys

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"sync"
	"testing"
)

// TestEntryMACIsHMAC compares the hand-kept states with crypto/hmac around every block boundary.
func TestEntryMACIsHMAC(t *testing.T) {
	s, err := NewHMACEntrySigner(vectorEntryKey, testLog, testID, testStream)
	if err != nil {
		t.Fatal(err)
	}
	derived, err := hkdf.Key(sha256.New, vectorEntryKey, nil, "wormlog/v1 entry key\n"+string(testLog)+"\n"+testStream, 32)
	if err != nil {
		t.Fatal(err)
	}
	entry := bytes.Repeat([]byte("abcdefg"), 60)
	for n := range entry {
		m := hmac.New(sha256.New, derived)
		m.Write(EntryPrefix(testLog, testID))
		m.Write(entry[:n])
		got, err := s.AppendSignature([]byte("before"), entry[:n])
		if err != nil {
			t.Fatal(err)
		}
		if want := m.Sum([]byte("before")); !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
	}
}

type pair struct {
	signer   EntrySigner
	verifier EntryVerifier
}

func pairs(t testing.TB) map[string]pair {
	t.Helper()
	s, err := NewHMACEntrySigner(vectorEntryKey, testLog, testID, testStream)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewHMACEntryVerifier(vectorEntryKey, testLog, testID, testStream)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]pair{
		"hmac":    {s, v},
		"ed25519": {NewEd25519EntrySigner(vectorPrivate, testLog, testID), NewEd25519EntryVerifier(vectorPublic, testLog, testID)},
	}
}

func TestVerifyEntry(t *testing.T) {
	for name, p := range pairs(t) {
		entry := []byte(`{"a":1}`)
		sig, err := p.signer.AppendSignature(nil, entry)
		if err != nil {
			t.Fatal(err)
		}
		if len(sig) != p.signer.SignatureSize() || p.signer.KeyID() != testID || p.verifier.KeyID() != testID {
			t.Errorf("%s: %d bytes by %s", name, len(sig), p.signer.KeyID())
		}
		for range 2 { // the state is not spoilt by use
			if !p.verifier.VerifyEntry(entry, sig) {
				t.Errorf("%s: a good signature is refused", name)
			}
			if p.verifier.VerifyEntry([]byte(`{"a":2}`), sig) {
				t.Errorf("%s: passes for another entry", name)
			}
		}
		for i := range sig {
			bad := bytes.Clone(sig)
			bad[i] ^= 1
			if p.verifier.VerifyEntry(entry, bad) {
				t.Errorf("%s: passes with byte %d changed", name, i)
			}
		}
		for _, bad := range [][]byte{nil, sig[:len(sig)-1], append(bytes.Clone(sig), 0)} {
			if p.verifier.VerifyEntry(entry, bad) {
				t.Errorf("%s: passes with %d bytes", name, len(bad))
			}
		}
	}
}

func TestEntrySignaturesBindLogKeyAndStream(t *testing.T) {
	entry := []byte(`{"a":1}`)
	base, err := pairs(t)["hmac"].signer.AppendSignature(nil, entry)
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func() (EntryVerifier, error){
		"key": func() (EntryVerifier, error) { return NewHMACEntryVerifier(ascending(9), testLog, testID, testStream) },
		"log": func() (EntryVerifier, error) {
			return NewHMACEntryVerifier(vectorEntryKey, testLog[:63]+"0", testID, testStream)
		},
		"key ID": func() (EntryVerifier, error) {
			return NewHMACEntryVerifier(vectorEntryKey, testLog, testID[:31]+"0", testStream)
		},
		"stream": func() (EntryVerifier, error) {
			return NewHMACEntryVerifier(vectorEntryKey, testLog, testID, testStream+"0")
		},
		"algorithm": func() (EntryVerifier, error) { return NewEd25519EntryVerifier(vectorPublic, testLog, testID), nil },
	} {
		v, err := make()
		if err != nil {
			t.Fatal(err)
		}
		if v.VerifyEntry(entry, base) {
			t.Errorf("passes under another %s", name)
		}
	}
}

func TestClonesWorkAtTheSameTime(t *testing.T) {
	for name, p := range pairs(t) {
		var wg sync.WaitGroup
		for g := range 4 {
			s, v := p.signer.Clone(), p.verifier.Clone()
			wg.Go(func() {
				for i := range 50 {
					entry := bytes.Repeat([]byte{byte(g)}, i*7)
					sig, err := s.AppendSignature(nil, entry)
					if err != nil || !v.VerifyEntry(entry, sig) {
						t.Errorf("%s: clone %d, entry %d: %v", name, g, i, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestEntryKeysOfTheWrongLength(t *testing.T) {
	if _, err := NewHMACEntrySigner(make([]byte, 31), testLog, testID, testStream); err == nil {
		t.Error("an entry key of 31 bytes passes")
	}
	if _, err := NewEd25519EntrySigner(make([]byte, 32), testLog, testID).AppendSignature(nil, nil); err == nil {
		t.Error("a seed signs as a private key")
	}
	if NewEd25519EntryVerifier(make([]byte, 31), testLog, testID).VerifyEntry(nil, make([]byte, 64)) {
		t.Error("a public key of 31 bytes verifies")
	}
	if _, err := NewSigner(testID, make([]byte, 32)).Sign(nil); err == nil {
		t.Error("a seed signs as a private key")
	}
}

func TestHMACDoesNotAllocate(t *testing.T) {
	p := pairs(t)["hmac"]
	entry := make([]byte, 1260)
	sig, err := p.signer.AppendSignature(nil, entry)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, 32)
	if n := testing.AllocsPerRun(100, func() { _, _ = p.signer.AppendSignature(dst, entry) }); n != 0 {
		t.Errorf("signing allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { p.verifier.VerifyEntry(entry, sig) }); n != 0 {
		t.Errorf("verifying allocates %v times", n)
	}
}
