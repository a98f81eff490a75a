package keys

import (
	"crypto/ed25519"
	"fmt"
)

// NewEd25519EntrySigner returns a signer of entries with an Ed25519 key. A key of the wrong length makes every call fail.
func NewEd25519EntrySigner(priv ed25519.PrivateKey, log LogID, key ID) EntrySigner {
	return newSignerEntries(NewSigner(key, priv), ed25519Scheme, log)
}

// NewEd25519EntryVerifier returns the verifier that fits [NewEd25519EntrySigner]. A key of the wrong length verifies
// nothing.
func NewEd25519EntryVerifier(pub ed25519.PublicKey, log LogID, key ID) EntryVerifier {
	return &publicVerifier{newEntryMessage(log, key), ed25519Scheme, pub}
}

func newPublicVerifier(pub PublicKey, log LogID, key ID) (EntryVerifier, error) {
	s, raw, err := pub.parse()
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", key, err)
	}
	return &publicVerifier{newEntryMessage(log, key), s, raw}, nil
}

// publicVerifier checks signatures with a public key.
type publicVerifier struct {
	entryMessage
	scheme *scheme
	key    []byte
}

func (v *publicVerifier) Clone() EntryVerifier { return &publicVerifier{v.clone(), v.scheme, v.key} }

func (v *publicVerifier) VerifyEntry(entry, signature []byte) bool {
	return len(signature) == v.scheme.signature && v.scheme.verify(v.key, v.with(entry), signature)
}

// signerEntries signs entries with a [Signer]. What it returns is looked at: room was left for so many bytes.
type signerEntries struct {
	redacted
	entryMessage
	scheme *scheme
	signer Signer
}

func newSignerEntries(by Signer, s *scheme, log LogID) *signerEntries {
	return &signerEntries{redacted{"entry key", by.KeyID()}, newEntryMessage(log, by.KeyID()), s, by}
}

func (s *signerEntries) SignatureSize() int { return s.scheme.signature }
func (s *signerEntries) Clone() EntrySigner {
	return &signerEntries{s.redacted, s.clone(), s.scheme, s.signer}
}

func (s *signerEntries) AppendSignature(dst, entry []byte) ([]byte, error) {
	signature, err := s.signer.Sign(s.with(entry))
	if err == nil && len(signature) != s.scheme.signature {
		err = fmt.Errorf("key %s: its signer made a signature of %d bytes, not of %d", s.KeyID(), len(signature), s.scheme.signature)
	}
	if err != nil {
		return dst, err
	}
	return append(dst, signature...), nil
}

// entryMessage puts prefix and entry into one piece, as public keys need them, in a buffer that is used again.
type entryMessage struct {
	id     ID
	prefix []byte
	buf    []byte
}

func newEntryMessage(log LogID, key ID) entryMessage {
	return entryMessage{id: key, prefix: EntryPrefix(log, key)}
}

func (m *entryMessage) KeyID() ID { return m.id }

func (m *entryMessage) with(entry []byte) []byte {
	m.buf = append(append(m.buf[:0], m.prefix...), entry...)
	return m.buf
}

func (m *entryMessage) clone() entryMessage { return entryMessage{id: m.id, prefix: m.prefix} }
