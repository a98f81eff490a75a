package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// newKey is a key that init makes, unless it is there, or completes.
type newKey struct {
	setting, secret string // where the bundle is
	role            keys.Role
	pattern         string
	algorithm       keys.Algorithm
	// authority gives the key that signs the record. It is asked before a key is made: there is to be none that could not
	// be published.
	authority func(context.Context, *archive.Log) (keys.AuthoritySigner, error)
}

// errRecoveryAway: the recovery key is needed, and was taken offline.
var errRecoveryAway = errors.New("the recovery key is not here")

// actsKey makes the key of role authority, which signs acts: from the moment that the recovery key is offline no such key
// can be made without fetching it.
func (u *setup) actsKey(ctx context.Context, l *archive.Log) error {
	k := newKey{
		setting: "acts_secret", secret: u.ActsSecretOf(l.Origin), role: keys.RoleAuthority, pattern: archive.ControlAuthority + ".*",
		algorithm: keys.AlgorithmEd25519, authority: u.recoveryAuthority,
	}
	u.done.Secrets = append(u.done.Secrets, u.AuthoritySecretOf(l.Origin), k.secret)
	id, made, err := u.complete(ctx, l, k)
	if err == nil {
		u.done.ActsKeyID, u.done.ActsCreated = id, made
	}
	return err
}

// signingKey makes the writer's key.
func (u *setup) signingKey(ctx context.Context, l *archive.Log) (err error) {
	k := newKey{
		setting: "signing_secret", secret: u.SigningSecretOf(l.Origin), role: keys.RoleWriter, pattern: u.Writer + ".*",
		algorithm: u.SignatureAlgorithm, authority: u.onlineAuthorityOf,
	}
	u.done.Writer = u.Writer
	u.done.Secrets = append(u.done.Secrets, k.secret)
	u.done.KeyID, u.done.KeyCreated, err = u.complete(ctx, l, k)
	return err
}

// complete makes the key, or what is missing of it, and says whether anything was.
func (u *setup) complete(ctx context.Context, l *archive.Log, k newKey) (id keys.ID, made bool, err error) {
	bundle, err := u.currentBundle(ctx, k.secret)
	if errors.Is(err, keys.ErrNotFound) {
		made = true
		bundle, err = u.makeKey(ctx, l, k)
	}
	if err != nil {
		return "", made, err
	}
	if bundle.LogID() != l.ID {
		return "", made, withHint(fmt.Errorf("secret %s holds the signing key of log %s, and this is log %s", k.secret, bundle.LogID(), l.ID), "name another "+k.setting)
	}
	if bundle.Role() != k.role {
		return "", made, withHint(fmt.Errorf("secret %s holds a key of role %s, not %s", k.secret, bundle.Role(), k.role), "name another "+k.setting)
	}
	if c := bundle.VerificationCopy(); c != nil {
		copies := secretsmanager.Copies{API: u.api, Prefix: u.VerificationSecretsOf(l.Origin)}
		if err := copies.PutCopy(ctx, c); err != nil {
			return "", made, err
		}
		u.done.Secrets = append(u.done.Secrets, copies.Name(bundle.KeyID()))
	}
	published, err := u.publish(ctx, l, bundle, k)
	return bundle.KeyID(), made || published, err
}

func (u *setup) makeKey(ctx context.Context, l *archive.Log, k newKey) (*keys.Bundle, error) {
	if _, err := k.authority(ctx, l); err != nil {
		return nil, err
	}
	bundle, _, err := keys.NewKey(l.ID, k.role, k.pattern, k.algorithm, secretsmanager.Source(k.secret), "")
	if err != nil {
		return nil, err
	}
	return bundle, u.store.CreateBundle(ctx, k.secret, bundle)
}

// publish writes the key record unless it is there, and says whether it did.
func (u *setup) publish(ctx context.Context, l *archive.Log, bundle *keys.Bundle, k newKey) (bool, error) {
	record, err := l.Record(ctx, u.session.store, bundle.KeyID())
	if err == nil {
		if record.Streams != k.pattern {
			return false, withHint(fmt.Errorf("secret %s holds the key for the streams %s, and the writer is %s", k.secret, record.Streams, u.Writer),
				"name another "+k.setting+" for this writer, or the writer that the key is for")
		}
		return false, nil
	}
	if !errors.Is(err, archive.ErrNotFound) {
		return false, err
	}
	if record, err = bundle.Record(k.pattern, secretsmanager.Source(k.secret), ""); err != nil {
		return false, err
	}
	authority, err := k.authority(ctx, l)
	if err != nil {
		return false, err
	}
	b, id, err := keys.SignRecord(record, authority.Signer())
	if err != nil {
		return false, err
	}
	_, err = l.CreateRecord(ctx, u.session.store, id, b)
	return true, err
}

// onlineAuthorityOf reads the online authority's key, or that which replaced it, and makes sure that the log knows it.
func (u *setup) onlineAuthorityOf(ctx context.Context, l *archive.Log) (keys.AuthoritySigner, error) {
	name := u.AuthoritySecretOf(l.Origin)
	k, err := u.store.LoadAuthoritySigner(ctx, name)
	if err != nil {
		return k, err
	}
	return k, u.checkOnline(ctx, l, k.ID(), name)
}

// recoveryAuthority reads the recovery key, which was compared with the log's when its file was found.
func (u *setup) recoveryAuthority(_ context.Context, l *archive.Log) (keys.AuthoritySigner, error) {
	if u.done.RecoveryKey == "" {
		return keys.AuthoritySigner{}, withHint(fmt.Errorf("the log has no key of role authority yet, which signs acts, and %w to vouch for one: it is not in %s", errRecoveryAway, u.recovery.final(l.ID)),
			"fetch its file, run init again with --recovery-key FILE, and take it offline again; writing and verifying do not need it")
	}
	k, err := readRecovery(u.done.RecoveryKey)
	if err != nil {
		return keys.AuthoritySigner{}, err
	}
	return k.AuthoritySigner(), nil
}

// currentBundle reads a signing secret.
func (u *setup) currentBundle(ctx context.Context, name string) (*keys.Bundle, error) {
	p, err := secretsmanager.NewProvider(secretsmanager.Config{API: u.api, SecretID: name})
	if err != nil {
		return nil, err
	}
	return p.Current(ctx)
}
