package keys

import (
	"crypto/ed25519"
	"errors"
	"sync"
)

// StreamKey is the ephemeral Ed25519 key that signs the manifests of one stream after its first one. It is kept in
// memory and destroyed when the stream closes, so that nobody can extend or fork the stream later. It is safe for
// concurrent use.
type StreamKey struct {
	redacted
	public  ed25519.PublicKey
	private hidden[streamSecret]
}

type streamSecret struct {
	mu  sync.RWMutex
	key ed25519.PrivateKey // nil once destroyed
}

// NewStreamKey makes a stream key from the system's randomness.
func NewStreamKey() (*StreamKey, error) {
	priv := ed25519.NewKeyFromSeed(randomSeed().bytes())
	pub := priv.Public().(ed25519.PublicKey)
	return &StreamKey{redacted: redacted{"stream key", StreamKeyID(NewPublicKey(pub))}, public: pub, private: hide(&streamSecret{key: priv})}, nil
}

// StreamKeyID returns the ID of a stream key: a hash of "wormlog/v1 stream key\n" and the raw public key. It is empty, and
// so never equal to a key ID, when the public key is none.
func StreamKeyID(pub PublicKey) ID { return rawKeyID("wormlog/v1 stream key\n", pub) }

// ID returns the key's ID.
func (k *StreamKey) ID() ID { return k.id }

// PublicKey returns what the stream's first manifest publishes.
func (k *StreamKey) PublicKey() PublicKey { return NewPublicKey(k.public) }

// Algorithm returns how the key signs.
func (k *StreamKey) Algorithm() Algorithm { return AlgorithmEd25519 }

// Signer returns the key's signer, which fails after [StreamKey.Destroy].
func (k *StreamKey) Signer() Signer { return streamSigner{k} }

// Destroy overwrites the private key, as far as Go lets a program do that. Nothing can be signed afterwards.
func (k *StreamKey) Destroy() {
	private := k.private.get()
	private.mu.Lock()
	defer private.mu.Unlock()
	clear(private.key)
	private.key = nil
}

type streamSigner struct{ *StreamKey }

func (s streamSigner) KeyID() ID { return s.id }

func (s streamSigner) Sign(message []byte) ([]byte, error) {
	private := s.private.get()
	private.mu.RLock()
	defer private.mu.RUnlock()
	if private.key == nil {
		return nil, errors.New("stream key " + string(s.id) + " was destroyed when its stream closed; open a new stream")
	}
	return ed25519.Sign(private.key, message), nil
}
