package keys

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
)

// FormatDraft is the member "format" of every object and secret of this format.
const FormatDraft = "wormlog/v1-draft"

// ErrUnknownFormat says that an object names a format other than [FormatDraft]: another release may read it.
var ErrUnknownFormat = errors.New("unknown format")

// LogID identifies a log: the SHA-256 of line 1 of its genesis, 64 lower-case hex digits. Verifiers pin it.
type LogID string

// Valid reports whether the log ID has its form; it says nothing of whether such a log exists.
func (l LogID) Valid() error {
	if !lowerHex(string(l), 2*sha256.Size) {
		return errors.New("a log ID is 64 lower-case hex digits")
	}
	return nil
}

// ID identifies a key: 32 lower-case hex digits of a hash of what the key is, so it certifies itself.
type ID string

// Valid reports whether the key ID has its form; it says nothing of whether such a key exists.
func (id ID) Valid() error {
	if !lowerHex(string(id), 32) {
		return errors.New("a key ID is 32 lower-case hex digits")
	}
	return nil
}

// hashID is the first half of a SHA-256, in hex.
func hashID(parts ...[]byte) ID {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return ID(hex.EncodeToString(h.Sum(nil)[:16]))
}

// rawKeyID names a key that has no record: by a domain and the raw public key. It is empty when the public key is none.
func rawKeyID(domain string, pub PublicKey) ID {
	_, raw, err := pub.parse()
	if err != nil {
		return ""
	}
	return hashID([]byte(domain), raw)
}

func lowerHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// checkFormat looks at the member format alone, so that an object of a later format is told from a malformed one.
// Bytes that do not begin with a format are left to the strict parser. The format is not printed: in a secret that went
// to the wrong place it could be anything.
func checkFormat(line []byte) error {
	if f, ok := lineobject.Format(line); !ok || f == FormatDraft {
		return nil
	}
	return fmt.Errorf("%w: this release reads %s only; use the release that wrote it or a later one", ErrUnknownFormat, FormatDraft)
}
