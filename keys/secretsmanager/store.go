package secretsmanager

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/keys"
)

// Store puts secrets where there are none: it never overwrites one. Each call may be repeated after any error; a secret
// that holds the same contents already is success, one with other contents stays as it is and the error wraps
// [keys.ErrExists]. An empty secret, as Terraform makes it, is filled. It is safe for concurrent use.
type Store struct {
	API      API
	KMSKeyID string // for secrets that are created here; "" is the account's key aws/secretsmanager
}

// CreateBundle stores the first bundle of a signing secret.
func (s Store) CreateBundle(ctx context.Context, name string, b *keys.Bundle) error {
	value, err := b.Secret()
	if err != nil {
		return err
	}
	return s.create(ctx, name, "signing bundle of log "+string(b.LogID()), value)
}

// CreateAuthority stores the online authority key.
func (s Store) CreateAuthority(ctx context.Context, name string, k *keys.AuthorityKey) error {
	value, err := k.Secret()
	if err != nil {
		return err
	}
	return s.create(ctx, name, "authority key "+string(k.Authority().ID())+" of log "+string(k.LogID()), value)
}

// LoadAuthority reads an authority key.
func (s Store) LoadAuthority(ctx context.Context, name string) (*keys.AuthorityKey, error) {
	return load(ctx, s.API, name, keys.ParseAuthorityKey)
}

// LoadAuthoritySigner reads what signs key records: an authority key, or the bundle of role online that replaced it. Whether
// the log knows it is for the caller to check.
func (s Store) LoadAuthoritySigner(ctx context.Context, name string) (keys.AuthoritySigner, error) {
	return load(ctx, s.API, name, keys.ParseAuthoritySigner)
}

// load reads the current value of a secret and parses it.
func load[T any](ctx context.Context, api Reader, name string, parse func([]byte) (T, error)) (T, error) {
	var none T
	value, err := read(ctx, api, name, "")
	if err != nil {
		return none, err
	}
	v, err := parse(value)
	if err != nil {
		return none, fmt.Errorf("%s: %w", describe(name, ""), err)
	}
	return v, nil
}

// Source returns what a key record says about the first bundle of a signing secret.
func Source(name string) map[string]string {
	return source(name, InitialVersion(name))
}

// InitialVersion returns the version ID that the first value of a secret gets. It depends on the name alone, so that of
// two who store a first value at the same time Secrets Manager refuses one: the same ClientRequestToken with other
// contents is a ResourceExistsException (API Reference, PutSecretValue).
func InitialVersion(name string) string {
	d := sha256.Sum256([]byte("wormlog/v1 initial version\n" + name))
	return hex.EncodeToString(d[:16])
}

func (s Store) create(ctx context.Context, name, description string, value []byte) error {
	err := s.same(ctx, name, value)
	if !errors.Is(err, keys.ErrNotFound) {
		return err
	}
	err = s.put(ctx, name, description, value)
	if err == nil {
		return nil
	}
	// The call may have taken effect although it failed, or somebody else may have been faster: what is there decides.
	if same := s.same(ctx, name, value); same == nil || errors.Is(same, keys.ErrExists) {
		return same
	}
	return err
}

// same returns nil when the secret holds value, an error that wraps keys.ErrExists when it holds something else.
func (s Store) same(ctx context.Context, name string, value []byte) error {
	have, err := read(ctx, s.API, name, "")
	if err != nil {
		return err
	}
	if !bytes.Equal(have, value) {
		return fmt.Errorf("%w: %s was left as it is; name another, or delete it if nothing was ever signed with it", keys.ErrExists, describe(name, ""))
	}
	return nil
}

// put fills an empty secret or creates one. Filling comes first: whoever sets up a log need not have the right to create
// secrets where Terraform did.
func (s Store) put(ctx context.Context, name, description string, value []byte) error {
	_, err := s.API.PutSecretValue(ctx, &sm.PutSecretValueInput{
		SecretId: aws.String(name), SecretString: aws.String(string(value)), ClientRequestToken: aws.String(InitialVersion(name)),
	})
	if err == nil {
		return nil
	}
	err = callError("PutSecretValue", name, "", err)
	if !errors.Is(err, keys.ErrNotFound) && !errors.Is(err, keys.ErrDenied) {
		return err
	}
	in := &sm.CreateSecretInput{
		Name: aws.String(name), Description: aws.String("wormlog: " + description),
		SecretString: aws.String(string(value)), ClientRequestToken: aws.String(InitialVersion(name)),
	}
	if s.KMSKeyID != "" {
		in.KmsKeyId = aws.String(s.KMSKeyID)
	}
	_, createErr := s.API.CreateSecret(ctx, in)
	if createErr == nil {
		return nil
	}
	createErr = callError("CreateSecret", name, "", createErr)
	if errors.Is(createErr, keys.ErrExists) {
		return err // it is there and could not be filled
	}
	return createErr
}
