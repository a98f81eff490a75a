package keys

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
)

// PublicKey is a SubjectPublicKeyInfo in DER, 44 bytes for Ed25519: what openssl pkeyutl -verify -pubin -keyform DER
// takes. It names its algorithm. In JSON it is canonical padded base64.
type PublicKey []byte

// NewPublicKey encodes an Ed25519 public key.
func NewPublicKey(pub ed25519.PublicKey) PublicKey {
	return append(append(make(PublicKey, 0, 44), ed25519Scheme.spki...), pub...)
}

// Algorithm returns the algorithm of the key, or an error when the bytes are not exactly the DER of a key that can be
// trusted to prove something.
func (p PublicKey) Algorithm() (Algorithm, error) {
	s, _, err := p.parse()
	if err != nil {
		return "", err
	}
	return s.name, nil
}

// Check returns an error unless the key is one of this algorithm.
func (p PublicKey) Check(a Algorithm) error {
	got, err := p.Algorithm()
	if err == nil && got != a {
		err = fmt.Errorf("the public key is for %s, but it is said to be for %s", got, a)
	}
	return err
}

// Ed25519 returns the raw key, or an error when this is not an Ed25519 key, see [PublicKey.Algorithm].
func (p PublicKey) Ed25519() (ed25519.PublicKey, error) {
	s, raw, err := p.parse()
	if err == nil && s != ed25519Scheme {
		err = errNotEd25519
	}
	if err != nil {
		return nil, err
	}
	return raw, nil
}

var errNotEd25519 = errors.New("the public key is not the SubjectPublicKeyInfo of an Ed25519 key (44 bytes of DER)")

// parse returns the raw key and what it verifies with.
func (p PublicKey) parse() (*scheme, []byte, error) {
	for _, s := range schemes {
		if !s.public() {
			continue
		}
		raw, ok := bytes.CutPrefix(p, s.spki)
		if !ok || len(raw) != s.size {
			continue
		}
		if err := s.check(raw); err != nil {
			return nil, nil, err
		}
		return s, raw, nil
	}
	return nil, nil, errNotEd25519 // the only one so far
}

// checkEd25519 refuses encodings that are not those of RFC 8032 section 5.1.3 (y is below the field's prime, and a point
// with x = 0 has no sign), and the points of small order: under one of those a signature fits nearly any message, and
// nobody has to have made it (Chalkias, Garillot and Nikolaenko, "Taming the Many EdDSAs", 2020). Bytes that are no point
// on the curve at all verify nothing.
func checkEd25519(raw []byte) error {
	y := [32]byte(raw)
	y[31] &= 0x7f // without the sign of x
	if y[31] == 0x7f && y[0] >= 0xed && bytes.Count(y[1:31], []byte{0xff}) == 30 {
		return errors.New("the public key is not a canonical encoding: its y is not below 2^255-19")
	}
	for _, small := range smallOrder {
		if y == small {
			return errors.New("the public key is a point of small order, under which anyone can sign")
		}
	}
	return nil
}

// smallOrder is y, little-endian, of the eight points whose order divides the cofactor 8. Both signs of x are refused, so
// the two encodings of the points with x = 0 that should have none are as well.
var smallOrder = func() (points [5][32]byte) {
	for i, y := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000", // order 1
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
		"0000000000000000000000000000000000000000000000000000000000000000", // order 4, two points
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8, two points
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8, two points
	} {
		if _, err := hex.Decode(points[i][:], []byte(y)); err != nil {
			panic(err)
		}
	}
	return points
}()
