package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wormlog/wormlog/keys"
)

// Copies keeps the verification copies of HMAC keys, one secret per key named <prefix>/<key id>, and implements
// [keys.VerificationCopies]. It is safe for concurrent use. Reading needs only GetSecretValue.
type Copies struct {
	API      API
	Prefix   string // without "/" at its end
	KMSKeyID string // for secrets that are created here; "" is the account's key aws/secretsmanager
}

// Name returns the name of the secret that holds the copy of a key.
func (c Copies) Name(id keys.ID) string { return strings.TrimSuffix(c.Prefix, "/") + "/" + string(id) }

// EntryKey returns the copy for a key, see [keys.VerificationCopies].
func (c Copies) EntryKey(ctx context.Context, id keys.ID) (*keys.VerificationCopy, error) {
	if err := id.Valid(); err != nil {
		return nil, err
	}
	name := c.Name(id)
	value, err := read(ctx, c.API, name, "")
	if errors.Is(err, keys.ErrNotFound) {
		return nil, fmt.Errorf("%w for key %s: %w", keys.ErrNoVerificationCopy, id, err)
	}
	if err != nil {
		return nil, err
	}
	v, err := keys.ParseVerificationCopy(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", describe(name, ""), err)
	}
	if v.KeyID() != id {
		return nil, fmt.Errorf("%w: %s holds the copy of key %s; restore the one of key %s", keys.ErrMismatch, describe(name, ""), v.KeyID(), id)
	}
	return v, nil
}

// PutCopy stores a copy; like [Store] it may be repeated and never overwrites.
func (c Copies) PutCopy(ctx context.Context, v *keys.VerificationCopy) error {
	value, err := v.Secret()
	if err != nil {
		return err
	}
	s := Store{API: c.API, KMSKeyID: c.KMSKeyID}
	return s.create(ctx, c.Name(v.KeyID()), "verification copy of key "+string(v.KeyID())+" of log "+string(v.LogID()), value)
}
