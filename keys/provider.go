package keys

import (
	"context"
	"errors"
)

// Errors that callers of providers branch on.
var (
	// ErrNoVerificationCopy says that there is no verification copy for the key, so its HMACs cannot be checked.
	ErrNoVerificationCopy = errors.New("no verification copy")
	// ErrDenied says that the secret may exist, but the caller may not read it.
	ErrDenied = errors.New("access denied")
	// ErrNotFound says that there is no such secret, or no such version of it.
	ErrNotFound = errors.New("secret not found")
	// ErrExists says that a secret holds something else already and was left as it is.
	ErrExists = errors.New("secret exists with other contents")
)

// Provider gives a writer its signing bundle. Implementations are safe for concurrent use. An error never holds a secret;
// it wraps [ErrNotFound] or [ErrDenied] where that is the reason.
type Provider interface {
	// Current returns the bundle to sign with now. It may be one that a rotation has replaced a while ago, for as long
	// as the implementation says: everything signed names its key.
	Current(ctx context.Context) (*Bundle, error)
	// Version returns the bundle of one version, named as the implementation names versions.
	Version(ctx context.Context, version string) (*Bundle, error)
}

// VerificationCopies gives a verifier the entry keys of HMAC keys. Implementations are safe for concurrent use.
type VerificationCopies interface {
	// EntryKey returns the copy for a key. The error wraps [ErrNoVerificationCopy] when there is none, [ErrDenied] when
	// the caller may not read it, and neither when that could not be found out.
	EntryKey(ctx context.Context, id ID) (*VerificationCopy, error)
}
