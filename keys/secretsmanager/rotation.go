package secretsmanager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/keys"
)

// RotationAPI is what rotating a secret needs of Secrets Manager; the SDK's client has it.
type RotationAPI interface {
	API
	DescribeSecret(context.Context, *sm.DescribeSecretInput, ...func(*sm.Options)) (*sm.DescribeSecretOutput, error)
	UpdateSecretVersionStage(context.Context, *sm.UpdateSecretVersionStageInput, ...func(*sm.Options)) (*sm.UpdateSecretVersionStageOutput, error)
}

// Rotation puts a new signing key in the place of the one in force, in the four steps of Secrets Manager (User Guide,
// "Lambda rotation functions"). API, Log, Record and Publish are required. It keeps nothing between two calls and is safe
// for concurrent use.
//
// Every step looks at what is there before it does anything and may be repeated after any error. Until the last step
// AWSCURRENT is untouched; when it moves, the record of the new key is in the archive and its verification copy in its
// place. A version ID stands for one key: whoever goes on with a rotation, at whatever time, goes on with that key.
type Rotation struct {
	API RotationAPI
	Log keys.LogID

	// Copies is where the verification copy of an HMAC key goes; its API may be nil, which is Rotation's.
	Copies Copies

	// Algorithm signs the entries of a writer's new key; "" is that of the key in force.
	Algorithm keys.Algorithm

	// Record reads a key record from the archive and checks it. Its error wraps [keys.ErrNotFound] when there is none.
	Record func(context.Context, keys.ID) (keys.Record, error)

	// Publish has an authority sign the record, stores it, and returns nil once it is known to be in the archive.
	// It may be called again with the same record, also by a rotation that is resumed: then its error keeps a key from
	// coming into force that must not any more.
	Publish func(context.Context, keys.Record) error

	// Key, if set, says what the new key is, and it replaces whatever the secret holds: a key of the same role, the
	// authority's own, something that is no key, or nothing. Nil: a key like the one in force, which then must be right.
	Key *KeySpec
}

// KeySpec is what a key is for. A secret that does not exist or is empty gets its first value by [Rotation] too: that is
// in force before its record is published, as with [Store], and no reader can use it before.
type KeySpec struct {
	Role      keys.Role
	Streams   string
	Algorithm keys.Algorithm // "" is that of Rotation, or else ed25519
	KMSKeyID  string         // for a secret that is created here; "" is the account's key aws/secretsmanager
}

// Step carries out one step. An error is one sentence that says what failed and what to do. What an error leaves behind
// is never in force unless it is complete, and repeating the step goes on from it.
func (r *Rotation) Step(ctx context.Context, e Event) error {
	step, err := e.check()
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return err
	}
	switch step {
	case StepCreate:
		err = r.create(ctx, e)
	case StepSet:
		err = r.set(ctx, e)
	case StepTest:
		err = r.test(ctx, e)
	case StepFinish:
		_, err = r.finish(ctx, e)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	return nil
}

func (r *Rotation) check() error {
	if r.API == nil || r.Record == nil || r.Publish == nil {
		return errors.New("a rotation needs a Secrets Manager client, a way to read key records and one to publish them")
	}
	return r.Log.Valid()
}

// command is what a person runs to rotate.
func (r *Rotation) command() string {
	if r.Key != nil {
		return "wormlog keys replace"
	}
	return "wormlog keys rotate"
}

// copies is where the verification copies are.
func (r *Rotation) copies() (Copies, error) {
	c := r.Copies
	if c.API == nil {
		c.API = r.API
	}
	if c.Prefix == "" {
		return c, errors.New("a key that signs entries with hmac-sha256 needs a verification copy; say under which prefix the copies are")
	}
	return c, nil
}

// source is what a key record says about a version of a secret.
func source(name, version string) map[string]string {
	return map[string]string{"provider": "aws-secretsmanager", "secret": name, "version": version}
}

// plan is what the new key must be.
type plan struct {
	role      keys.Role
	streams   string
	algorithm keys.Algorithm
	previous  keys.ID
}

// plan says what the new key must be: as Key says, or like the key before it.
func (r *Rotation) plan(ctx context.Context, t turn) (plan, error) {
	before := t.current
	if t.inForce() {
		before = t.previous
	}
	if r.Key != nil {
		previous, err := r.replaced(ctx, t, before)
		return plan{r.Key.Role, r.Key.Streams, cmp.Or(r.Key.Algorithm, r.Algorithm, keys.AlgorithmEd25519), previous}, err
	}
	if before == "" {
		return plan{}, fmt.Errorf("secret %s has no key that a new one could follow; make the first one with wormlog init", t.name)
	}
	record, err := r.recordBefore(ctx, t, before)
	if err != nil {
		return plan{}, err
	}
	id, err := record.ID()
	p := plan{record.Role, record.Streams, record.EntryAlgorithm, id}
	if p.role == keys.RoleWriter {
		p.algorithm = cmp.Or(r.Algorithm, p.algorithm)
	}
	return p, err
}

// recordBefore returns the record of the key in a version. A new key is never made to follow one that is not right.
func (r *Rotation) recordBefore(ctx context.Context, t turn, version string) (keys.Record, error) {
	where := fmt.Sprintf("secret %s, version %s, holds", t.name, version)
	bundle, err := readBundle(ctx, r.API, t.SecretID, version)
	if errors.Is(err, errNoValue) {
		return keys.Record{}, fmt.Errorf("%s %w, and so no key that a new one could follow; name the signing secret%s", where, errNoValue, t.wayBack())
	}
	if err != nil {
		return keys.Record{}, fmt.Errorf("the key in force cannot be followed by a new one: %w; name the signing secret%s", err, t.wayBack())
	}
	if bundle.LogID() != r.Log {
		return keys.Record{}, fmt.Errorf("%s the signing key of log %s, and this is log %s; name the signing secret of this log%s", where, bundle.LogID(), r.Log, t.wayBack())
	}
	record, err := r.Record(ctx, bundle.KeyID())
	if errors.Is(err, keys.ErrNotFound) {
		return keys.Record{}, fmt.Errorf("%s key %s, and the archive has no record of it; publish it with wormlog init%s: %w", where, bundle.KeyID(), t.wayBack(), err)
	}
	if err != nil {
		return keys.Record{}, fmt.Errorf("%s key %s, whose record cannot be read: %w", where, bundle.KeyID(), err)
	}
	if _, err := bundle.SigningKey(record); err != nil {
		return keys.Record{}, fmt.Errorf("%s a key that cannot sign: %w%s", where, err, t.wayBack())
	}
	return record, nil
}

// replaced returns the ID of the key that is replaced, "" where it is none of its kind. A key that is plainly something
// else is left alone: the wrong secret was named.
func (r *Rotation) replaced(ctx context.Context, t turn, version string) (keys.ID, error) {
	if version == "" {
		return "", nil
	}
	value, err := read(ctx, r.API, t.SecretID, version)
	if errors.Is(err, errNoValue) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	log, role, id := keys.LogID(""), keys.Role(""), keys.ID("")
	if b, err := keys.ParseBundle(value); err == nil {
		log, role, id = b.LogID(), b.Role(), b.KeyID()
	} else if k, err := keys.ParseAuthorityKey(value); err == nil {
		log, role, id = cmp.Or(k.LogID(), r.Log), keys.RoleOnline, k.Authority().ID()
	} else {
		return "", nil
	}
	if log != r.Log || role != r.Key.Role {
		return "", fmt.Errorf("secret %s, version %s, holds a key of role %s of log %s, and one of role %s of log %s was to be replaced; name the right secret", t.name, version, role, log, r.Key.Role, r.Log)
	}
	return id, nil
}

// rebuild makes the record of the key that the turn's version holds, which says that the key follows the one before it.
func (t turn) rebuild(p plan) (keys.Record, error) {
	var err error
	if t.bundle.Role() == p.role {
		var record keys.Record
		if record, err = t.bundle.Record(p.streams, source(t.name, t.ClientRequestToken), p.previous); err == nil {
			return record, nil
		}
	}
	if err == nil || errors.Is(err, keys.ErrMismatch) {
		return keys.Record{}, fmt.Errorf("%w: key %s in secret %s, version %s, was not made to follow %s: AWSCURRENT has changed since, or somebody put the key there by hand; %s",
			keys.ErrMismatch, t.bundle.KeyID(), t.name, t.ClientRequestToken, follows(p.previous), t.giveUp())
	}
	return keys.Record{}, err
}

func follows(id keys.ID) string {
	if id == "" {
		return "what AWSCURRENT holds"
	}
	return "key " + string(id) + ", which AWSCURRENT holds"
}

// ofRotation reports whether a record is that of a key which a rotation put into this version.
func ofRotation(record keys.Record, name, version string) bool {
	return maps.Equal(record.Source, source(name, version))
}

// restage calls UpdateSecretVersionStage; to is "" where the label is only to be removed.
func (r *Rotation) restage(ctx context.Context, secret, label, to, from string) error {
	in := &sm.UpdateSecretVersionStageInput{SecretId: aws.String(secret), VersionStage: aws.String(label), RemoveFromVersionId: aws.String(from)}
	if to != "" {
		in.MoveToVersionId = aws.String(to)
	}
	if _, err := r.API.UpdateSecretVersionStage(ctx, in); err != nil {
		return callError("UpdateSecretVersionStage", secret, "", err)
	}
	return nil
}
