package secretsmanager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/keys"
)

// Rotated is what came of a rotation.
type Rotated struct {
	Secret   string // its name
	Version  string // the version ID of the new key, now AWSCURRENT
	Key      keys.ID
	Previous keys.ID // "" if the new key replaced something that is no key
	// Resumed says that the rotation had been begun before, by this command or by Secrets Manager, so that the key may be
	// as old as that. Run again for a new one.
	Resumed bool
}

// Run carries out all four steps. A rotation that was begun and not finished is gone on with; else one begins, in a
// version whose ID depends on the secret and its current version alone, so that two who run at the same time make one key.
// It may be repeated after any error.
func (r *Rotation) Run(ctx context.Context, secret string) (Rotated, error) {
	if err := r.check(); err != nil {
		return Rotated{}, err
	}
	s, version, resumed, err := r.begin(ctx, secret)
	if err != nil {
		return Rotated{}, err
	}
	e := Event{SecretID: secret, ClientRequestToken: version}
	for _, e.Step = range []string{StepCreate, StepSet, StepTest} {
		if err := r.Step(ctx, e); err != nil {
			return Rotated{}, err
		}
	}
	record, err := r.finish(ctx, e)
	if err != nil {
		return Rotated{}, fmt.Errorf("%s: %w", StepFinish, err)
	}
	id, err := record.ID()
	return Rotated{Secret: s.name, Version: version, Key: id, Previous: record.Previous, Resumed: resumed}, err
}

// begin chooses the version for the new key.
func (r *Rotation) begin(ctx context.Context, secret string) (s stages, version string, resumed bool, err error) {
	if s, err = r.stages(ctx, secret); err != nil {
		return s, "", false, err
	}
	if s.pending != "" && s.pending != s.current {
		return s, s.pending, true, nil
	}
	if s.current == "" {
		return s, InitialVersion(s.name), false, nil
	}
	if unfinished, err := r.unfinished(ctx, secret, s); err != nil || unfinished {
		return s, s.current, true, err
	}
	const abandoned = 100 // versions that a secret can have
	for n := range abandoned {
		version = nextVersion(s.name, s.current, n)
		_, err := read(ctx, r.API, secret, version)
		if errors.Is(err, keys.ErrNotFound) {
			return s, version, false, nil
		}
		if err != nil && !errors.Is(err, errNoValue) {
			return s, "", false, err
		}
		// It was used before. If it has no label any more, somebody gave it up; but a rotation that runs at the same
		// time may just have made or even finished it.
		now, err := r.stages(ctx, secret)
		if err != nil || now.pending == version || now.current == version {
			return now, version, true, err
		}
		if now.current != s.current {
			return s, "", false, fmt.Errorf("AWSCURRENT of secret %s went from version %s to %s while a rotation began; rotate again if a new key is wanted", s.name, s.current, now.current)
		}
	}
	return s, "", false, fmt.Errorf("%d rotations of secret %s were begun from version %s and given up; see why, and rotate it by Secrets Manager's own RotateSecret", abandoned, s.name, s.current)
}

// unfinished reports whether the current version is that of a rotation which put it in force and did not come to its end:
// it has AWSPENDING still. A first value of a secret that [Store] put there and whose record never came is completed too.
func (r *Rotation) unfinished(ctx context.Context, secret string, s stages) (bool, error) {
	if s.pending != s.current && r.Key == nil {
		return false, nil
	}
	value, err := read(ctx, r.API, secret, s.current)
	if errors.Is(err, errNoValue) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	b, err := keys.ParseBundle(value)
	if err != nil || b.LogID() != r.Log {
		return false, nil // the first step will say what is wrong with it
	}
	record, err := r.Record(ctx, b.KeyID())
	switch {
	case err == nil:
		return s.pending == s.current && ofRotation(record, s.name, s.current) && (record.Previous != "" || r.Key != nil), nil
	case !errors.Is(err, keys.ErrNotFound):
		return false, fmt.Errorf("the record of key %s, which is in force in secret %s, cannot be read: %w", b.KeyID(), s.name, err)
	case r.Key == nil || b.Role() != r.Key.Role:
		return false, nil
	}
	t := turn{Event{SecretID: secret, ClientRequestToken: s.current}, s, b}
	p, err := r.plan(ctx, t)
	if err != nil {
		return false, err
	}
	_, err = t.rebuild(p)
	return err == nil, nil
}

// nextVersion returns the version ID of the key that follows a version, the nth that is tried.
func nextVersion(name, version string, n int) string {
	d := sha256.Sum256(fmt.Appendf(nil, "wormlog/v1 next version\n%s\n%s\n%d\n", name, version, n))
	return hex.EncodeToString(d[:16])
}
