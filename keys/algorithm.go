package keys

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
)

// Algorithm names how a key signs. Genesis, key records and first manifests name it, each for the keys that it introduces;
// what is signed never does.
type Algorithm string

// The algorithms. Entries may be signed with either, everything else takes a public key.
const (
	AlgorithmEd25519    Algorithm = "ed25519"     // RFC 8032
	AlgorithmHMACSHA256 Algorithm = "hmac-sha256" // RFC 2104, with a key per stream by HKDF (RFC 5869)
)

// scheme is all that verifiers know of an algorithm. docs/keys.md ("Algorithms") says what one more takes.
type scheme struct {
	name      Algorithm
	signature int // length in bytes

	// The rest is of public keys; without them, signatures are checked with the secret itself.

	// spki is all of a SubjectPublicKeyInfo in DER but the key, which has size bytes. Where the encoding has no freedom, as
	// in the algorithms to come as well, a comparison is a parser.
	spki []byte
	size int
	// check refuses keys of the right length that prove nothing.
	check func(raw []byte) error
	// verify does not panic, whatever it is given.
	verify func(raw, message, signature []byte) bool
}

var schemes = []*scheme{ed25519Scheme, {name: AlgorithmHMACSHA256, signature: sha256.Size}}

var ed25519Scheme = &scheme{
	name: AlgorithmEd25519, signature: ed25519.SignatureSize,
	// RFC 8410 section 4: SEQUENCE of AlgorithmIdentifier 1.3.101.112 without parameters, and BIT STRING.
	spki: []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00},
	size: ed25519.PublicKeySize, check: checkEd25519,
	verify: func(raw, message, signature []byte) bool {
		return len(raw) == ed25519.PublicKeySize && ed25519.Verify(raw, message, signature)
	},
}

// MaxEntrySignature is the length of the longest signature that an entry can have, in bytes.
const MaxEntrySignature = ed25519.SignatureSize

// EntrySignatureSizes returns the lengths that signatures of entries can have, in bytes and ascending.
func EntrySignatureSizes() []int {
	var sizes []int
	for _, s := range schemes {
		sizes = append(sizes, s.signature)
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// Valid reports whether entries can be signed so.
func (a Algorithm) Valid() error {
	if a.scheme() == nil {
		return errors.New("the algorithm for entries is " + algorithms(func(*scheme) bool { return true }))
	}
	return nil
}

// algorithms lists the names of some.
func algorithms(which func(*scheme) bool) string {
	var names []string
	for _, s := range schemes {
		if which(s) {
			names = append(names, string(s.name))
		}
	}
	return strings.Join(names, " or ")
}

func (s *scheme) public() bool { return s.verify != nil }

// Symmetric reports whether checking takes the same secret as signing, see [VerificationCopy].
func (a Algorithm) Symmetric() bool {
	s := a.scheme()
	return s != nil && !s.public()
}

// SignatureSize returns the length of a signature in bytes, 0 for an algorithm that is not known.
func (a Algorithm) SignatureSize() int {
	if s := a.scheme(); s != nil {
		return s.signature
	}
	return 0
}

// scheme returns nil for an algorithm that is not known.
func (a Algorithm) scheme() *scheme {
	for _, s := range schemes {
		if s.name == a {
			return s
		}
	}
	return nil
}
