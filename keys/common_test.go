package keys

import (
	"crypto/ed25519"
	"strings"
	"testing"
)

const (
	testLog    = LogID("abababababababababababababababababababababababababababababababab")
	testID     = ID("00112233445566778899aabbccddeeff")
	testStream = "payments.01JD8Z6Y3M5N7P9QRSTVWXYZ01"
)

// ascending returns 32 bytes that count up from first.
func ascending(first byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

var (
	vectorEntryKey = ascending(0)
	vectorPrivate  = ed25519.NewKeyFromSeed(ascending(32))
	vectorPublic   = vectorPrivate.Public().(ed25519.PublicKey)
)

// vectorRecord is the record of the known-answer test.
func vectorRecord() Record {
	return Record{
		Format: FormatDraft, LogID: testLog, Role: RoleWriter, Streams: "payments.*", EntryAlgorithm: AlgorithmHMACSHA256,
		PublicKey: NewPublicKey(vectorPublic), HMACCommitment: HMACCommitment(vectorEntryKey, testLog),
		Source: map[string]string{"provider": "test"},
	}
}

func vectorBundle(t testing.TB) *Bundle {
	t.Helper()
	id, err := vectorRecord().ID()
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := newSeed(vectorEntryKey)
	manifest, _ := newSeed(vectorPrivate.Seed())
	return &Bundle{redacted: redactedBundle(id), log: testLog, role: RoleWriter, entry: entry, manifest: manifest}
}

func newTestAuthority(t testing.TB, name string) *AuthorityKey {
	t.Helper()
	k, err := NewAuthorityKey(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newTestKey(t testing.TB, role Role, streams string, alg Algorithm) (*Bundle, Record) {
	t.Helper()
	b, r, err := NewKey(testLog, role, streams, alg, map[string]string{"provider": "test"}, "")
	if err != nil {
		t.Fatal(err)
	}
	return b, r
}

// wantError fails the test unless err is there and says each of the parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}
