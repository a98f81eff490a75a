package keys

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/wormlog/wormlog/internal/lineobject"
)

func TestVerifyLineBindsEverything(t *testing.T) {
	line := []byte(`{"a":1}`)
	good, err := signLine(KindManifest, testLog, line, NewSigner(testID, vectorPrivate))
	if err != nil {
		t.Fatal(err)
	}
	pub := NewPublicKey(vectorPublic)
	if err := VerifyLine(KindManifest, testLog, testID, pub, good); err != nil {
		t.Fatal(err)
	}
	otherID := testID[:31] + "0"
	otherLog := testLog[:63] + "0"
	otherKey := NewPublicKey(ed25519.NewKeyFromSeed(ascending(7)).Public().(ed25519.PublicKey))
	renamed := good
	renamed.KeyID = string(otherID)
	changed := good
	changed.Line = []byte(`{"a":2}`)
	short := good
	short.Signature = good.Signature[:63]
	long := good
	long.Signature = append(bytes.Clone(good.Signature), 0)
	for name, err := range map[string]error{
		"kind":            VerifyLine(KindReceipt, testLog, testID, pub, good),
		"log":             VerifyLine(KindManifest, otherLog, testID, pub, good),
		"key ID":          VerifyLine(KindManifest, testLog, otherID, pub, good),
		"key ID in both":  VerifyLine(KindManifest, testLog, otherID, pub, renamed),
		"public key":      VerifyLine(KindManifest, testLog, testID, otherKey, good),
		"no key":          VerifyLine(KindManifest, testLog, testID, nil, good),
		"line":            VerifyLine(KindManifest, testLog, testID, pub, changed),
		"short signature": VerifyLine(KindManifest, testLog, testID, pub, short),
		"long signature":  VerifyLine(KindManifest, testLog, testID, pub, long),
		"second spelling": VerifyLine(KindManifest, testLog, testID, pub, withS(good)),
		"no signature":    VerifyLine(KindManifest, testLog, testID, pub, lineobject.Object{Line: line, KeyID: string(testID)}),
	} {
		if !errors.Is(err, ErrBadSignature) {
			t.Errorf("%s: error %v, want ErrBadSignature", name, err)
		}
	}
}

// withS adds the group order to S: the same signature to a verifier that does not check RFC 8032's bound.
func withS(o lineobject.Object) lineobject.Object {
	order := []byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	sig := bytes.Clone(o.Signature)
	carry := 0
	for i, l := range order {
		sum := int(sig[32+i]) + int(l) + carry
		sig[32+i], carry = byte(sum), sum>>8
	}
	o.Signature = sig
	return o
}

func TestPublicKeyIsStrict(t *testing.T) {
	good := NewPublicKey(vectorPublic)
	if raw, err := good.Ed25519(); err != nil || !raw.Equal(vectorPublic) {
		t.Fatalf("%x, %v", raw, err)
	}
	x25519 := bytes.Clone(good)
	x25519[8] = 0x6e
	for name, bad := range map[string]PublicKey{
		"nothing": nil, "raw": PublicKey(vectorPublic), "short": good[:43], "long": append(bytes.Clone(good), 0), "X25519": x25519,
	} {
		if _, err := bad.Ed25519(); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}
