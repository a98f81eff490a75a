package keys

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
)

// Kind is the kind of a line object, a part of what is signed.
type Kind string

// The kinds of line objects.
const (
	KindGenesis  Kind = "genesis"
	KindKey      Kind = "key"
	KindManifest Kind = "manifest"
	KindReceipt  Kind = "receipt"
)

// ErrBadSignature says that a signature does not prove what it is meant to prove.
var ErrBadSignature = errors.New("bad signature")

// LineMessage returns what is signed for a line object; line is line 1 without its newline:
//
//	wormlog/v1 <kind>\n<log id>\n<key id>\n<sha256 of line 1, with its newline, in lower-case hex>\n
func LineMessage(kind Kind, log LogID, key ID, line []byte) []byte {
	digest := lineobject.LineDigest(line)
	b := make([]byte, 0, 192)
	b = appendDomain(b, string(kind), log, key)
	b = hex.AppendEncode(b, digest[:])
	return append(b, '\n')
}

// EntryPrefix returns what precedes an entry's bytes in the signed message: "wormlog/v1 entry\n<log id>\n<key id>\n".
func EntryPrefix(log LogID, key ID) []byte {
	return appendDomain(make([]byte, 0, 128), "entry", log, key)
}

func appendDomain(b []byte, kind string, log LogID, key ID) []byte {
	b = append(b, "wormlog/v1 "...)
	b = append(b, kind...)
	b = append(b, '\n')
	b = append(b, log...)
	b = append(b, '\n')
	b = append(b, key...)
	return append(b, '\n')
}

// VerifyLine checks that the key named key, with the public key pub, signed o as a line object of this kind in this log.
// The algorithm is that of pub, of which line 2 knows nothing: it is for the caller to take pub from where the rules say,
// as genesis, a key record or a stream's first manifest. Every error wraps [ErrBadSignature]. Signatures are RFC 8032
// Ed25519; Go's verifier refuses a non-canonical S, so nobody can make a second signature out of a valid one.
func VerifyLine(kind Kind, log LogID, key ID, pub PublicKey, o lineobject.Object) error {
	if o.KeyID != string(key) {
		return fmt.Errorf("%w: the %s is signed by another key than %s", ErrBadSignature, kind, key)
	}
	s, raw, err := pub.parse()
	if err != nil {
		return fmt.Errorf("%w: key %s: %w", ErrBadSignature, key, err)
	}
	if len(o.Signature) != s.signature {
		return fmt.Errorf("%w: the %s's signature has %d bytes, not %d", ErrBadSignature, kind, len(o.Signature), s.signature)
	}
	if !s.verify(raw, LineMessage(kind, log, key, o.Line), o.Signature) {
		return fmt.Errorf("%w: key %s did not sign this %s in this log", ErrBadSignature, key, kind)
	}
	return nil
}
