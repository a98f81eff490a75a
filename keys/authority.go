package keys

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
)

// Authority is the public half of a key that genesis names; authorities sign key records.
type Authority struct {
	Name      string    `json:"name"`
	Algorithm Algorithm `json:"algorithm"`
	PublicKey PublicKey `json:"public_key"`
}

// Valid reports whether the authority can be used: a name of 1 to 64 printable ASCII characters without space, "+" and
// "/", and a public key of the algorithm it names.
func (a Authority) Valid() error {
	if err := keyName(a.Name); err != nil {
		return err
	}
	if err := a.PublicKey.Check(a.Algorithm); err != nil {
		return fmt.Errorf("authority %s: %w", a.Name, err)
	}
	return nil
}

// ID returns the ID of the authority's key: a hash of "wormlog/v1 authority key\n" and the raw public key. It is empty,
// and so never equal to a key ID, when the public key is none.
func (a Authority) ID() ID { return rawKeyID("wormlog/v1 authority key\n", a.PublicKey) }

func keyName(s string) error {
	ok := len(s) >= 1 && len(s) <= 64
	for i := range len(s) {
		ok = ok && s[i] > ' ' && s[i] < 0x7f && s[i] != '+' && s[i] != '/'
	}
	if !ok {
		return errors.New(`an authority's name is 1 to 64 printable ASCII characters without space, "+" and "/"`)
	}
	return nil
}

// AuthorityKey is the private half of an authority that genesis names. Only the rotation role may read the online one; the
// recovery key stays offline.
type AuthorityKey struct {
	redacted
	log  LogID
	name string
	key  seed
}

type authorityJSON struct {
	Format string `json:"format"`
	LogID  LogID  `json:"log_id,omitzero"`
	Name   string `json:"name"`
	Key    []byte `json:"key"`
}

// NewAuthorityKey makes an authority key from the system's randomness. It belongs to no log yet: genesis names it, and
// the log ID is the hash of genesis.
func NewAuthorityKey(name string) (*AuthorityKey, error) {
	if err := keyName(name); err != nil {
		return nil, err
	}
	return newAuthorityKey("", name, randomSeed().bytes()), nil
}

func newAuthorityKey(log LogID, name string, b []byte) *AuthorityKey {
	key, _ := newSeed(b)
	k := &AuthorityKey{log: log, name: name, key: key}
	k.redacted = redacted{"authority key", k.Authority().ID()}
	return k
}

// ParseAuthorityKey parses what [AuthorityKey.Secret] wrote, with or without a newline at the end. Errors never hold the
// input; one wraps [ErrUnknownFormat].
func ParseAuthorityKey(b []byte) (*AuthorityKey, error) {
	var v authorityJSON
	if err := parseSecret(b, "authority key", &v); err != nil {
		return nil, err
	}
	if v.Format != FormatDraft || (v.LogID != "" && v.LogID.Valid() != nil) || keyName(v.Name) != nil || len(v.Key) != ed25519.SeedSize {
		return nil, errors.New("the authority key has a member that no authority key can have; restore it from where init put it")
	}
	return newAuthorityKey(v.LogID, v.Name, v.Key), nil
}

// WithLog returns the key as belonging to a log.
func (k *AuthorityKey) WithLog(log LogID) *AuthorityKey {
	c := *k
	c.log = log
	return &c
}

// LogID returns the log the key belongs to, "" where that was not known when it was stored.
func (k *AuthorityKey) LogID() LogID { return k.log }

// Authority returns the public half, as genesis names it.
func (k *AuthorityKey) Authority() Authority {
	pub := k.private().Public().(ed25519.PublicKey)
	return Authority{Name: k.name, Algorithm: AlgorithmEd25519, PublicKey: NewPublicKey(pub)}
}

// Signer returns a signer for genesis, key records and countersignatures.
func (k *AuthorityKey) Signer() Signer { return NewSigner(k.id, k.private()) }

// Secret returns the key as it is stored: one line of canonical JSON, without newline. It is the one way to the secret.
func (k *AuthorityKey) Secret() ([]byte, error) {
	return lineobject.Marshal(authorityJSON{Format: FormatDraft, LogID: k.log, Name: k.name, Key: k.key.bytes()})
}

func (k *AuthorityKey) private() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(k.key.bytes()) }
