package keys

import (
	"crypto/ed25519"
	"errors"
	"fmt"
)

// AuthoritySigner is a secret that may sign key records: that of an authority which genesis names, or of a key of role
// online, which the recovery authority vouched for after the first online key was lost or leaked. Whether it is one of this
// log is for the caller to check, by its ID against the archive. It is safe for concurrent use, and prints without the
// secret. The zero value is none.
type AuthoritySigner struct {
	redacted
	log LogID
	key hidden[ed25519.PrivateKey]
}

// ID returns the ID of the authority's key: [Authority.ID], or for a key of role online the name of its record.
func (a AuthoritySigner) ID() ID { return a.id }

// LogID returns the log the key belongs to, "" where that was not known when it was stored.
func (a AuthoritySigner) LogID() LogID { return a.log }

// Signer returns a signer for key records. It must not be called on the zero value.
func (a AuthoritySigner) Signer() Signer { return NewSigner(a.id, *a.key.get()) }

// AuthoritySigner returns the key as a signer of key records.
func (k *AuthorityKey) AuthoritySigner() AuthoritySigner {
	priv := k.private()
	return AuthoritySigner{redacted{"authority key", k.id}, k.log, hide(&priv)}
}

// ParseAuthoritySigner parses what the secret of the online authority holds: an authority key as [AuthorityKey.Secret]
// wrote it or, once that was replaced, the bundle of a key of role online as [Bundle.Secret] did. Errors never hold the
// input; one wraps [ErrUnknownFormat].
func ParseAuthoritySigner(secret []byte) (AuthoritySigner, error) {
	authority, err := ParseAuthorityKey(secret)
	if err == nil {
		return authority.AuthoritySigner(), nil
	}
	b, bundleErr := ParseBundle(secret)
	switch {
	case bundleErr == nil && b.Role() == RoleOnline:
		priv := b.private()
		return AuthoritySigner{redacted{"authority key", b.id}, b.log, hide(&priv)}, nil
	case bundleErr == nil:
		return AuthoritySigner{}, fmt.Errorf("this is the signing bundle of key %s of role %s, which signs no key records; name the secret of the online authority", b.id, b.Role())
	case !errors.Is(bundleErr, errForm):
		return AuthoritySigner{}, bundleErr
	case !errors.Is(err, errForm):
		return AuthoritySigner{}, err
	}
	return AuthoritySigner{}, fmt.Errorf("this is no authority key, and no signing bundle of role %s, as wormlog writes them (%d bytes); check that the right secret is named and that nobody edited it", RoleOnline, len(secret))
}
