package keys

import (
	"crypto/ed25519"
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
)

// Signer signs messages with a key that stays where it is: in memory, or in a service such as AWS KMS. What it returns has
// the form that the key's [Algorithm] says. It is safe for concurrent use. An error means that nothing was signed.
type Signer interface {
	KeyID() ID
	Sign(message []byte) ([]byte, error)
}

// NewSigner returns a signer that signs as id with an Ed25519 key in memory.
func NewSigner(id ID, key ed25519.PrivateKey) Signer {
	return &signer{redacted{"signer", id}, hide(&key)}
}

type signer struct {
	redacted
	key hidden[ed25519.PrivateKey]
}

func (s *signer) KeyID() ID { return s.id }

func (s *signer) Sign(message []byte) ([]byte, error) {
	key := *s.key.get()
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("key %s cannot sign: its private key is not an Ed25519 key of %d bytes", s.id, ed25519.PrivateKeySize)
	}
	return ed25519.Sign(key, message), nil
}

// signLine makes the line object of a line.
func signLine(kind Kind, log LogID, line []byte, by Signer) (lineobject.Object, error) {
	sig, err := by.Sign(LineMessage(kind, log, by.KeyID(), line))
	if err != nil {
		return lineobject.Object{}, err
	}
	return lineobject.Object{Line: line, KeyID: string(by.KeyID()), Signature: sig}, nil
}
