package vectors

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"slices"
)

// key is an Ed25519 key and the ID that it signs as.
type key struct {
	id   string
	priv ed25519.PrivateKey
}

// newKey makes the key whose seed is 32 times the same byte.
func newKey(seed byte) key {
	return key{priv: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))}
}

func (k key) raw() []byte { return k.priv.Public().(ed25519.PublicKey) }

// public is the SubjectPublicKeyInfo in base64.
func (k key) public() string { return spki(hex.EncodeToString(k.raw())) }

// spki is the SubjectPublicKeyInfo, in base64, of raw bytes in hex.
func spki(raw string) string {
	der, err := hex.DecodeString("302a300506032b6570032100" + raw)
	if err != nil {
		panic(err)
	}
	return b64(der)
}

// named returns the key with the ID that keys of its kind have: authority or stream.
func (k key) named(kind string) key {
	k.id = hexSum("wormlog/v1 " + kind + " key\n" + string(k.raw()))[:32]
	return k
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func hexSum(s string) string {
	d := sha256.Sum256([]byte(s))
	return hex.EncodeToString(d[:])
}

// message is what is signed for a line object; line is without newline.
func message(kind, log, id, line string) string {
	return "wormlog/v1 " + kind + "\n" + log + "\n" + id + "\n" + hexSum(line+"\n") + "\n"
}

func (k key) sign(message string) []byte { return ed25519.Sign(k.priv, []byte(message)) }

// object is the line object that k signs.
func (k key) object(kind, log, line string) string {
	return twoLines(line, k.id, k.sign(message(kind, log, k.id, line)))
}

func twoLines(line, id string, signature []byte) string {
	return line + "\n" + `{"signatures":[{"key_id":"` + id + `","signature":"` + b64(signature) + `"}]}` + "\n"
}

// malleated adds the group's order to S: the equation still holds, RFC 8032 refuses it.
func malleated(signature []byte) []byte {
	order, _ := new(big.Int).SetString("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", 16)
	s := slices.Clone(signature[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return append(slices.Clone(signature[:32]), sum...)
}

// mac is the signature of an entry by HMAC.
func mac(entryKey []byte, log, id, stream, entry string) []byte {
	derived, err := hkdf.Key(sha256.New, entryKey, nil, "wormlog/v1 entry key\n"+log+"\n"+stream, 32)
	if err != nil {
		panic(err)
	}
	return hmacSum(derived, "wormlog/v1 entry\n"+log+"\n"+id+"\n"+entry)
}

func hmacSum(key []byte, message string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(message))
	return m.Sum(nil)
}
