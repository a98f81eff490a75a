package keys

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
)

// PublicKey is a SubjectPublicKeyInfo in DER, 44 bytes for Ed25519: what openssl pkeyutl -verify -pubin -keyform DER
// takes. In JSON it is canonical padded base64.
type PublicKey []byte

// spkiPrefix is all of an Ed25519 SubjectPublicKeyInfo (RFC 8410 section 4) but the key: SEQUENCE of AlgorithmIdentifier
// 1.3.101.112 without parameters, and BIT STRING of 32 bytes. The encoding has no freedom, so a comparison is a parser.
var spkiPrefix = []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}

// NewPublicKey encodes an Ed25519 public key.
func NewPublicKey(pub ed25519.PublicKey) PublicKey {
	return append(append(make(PublicKey, 0, 44), spkiPrefix...), pub...)
}

// Ed25519 returns the raw key, or an error when the bytes are not exactly the DER of an Ed25519 key.
func (p PublicKey) Ed25519() (ed25519.PublicKey, error) {
	raw, ok := bytes.CutPrefix(p, spkiPrefix)
	if !ok || len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("the public key is not the SubjectPublicKeyInfo of an Ed25519 key (44 bytes of DER)")
	}
	return ed25519.PublicKey(raw), nil
}
