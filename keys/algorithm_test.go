package keys

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/internal/lineobject"
)

func TestAlgorithms(t *testing.T) {
	for _, c := range []struct {
		a         Algorithm
		symmetric bool
		size      int
	}{{AlgorithmEd25519, false, 64}, {AlgorithmHMACSHA256, true, 32}} {
		if err := c.a.Valid(); err != nil || c.a.Symmetric() != c.symmetric || c.a.SignatureSize() != c.size {
			t.Errorf("%s: %v, symmetric %t, %d bytes", c.a, err, c.a.Symmetric(), c.a.SignatureSize())
		}
	}
	for _, a := range []Algorithm{"", "none", "Ed25519", "ed25519 ", "HMAC-SHA256", "hmac-sha512", "ecdsa-p256", "ml-dsa-65"} {
		if a.Symmetric() || a.SignatureSize() != 0 {
			t.Errorf("something is known of %q", a)
		}
		wantError(t, a.Valid(), "ed25519 or hmac-sha256")
	}
	if got := EntrySignatureSizes(); !slices.Equal(got, []int{32, 64}) || slices.Max(got) != MaxEntrySignature {
		t.Errorf("sizes %d, the longest %d", got, MaxEntrySignature)
	}
}

// Whoever introduces a public key names its algorithm, and the key names it too: they agree or it is none.
func TestAlgorithmAndKeyAgree(t *testing.T) {
	pub := NewPublicKey(vectorPublic)
	if a, err := pub.Algorithm(); err != nil || a != AlgorithmEd25519 {
		t.Errorf("algorithm %q, %v", a, err)
	}
	secret := PublicKey(slices.Concat(pub[:12], vectorEntryKey)) // an entry key in the clothes of a public key
	for _, a := range []Algorithm{AlgorithmHMACSHA256, "", "none", "ED25519", "ecdsa-p256"} {
		if err := pub.Check(a); err == nil {
			t.Errorf("an Ed25519 key passes as one for %q", a)
		}
		if err := secret.Check(a); err == nil {
			t.Errorf("an entry key passes as a public key for %q", a)
		}
		if err := (Authority{Name: "online", Algorithm: a, PublicKey: pub}).Valid(); err == nil {
			t.Errorf("an authority for %q passes", a)
		}
	}
}

// hmacOf is the signature that everybody can make who takes a public key for a secret.
func hmacOf(key, message []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(message)
	return m.Sum(nil)
}

func TestLinesDoNotSwitchAlgorithm(t *testing.T) {
	line := []byte(`{"a":1}`)
	pub := NewPublicKey(vectorPublic)
	message := LineMessage(KindManifest, testLog, testID, line)
	sum := hmacOf(vectorPublic, message)
	derived, err := NewHMACEntrySigner(vectorPublic, testLog, testID, testStream)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := derived.AppendSignature(nil, line)
	if err != nil {
		t.Fatal(err)
	}
	for name, signature := range map[string][]byte{
		"HMAC under the raw public key": sum, "HMAC under its DER": hmacOf(pub, message), "HMAC twice": append(bytes.Clone(sum), sum...),
		"HMAC and zeros": append(bytes.Clone(sum), make([]byte, 32)...), "zeros and HMAC": append(make([]byte, 32), sum...), "HMAC of an entry": entry,
	} {
		o := lineobject.Object{Line: line, KeyID: string(testID), Signature: signature}
		if err := VerifyLine(KindManifest, testLog, testID, pub, o); !errors.Is(err, ErrBadSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good, err := signLine(KindManifest, testLog, line, NewSigner(testID, vectorPrivate))
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"hmac-sha256:", "ed25519:", "none:"} {
		o := good
		o.KeyID = prefix + o.KeyID
		if err := VerifyLine(KindManifest, testLog, testID, pub, o); !errors.Is(err, ErrBadSignature) {
			t.Errorf("key ID %s passes: %v", o.KeyID, err)
		}
	}
	for _, member := range []string{`"algorithm":"hmac-sha256",`, `"alg":"none",`} {
		b := bytes.Replace(good.Bytes(), []byte(`{"key_id"`), []byte(`{`+member+`"key_id"`), 1)
		if _, err := lineobject.Split(b); err == nil {
			t.Errorf("line 2 with %s passes", member)
		}
	}
}

func TestEntriesDoNotSwitchAlgorithm(t *testing.T) {
	entry := []byte(`{"a":1}`)
	for _, record := range []Algorithm{AlgorithmEd25519, AlgorithmHMACSHA256} {
		b, r := newTestKey(t, RoleWriter, "payments.*", record)
		id := b.KeyID()
		v, err := r.EntryVerifier(testStream, b.VerificationCopy())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := r.PublicKey.Ed25519()
		if err != nil {
			t.Fatal(err)
		}
		ed, err := NewEd25519EntrySigner(b.private(), testLog, id).AppendSignature(nil, entry)
		if err != nil {
			t.Fatal(err)
		}
		under, err := NewHMACEntrySigner(raw, testLog, id, testStream)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := under.AppendSignature(nil, entry)
		if err != nil {
			t.Fatal(err)
		}
		forged := map[string][]byte{
			"HMAC under the public key": sum, "the same, long": append(bytes.Clone(sum), sum...), "nothing": nil, "zeros": make([]byte, record.SignatureSize()),
			"HMAC under the commitment": hmacOf([]byte(r.HMACCommitment), append(EntryPrefix(testLog, id), entry...)),
		}
		if record == AlgorithmHMACSHA256 {
			forged["Ed25519"], forged["Ed25519, cut"], forged["Ed25519, the other half"] = ed, ed[:32], ed[32:]
		} else if !v.VerifyEntry(entry, ed) {
			t.Error("the right signature is refused, so the test shows nothing")
		}
		for name, signature := range forged {
			if v.VerifyEntry(entry, signature) {
				t.Errorf("record says %s: %s passes", record, name)
			}
		}
	}
}

// A record is named by its hash and signed: with another algorithm it is another record, which nobody vouched for.
func TestRecordsDoNotSwitchAlgorithm(t *testing.T) {
	authority := newTestAuthority(t, "online")
	b, r := newTestKey(t, RoleWriter, "payments.*", AlgorithmHMACSHA256)
	stored, id, err := SignRecord(r, authority.Signer())
	if err != nil {
		t.Fatal(err)
	}
	edited := bytes.Replace(stored, []byte(`"entry_algorithm":"hmac-sha256"`), []byte(`"entry_algorithm":"ed25519"`), 1)
	edited = bytes.Replace(edited, []byte(`"hmac_commitment":"`+r.HMACCommitment+`",`), nil, 1)
	got, o, err := ParseRecord(edited)
	if err != nil {
		t.Fatalf("the edited record is not even one: %v", err)
	}
	if other, _ := got.ID(); other == id {
		t.Error("the edited record keeps its name")
	}
	if err := VerifyLine(KindKey, testLog, authority.Authority().ID(), authority.Authority().PublicKey, o); !errors.Is(err, ErrBadSignature) {
		t.Errorf("the edited record passes: %v", err)
	}
	if _, err := b.SigningKey(got); !errors.Is(err, ErrMismatch) {
		t.Errorf("the bundle signs under the edited record: %v", err)
	}
	for _, a := range []Algorithm{"none", "", "HMAC-SHA256", "ed25519,hmac-sha256"} {
		r := r
		r.EntryAlgorithm = a
		if _, err := r.Line(); err == nil || !strings.Contains(err.Error(), "algorithm") {
			t.Errorf("algorithm %q: %v", a, err)
		}
	}
}

// remote is a signer whose key is elsewhere, as in KMS: all that is here is a way to ask.
type remote struct {
	id   ID
	sign func(message []byte) ([]byte, error)
}

func (r remote) KeyID() ID                           { return r.id }
func (r remote) Sign(message []byte) ([]byte, error) { return r.sign(message) }

func TestSigningKeyElsewhere(t *testing.T) {
	for _, a := range []Algorithm{AlgorithmEd25519, AlgorithmHMACSHA256} {
		b, r := newTestKey(t, RoleWriter, "payments.*", a)
		id := b.KeyID()
		there := remote{id, NewSigner(id, b.private()).Sign}
		k, err := NewSigningKey(r, there, b.VerificationCopy())
		if err != nil {
			t.Fatal(err)
		}
		o, err := signLine(KindManifest, testLog, []byte("{}"), k.Signer())
		if err != nil || VerifyLine(KindManifest, testLog, id, r.PublicKey, o) != nil || k.ID() != id {
			t.Errorf("%s: manifests: %v", a, err)
		}
		s, err := k.EntrySigner(testStream)
		if err != nil {
			t.Fatal(err)
		}
		v, err := r.EntryVerifier(testStream, b.VerificationCopy())
		if err != nil {
			t.Fatal(err)
		}
		sig, err := s.Clone().AppendSignature([]byte("before"), []byte("{}"))
		if err != nil || !v.VerifyEntry([]byte("{}"), sig[len("before"):]) || len(sig)-len("before") != s.SignatureSize() {
			t.Errorf("%s: entries: %v", a, err)
		}
		other, _ := newTestKey(t, RoleWriter, "payments.*", a)
		unable := errors.New("the KMS key is disabled")
		for name, c := range map[string]struct {
			by    Signer
			entry *VerificationCopy
			want  error
		}{
			"another key":     {remote{id, NewSigner(id, other.private()).Sign}, b.VerificationCopy(), ErrMismatch},
			"another ID":      {remote{other.KeyID(), there.sign}, b.VerificationCopy(), ErrMismatch},
			"no key":          {remote{id, func([]byte) ([]byte, error) { return nil, unable }}, b.VerificationCopy(), unable},
			"short signature": {remote{id, func([]byte) ([]byte, error) { return make([]byte, 32), nil }}, b.VerificationCopy(), ErrMismatch},
			"DER signature":   {remote{id, func([]byte) ([]byte, error) { return make([]byte, 71), nil }}, b.VerificationCopy(), ErrMismatch},
		} {
			if _, err := NewSigningKey(r, c.by, c.entry); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v", a, name, err)
			}
		}
		if !a.Symmetric() {
			continue
		}
		if _, err := NewSigningKey(r, there, nil); !errors.Is(err, ErrNoVerificationCopy) {
			t.Errorf("no entry key: %v", err)
		}
		if _, err := NewSigningKey(r, there, other.VerificationCopy()); !errors.Is(err, ErrMismatch) {
			t.Errorf("another entry key: %v", err)
		}
	}
}

// A signer that goes wrong later leaves no line with a signature of another length.
func TestEntriesOfASignerThatFails(t *testing.T) {
	b, r := newTestKey(t, RoleWriter, "payments.*", AlgorithmEd25519)
	sign := NewSigner(b.KeyID(), b.private()).Sign
	k, err := NewSigningKey(r, remote{b.KeyID(), func(m []byte) ([]byte, error) { return sign(m) }}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.EntrySigner(testStream)
	if err != nil {
		t.Fatal(err)
	}
	for _, sign = range []func([]byte) ([]byte, error){
		func([]byte) ([]byte, error) { return nil, errors.New("throttled") },
		func([]byte) ([]byte, error) { return make([]byte, 63), nil },
		func([]byte) ([]byte, error) { return nil, nil },
	} {
		if got, err := s.AppendSignature([]byte("before"), []byte("{}")); err == nil || string(got) != "before" {
			t.Errorf("%q, %v", got, err)
		}
	}
}
