// Package rotate turns a key over and does what belongs to it in the archive: the one place for what the rotation
// function on Lambda and `wormlog keys rotate` and `keys replace` have in common.
//
// The key comes first and the rest after it, in this order:
//
//  1. the four steps of [secretsmanager.Rotation]; the record is signed by the online authority, and published
//  2. the locks of log.json and of key records are renewed, so that they outlive what is written until the next rotation
//  3. the old key is recorded as retired, if the key for acts can be read
//
// A key that is retired first and then stays in force, because the rotation is never finished, would be a false alarm. A
// rotation that fails in 2 or 3 has turned the key; repeated, it does only what is missing. Retired is every predecessor
// that is not yet: what one rotation left undone, the next one does.
package rotate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// Job rotates keys of one log. Log, Store, API, AuthoritySecret and VerificationSecrets are required. It keeps nothing
// between two calls and is safe for concurrent use.
type Job struct {
	Log   *archive.Log
	Store archive.Store // the log's home
	API   secretsmanager.RotationAPI

	AuthoritySecret     string // name of the secret with the online authority's key
	VerificationSecrets string // prefix of the names of the secrets with verification copies
	ActsSecret          string // name of the secret with the key of role authority; "": nothing is recorded as retired

	RotationDays  uint64 // after so many days the next rotation comes; 0: 90
	RetentionDays uint64 // the longest that a writer is set to keep entries; 0: as the log says

	Algorithm keys.Algorithm   // of a writer's new key; "" is that of the key before
	Software  string           // what manifests of acts say who wrote them
	Logger    *slog.Logger     // gets what was done; nil: none
	Now       func() time.Time // the clock of this machine; time.Now if nil
}

// Done is what came of a rotation.
type Done struct {
	secretsmanager.Rotated
	Renewed []archive.RenewedAnchor // log.json and key records whose locks were extended
	Retired []keys.ID               // predecessors that are recorded as retired by now, and were not before
	// NotRetired says why there are predecessors that are not recorded as retired. That is no failure: the key for acts
	// need not be readable here, and `wormlog keys retire` can do it.
	NotRetired error
}

// Step carries out one step of a rotation that Secrets Manager asks for. Any step may be repeated, at any time. An error is
// one sentence that says what to do; one of the last step can come when the new key is in force already, and says so.
func (j *Job) Step(ctx context.Context, e secretsmanager.Event) error {
	if err := j.check(); err != nil {
		return err
	}
	if err := j.rotation(j.online).Step(ctx, e); err != nil {
		return err
	}
	logger := j.logger().With("step", e.Step, "secret", e.SecretID, "version", e.ClientRequestToken)
	logger.InfoContext(ctx, "step done")
	if e.Step != secretsmanager.StepFinish && e.Step != "finish_secret" {
		return nil
	}
	id, err := j.keyIn(ctx, e.SecretID, e.ClientRequestToken)
	if err != nil {
		return err
	}
	done, err := j.upkeep(ctx, id)
	if done.NotRetired != nil {
		logger.WarnContext(ctx, "the old key is not recorded as retired", "key_id", id, "error", done.NotRetired)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e.Step, err)
	}
	logger.InfoContext(ctx, "the key is in force", "key_id", id, "renewed", len(done.Renewed), "retired", done.Retired)
	return nil
}

// Run carries out a whole rotation of the secret, or goes on with one that was begun. When it fails and Done names a key,
// that key is in force, and only what follows a rotation is not complete.
func (j *Job) Run(ctx context.Context, secret string) (Done, error) {
	if err := j.check(); err != nil {
		return Done{}, err
	}
	rotated, err := j.rotation(j.online).Run(ctx, secret)
	if err != nil {
		return Done{}, err
	}
	done, err := j.upkeep(ctx, rotated.Key)
	done.Rotated = rotated
	return done, err
}

// Replace puts a new key of role online or authority into the secret, whatever it holds now, if anything. The recovery key
// vouches for it. The key before is not recorded as retired: what it signed in the past is to be judged by people. As
// with Run, a key that Done names is in force.
func (j *Job) Replace(ctx context.Context, secret string, key secretsmanager.KeySpec, recovery keys.AuthoritySigner) (Done, error) {
	if err := j.check(); err != nil {
		return Done{}, err
	}
	r := j.rotation(func(context.Context) (keys.AuthoritySigner, error) { return recovery, nil })
	r.Key = &key
	rotated, err := r.Run(ctx, secret)
	if err != nil {
		return Done{}, err
	}
	renewed, err := j.renew(ctx, rotated.Key)
	return Done{Rotated: rotated, Renewed: renewed}, err
}

func (j *Job) check() error {
	if j.Log == nil || j.Store == nil || j.API == nil || j.AuthoritySecret == "" || j.VerificationSecrets == "" {
		return errors.New("a rotation needs a log, its bucket, a Secrets Manager client, and the names of the secrets of the authority and of verification copies")
	}
	if here := j.Store.Home(); here.Bucket != j.Log.Home.Bucket || here.Prefix != j.Log.Home.Prefix {
		return fmt.Errorf("bucket %s, prefix %q, holds a copy of the log: its home is bucket %s, prefix %q; rotate its keys there", here.Bucket, here.Prefix, j.Log.Home.Bucket, j.Log.Home.Prefix)
	}
	return nil
}

// rotation is the part that Secrets Manager knows of.
func (j *Job) rotation(authority authority) *secretsmanager.Rotation {
	return &secretsmanager.Rotation{
		API: j.API, Log: j.Log.ID, Algorithm: j.Algorithm,
		Copies:  secretsmanager.Copies{API: j.API, Prefix: j.VerificationSecrets},
		Record:  j.record,
		Publish: func(ctx context.Context, r keys.Record) error { return j.publish(ctx, r, authority) },
	}
}

// keyIn returns the ID of the key in a version of a secret.
func (j *Job) keyIn(ctx context.Context, secret, version string) (keys.ID, error) {
	p, err := secretsmanager.NewProvider(secretsmanager.Config{API: j.API, SecretID: secret})
	if err != nil {
		return "", err
	}
	b, err := p.Version(ctx, version)
	if err != nil {
		return "", err
	}
	return b.KeyID(), nil
}

func (j *Job) logger() *slog.Logger { return cmp.Or(j.Logger, slog.New(slog.DiscardHandler)) }
