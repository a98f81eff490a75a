package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// create makes the key, unless the version has one, and puts it into the version, labelled AWSPENDING.
func (r *Rotation) create(ctx context.Context, e Event) error {
	t, err := r.look(ctx, e)
	if err != nil || (t.bundle != nil && t.inForce()) {
		return err
	}
	if t.pending != "" && t.pending != t.current && t.pending != e.ClientRequestToken {
		return fmt.Errorf("another rotation of secret %s, of version %s, is under way; finish it with %s", t.name, t.pending, r.command())
	}
	p, err := r.plan(ctx, t)
	if err != nil {
		return err
	}
	if t.bundle != nil {
		_, err := t.rebuild(p)
		return err
	}
	if p.algorithm == keys.AlgorithmHMACSHA256 { // no key without a place for its copy
		if _, err := r.copies(); err != nil {
			return err
		}
	}
	bundle, _, err := keys.NewKey(r.Log, p.role, p.streams, p.algorithm, source(t.name, e.ClientRequestToken), p.previous)
	if err != nil {
		return fmt.Errorf("no key for secret %s can be made: %w", t.name, err)
	}
	put := r.put(ctx, t, bundle)
	if put == nil {
		return nil
	}
	// It may have taken effect all the same, or somebody else was faster with a key for this version: what is there
	// decides, and the key that was made here was never seen.
	t, err = r.look(ctx, e)
	switch {
	case err == nil && t.bundle != nil:
		_, err = t.rebuild(p)
		return err
	case err != nil && errors.Is(put, keys.ErrExists):
		return err
	}
	return put
}

// put stores the key, AWSPENDING. Secrets Manager makes the first value of a secret AWSCURRENT as well.
func (r *Rotation) put(ctx context.Context, t turn, b *keys.Bundle) error {
	value, err := b.Secret()
	if err != nil {
		return err
	}
	if t.absent {
		if err := r.createEmpty(ctx, t.name); err != nil && !errors.Is(err, keys.ErrExists) {
			return err
		}
	}
	in := &sm.PutSecretValueInput{
		SecretId: aws.String(t.SecretID), SecretString: aws.String(string(value)),
		ClientRequestToken: aws.String(t.ClientRequestToken), VersionStages: []string{stagePending},
	}
	if t.RotationToken != "" {
		in.RotationToken = aws.String(t.RotationToken)
	}
	if _, err := r.API.PutSecretValue(ctx, in); err != nil {
		return callError("PutSecretValue", t.name, t.ClientRequestToken, err)
	}
	return nil
}

// createEmpty makes the secret without a value: with one, nothing would tell that the rotation has still to be finished.
func (r *Rotation) createEmpty(ctx context.Context, name string) error {
	in := &sm.CreateSecretInput{Name: aws.String(name), Description: aws.String("wormlog: signing bundle of log " + string(r.Log))}
	if r.Key.KMSKeyID != "" {
		in.KmsKeyId = aws.String(r.Key.KMSKeyID)
	}
	if _, err := r.API.CreateSecret(ctx, in); err != nil {
		return callError("CreateSecret", name, "", err)
	}
	return nil
}

// set makes the key one that verifiers know: first the verification copy, then the record.
func (r *Rotation) set(ctx context.Context, e Event) error {
	t, err := r.find(ctx, e)
	if err != nil {
		return err
	}
	id := t.bundle.KeyID()
	_, err = r.Record(ctx, id)
	published := err == nil
	if err != nil && !errors.Is(err, keys.ErrNotFound) {
		return fmt.Errorf("whether the archive has a record of key %s, from secret %s, cannot be told: %w", id, t.name, err)
	}
	var record keys.Record
	if !published || !t.inForce() {
		p, err := r.plan(ctx, t)
		if err != nil {
			return err
		}
		if record, err = t.rebuild(p); err != nil {
			return err
		}
	}
	if err := r.putCopy(ctx, t.bundle); err != nil || published && t.inForce() {
		return err
	}
	err = r.Publish(ctx, record)
	if err == nil {
		return nil
	}
	if published { // it must not come into force
		return fmt.Errorf("key %s in secret %s, version %s, cannot be used: %w; %s", id, t.name, t.ClientRequestToken, err, t.giveUp())
	}
	if _, readErr := r.Record(ctx, id); readErr == nil {
		return nil // it took effect all the same
	}
	return fmt.Errorf("the record of key %s, from secret %s, could not be published: %w", id, t.name, err)
}

func (r *Rotation) putCopy(ctx context.Context, b *keys.Bundle) error {
	c := b.VerificationCopy()
	if c == nil {
		return nil
	}
	copies, err := r.copies()
	if err != nil {
		return err
	}
	return copies.PutCopy(ctx, c)
}

// test is the step of that name. Secrets Manager calls it alone, with a copy of the key in force as AWSPENDING, to try out
// a configuration (API Reference, RotateSecret, RotateImmediately); then that key is tested.
func (r *Rotation) test(ctx context.Context, e Event) error {
	t, err := r.find(ctx, e)
	if err != nil {
		return err
	}
	p, err := r.follows(ctx, t)
	if tryOut := p.previous == t.bundle.KeyID(); err != nil && !tryOut {
		return err
	}
	_, err = r.prove(ctx, t)
	return err
}

// follows reports whether the key may come into force: whether it was made to follow the one that is.
func (r *Rotation) follows(ctx context.Context, t turn) (p plan, err error) {
	if t.inForce() {
		return p, nil
	}
	if p, err = r.plan(ctx, t); err == nil {
		_, err = t.rebuild(p)
	}
	return p, err
}

// prove reads back what writers and verifiers will read, and has the key sign and verify what they will.
func (r *Rotation) prove(ctx context.Context, t turn) (keys.Record, error) {
	id := t.bundle.KeyID()
	record, err := r.Record(ctx, id)
	if errors.Is(err, keys.ErrNotFound) {
		return record, fmt.Errorf("key %s in secret %s, version %s, has no record in the archive; publish it with the step %s, or with %s: %w", id, t.name, t.ClientRequestToken, StepSet, r.command(), err)
	}
	if err != nil {
		return record, fmt.Errorf("the record of key %s, from secret %s, cannot be read: %w", id, t.name, err)
	}
	key, err := t.bundle.SigningKey(record)
	if err != nil {
		return record, fmt.Errorf("secret %s, version %s: %w", t.name, t.ClientRequestToken, err)
	}
	var copied *keys.VerificationCopy
	if t.bundle.VerificationCopy() != nil {
		copies, err := r.copies()
		if err != nil {
			return record, err
		}
		if copied, err = copies.EntryKey(ctx, id); err != nil {
			return record, fmt.Errorf("the verification copy of key %s, from secret %s, is not as it must be; put it there with the step %s, or with %s: %w", id, t.name, StepSet, r.command(), err)
		}
	}
	if err := signAndVerify(key, record, copied); err != nil {
		return record, fmt.Errorf("key %s in secret %s, version %s, does not sign what its record verifies; %s: %w", id, t.name, t.ClientRequestToken, t.giveUp(), err)
	}
	return record, nil
}

// signAndVerify signs what the key is for: a manifest's message and an entry of a stream, or, by a key of role online, a
// key record's message. None is kept, and none means anything.
func signAndVerify(key *keys.SigningKey, record keys.Record, c *keys.VerificationCopy) error {
	kind := keys.KindManifest
	if record.Role == keys.RoleOnline {
		kind = keys.KindKey
	}
	o := lineobject.Object{Line: []byte(`{"rotation":"test"}`), KeyID: string(key.ID())}
	var err error
	if o.Signature, err = key.Signer().Sign(keys.LineMessage(kind, record.LogID, key.ID(), o.Line)); err != nil {
		return err
	}
	err = keys.VerifyLine(kind, record.LogID, key.ID(), record.PublicKey, o)
	if err != nil || record.Role == keys.RoleOnline {
		return err
	}
	stream := strings.Replace(record.Streams, "*", "01JD8Z6Y3M5N7P9QRSTVWXYZ01", 1) // any stream that fits the pattern
	signer, err := key.EntrySigner(stream)
	if err != nil {
		return err
	}
	verifier, err := record.EntryVerifier(stream, c)
	if err != nil {
		return err
	}
	signature, err := signer.AppendSignature(nil, o.Line)
	if err == nil && !verifier.VerifyEntry(o.Line, signature) {
		err = fmt.Errorf("%w: of an entry", keys.ErrBadSignature)
	}
	return err
}

// finish puts the key in force, if the test passes again, and takes AWSPENDING off it: left there it would be in the way
// of the next rotation. It returns the record of the key.
func (r *Rotation) finish(ctx context.Context, e Event) (keys.Record, error) {
	t, err := r.find(ctx, e)
	if err == nil {
		_, err = r.follows(ctx, t)
	}
	if err != nil {
		return keys.Record{}, err
	}
	record, err := r.prove(ctx, t)
	if err != nil {
		return record, err
	}
	if !t.inForce() {
		if err := r.moveCurrent(ctx, t); err != nil {
			return record, err
		}
	}
	return record, r.dropPending(ctx, t)
}

// moveCurrent moves AWSCURRENT. That it must be where it was seen makes the move safe: of two Secrets Manager refuses one.
func (r *Rotation) moveCurrent(ctx context.Context, t turn) error {
	moved := r.restage(ctx, t.SecretID, stageCurrent, t.ClientRequestToken, t.current)
	if moved == nil {
		return nil
	}
	now, err := r.stages(ctx, t.SecretID)
	switch {
	case err != nil || now.current == t.current:
		return moved
	case now.current == t.ClientRequestToken:
		return nil
	}
	return fmt.Errorf("AWSCURRENT of secret %s went from version %s to %s while a rotation was about to move it to %s; see who did that, and rotate again: %w", t.name, t.current, now.current, t.ClientRequestToken, moved)
}

func (r *Rotation) dropPending(ctx context.Context, t turn) error {
	if t.pending != t.ClientRequestToken {
		return nil
	}
	dropped := r.restage(ctx, t.SecretID, stagePending, "", t.ClientRequestToken)
	if dropped == nil {
		return nil
	}
	if now, err := r.stages(ctx, t.SecretID); err == nil && now.pending != t.ClientRequestToken {
		return nil
	}
	return fmt.Errorf("key %s is in force in secret %s, but its version kept the label AWSPENDING; repeat the step %s, or %s: %w", t.bundle.KeyID(), t.name, StepFinish, r.command(), dropped)
}
