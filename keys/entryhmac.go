package keys

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
	"errors"
	"fmt"
	"hash"
)

// NewHMACEntrySigner returns a signer for one stream. The HMAC key is derived from the bundle's 32-byte entry key by
// HKDF-SHA256 (RFC 5869) with an empty salt and the info "wormlog/v1 entry key\n<log id>\n<stream>". Signing does not
// allocate where dst has room.
func NewHMACEntrySigner(entryKey []byte, log LogID, key ID, stream string) (EntrySigner, error) {
	m, err := newHiddenMAC(entryKey, log, key, stream)
	if err != nil {
		return nil, err
	}
	return hmacSigner{m}, nil
}

// NewHMACEntryVerifier returns the verifier that fits [NewHMACEntrySigner]. Verifying does not allocate.
func NewHMACEntryVerifier(entryKey []byte, log LogID, key ID, stream string) (EntryVerifier, error) {
	m, err := newHiddenMAC(entryKey, log, key, stream)
	if err != nil {
		return nil, err
	}
	return hmacVerifier{m}, nil
}

// entryMAC computes HMAC-SHA256 (RFC 2104) of the entry prefix and an entry. The key's pads and the prefix never change
// and are three blocks of SHA-256, so it starts from the states after them; crypto/hmac keeps only those after the pads,
// and its Clone allocates (the benchmarks show all three ways).
type entryMAC struct {
	hash  hash.Hash
	state encoding.BinaryUnmarshaler // hash, as what a saved state is restored into
	inner []byte                     // state after key^ipad and prefix; never written to
	outer []byte                     // state after key^opad; never written to
	sum   [sha256.Size]byte          // here and not on the stack, where it would escape
}

func newEntryMAC(entryKey []byte, log LogID, key ID, stream string) (*entryMAC, error) {
	if len(entryKey) != 32 {
		return nil, fmt.Errorf("key %s: an entry key has 32 bytes, not %d", key, len(entryKey))
	}
	derived, err := hkdf.Key(sha256.New, entryKey, nil, "wormlog/v1 entry key\n"+string(log)+"\n"+stream, 32)
	if err != nil {
		return nil, fmt.Errorf("key %s: derive the entry key of stream %s: %w", key, stream, err)
	}
	inner, err := paddedState(derived, 0x36, EntryPrefix(log, key))
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", key, err)
	}
	outer, err := paddedState(derived, 0x5c, nil)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", key, err)
	}
	return restorable(inner, outer)
}

// paddedState returns the state of SHA-256 after the padded key and a prefix.
func paddedState(key []byte, pad byte, prefix []byte) ([]byte, error) {
	var block [sha256.BlockSize]byte
	copy(block[:], key)
	for i := range block {
		block[i] ^= pad
	}
	h := sha256.New()
	h.Write(block[:])
	h.Write(prefix)
	m, ok := h.(encoding.BinaryMarshaler)
	if !ok {
		return nil, errNoState
	}
	return m.MarshalBinary()
}

var errNoState = errors.New("this build's SHA-256 cannot save its state; build with Go's own")

func restorable(inner, outer []byte) (*entryMAC, error) {
	h := sha256.New()
	state, ok := h.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, errNoState
	}
	return &entryMAC{hash: h, state: state, inner: inner, outer: outer}, nil
}

func (m *entryMAC) clone() *entryMAC {
	c, _ := restorable(m.inner, m.outer) // it worked for m
	return c
}

// append appends the MAC of the entry to dst.
func (m *entryMAC) append(dst, entry []byte) ([]byte, error) {
	if err := m.state.UnmarshalBinary(m.inner); err != nil {
		return dst, err
	}
	m.hash.Write(entry)
	m.hash.Sum(m.sum[:0])
	if err := m.state.UnmarshalBinary(m.outer); err != nil {
		return dst, err
	}
	m.hash.Write(m.sum[:])
	return m.hash.Sum(dst), nil
}

// hiddenMAC is what signer and verifier share. The saved states stand in for the key: who has them can sign.
type hiddenMAC struct {
	redacted
	hidden[entryMAC]
}

func newHiddenMAC(entryKey []byte, log LogID, key ID, stream string) (hiddenMAC, error) {
	m, err := newEntryMAC(entryKey, log, key, stream)
	if err != nil {
		return hiddenMAC{}, err
	}
	return hiddenMAC{redacted{"entry key", key}, hide(m)}, nil
}

func (m hiddenMAC) KeyID() ID        { return m.id }
func (m hiddenMAC) clone() hiddenMAC { return hiddenMAC{m.redacted, hide(m.get().clone())} }

type hmacSigner struct{ hiddenMAC }

func (s hmacSigner) SignatureSize() int { return sha256.Size }
func (s hmacSigner) Clone() EntrySigner { return hmacSigner{s.clone()} }

func (s hmacSigner) AppendSignature(dst, entry []byte) ([]byte, error) {
	return s.get().append(dst, entry)
}

type hmacVerifier struct{ hiddenMAC }

func (v hmacVerifier) Clone() EntryVerifier { return hmacVerifier{v.clone()} }

func (v hmacVerifier) VerifyEntry(entry, signature []byte) bool {
	m := v.get()
	// The inner hash is spent once append writes the outer one, so its place can take the result.
	want, err := m.append(m.sum[:0], entry)
	return err == nil && subtle.ConstantTimeCompare(want, signature) == 1
}
