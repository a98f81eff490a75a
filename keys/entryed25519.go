package keys

import (
	"crypto/ed25519"
	"errors"
)

// NewEd25519EntrySigner returns a signer of entries with an Ed25519 key. A key of the wrong length makes every call fail.
func NewEd25519EntrySigner(priv ed25519.PrivateKey, log LogID, key ID) EntrySigner {
	return &ed25519Signer{redacted{"entry key", key}, entryMessage{id: key, prefix: EntryPrefix(log, key)}, hide(&priv)}
}

// NewEd25519EntryVerifier returns the verifier that fits [NewEd25519EntrySigner]. A key of the wrong length verifies
// nothing.
func NewEd25519EntryVerifier(pub ed25519.PublicKey, log LogID, key ID) EntryVerifier {
	return &ed25519Verifier{entryMessage{id: key, prefix: EntryPrefix(log, key)}, pub}
}

// entryMessage puts prefix and entry into one piece, as Ed25519 needs them, in a buffer that is used again.
type entryMessage struct {
	id     ID
	prefix []byte
	buf    []byte
}

func (m *entryMessage) KeyID() ID { return m.id }

func (m *entryMessage) with(entry []byte) []byte {
	m.buf = append(append(m.buf[:0], m.prefix...), entry...)
	return m.buf
}

func (m *entryMessage) clone() entryMessage { return entryMessage{id: m.id, prefix: m.prefix} }

type ed25519Signer struct {
	redacted
	entryMessage
	key hidden[ed25519.PrivateKey]
}

func (s *ed25519Signer) SignatureSize() int { return ed25519.SignatureSize }
func (s *ed25519Signer) Clone() EntrySigner { return &ed25519Signer{s.redacted, s.clone(), s.key} }

func (s *ed25519Signer) AppendSignature(dst, entry []byte) ([]byte, error) {
	key := *s.key.get()
	if len(key) != ed25519.PrivateKeySize {
		return dst, errors.New("key " + string(s.KeyID()) + " cannot sign: its private key is not an Ed25519 key")
	}
	return append(dst, ed25519.Sign(key, s.with(entry))...), nil
}

type ed25519Verifier struct {
	entryMessage
	key ed25519.PublicKey
}

func (v *ed25519Verifier) Clone() EntryVerifier { return &ed25519Verifier{v.clone(), v.key} }

func (v *ed25519Verifier) VerifyEntry(entry, signature []byte) bool {
	return len(v.key) == ed25519.PublicKeySize && ed25519.Verify(v.key, v.with(entry), signature)
}
