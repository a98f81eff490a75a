package rotate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// grace is how long after its successor came into force a key may still sign: a writer goes on with a bundle that it has
// for up to a day ([secretsmanager.Provider]).
const grace = 24 * time.Hour

// upkeep is what follows when the key is in force. What fails does not keep the rest from being done.
func (j *Job) upkeep(ctx context.Context, id keys.ID) (done Done, err error) {
	var notRenewed error
	done.Renewed, notRenewed = j.renew(ctx, id)
	done.Retired, done.NotRetired, err = j.retire(ctx, id)
	if err != nil {
		err = fmt.Errorf("key %s is in force, but its predecessors could not be recorded as retired: %w; repeat the rotation's last step, or leave it to the next rotation", id, err)
	}
	if err != nil && notRenewed != nil {
		return done, fmt.Errorf("%w; besides, %w", notRenewed, err)
	}
	return done, cmp.Or(notRenewed, err)
}

// renew extends the locks of log.json and of key records.
func (j *Job) renew(ctx context.Context, id keys.ID) ([]archive.RenewedAnchor, error) {
	renewed, err := archive.RenewAnchors(ctx, archive.AnchorConfig{
		Store: j.Store, Log: j.Log, RotationDays: j.RotationDays, RetentionDays: j.RetentionDays,
	})
	if err != nil {
		err = fmt.Errorf("key %s is in force, but not all of what must be locked longer is: %w; repeat the rotation's last step, or leave it to the next rotation", id, err)
	}
	return renewed, err
}

// retire records every predecessor of the key as retired that is not yet, and not compromised either.
func (j *Job) retire(ctx context.Context, id keys.ID) (retired []keys.ID, notRetired, err error) {
	if j.ActsSecret == "" {
		return nil, nil, nil
	}
	reader, err := archive.OpenReader(ctx, archive.ReaderConfig{Store: j.Store, LogID: j.Log.ID})
	if err != nil {
		return nil, nil, err
	}
	old, err := j.predecessors(ctx, reader, id)
	if err != nil || len(old) == 0 {
		return nil, nil, err
	}
	key, err := j.actsKey(ctx)
	if errors.Is(err, keys.ErrDenied) || errors.Is(err, keys.ErrNotFound) {
		return nil, fmt.Errorf("the key for acts cannot be read: %w", err), nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the key for acts, in secret %s: %w", j.ActsSecret, err)
	}
	if _, compromised := reader.KeyActs(key.ID()); !compromised.IsZero() {
		return nil, fmt.Errorf("the key for acts, %s, is compromised, and its acts have no force; replace it with wormlog keys replace acts", key.ID()), nil
	}
	now, err := j.Store.Now(ctx)
	if err != nil {
		return nil, nil, err
	}
	acts := make([]archive.TypedAct, len(old))
	for i := range old {
		acts[i] = archive.TypedAct{Type: archive.ActKeyRetired, Act: &archive.KeyAct{
			KeyID: old[i], Since: archive.Second{Time: now.Add(grace).Truncate(time.Second)}, Reason: "rotated: superseded by key " + string(id),
		}}
	}
	if err := archive.RecordActs(ctx, archive.ActsConfig{Store: j.Store, Log: j.Log, Key: key, Software: j.Software, Logger: j.Logger, Now: j.Now}, acts...); err != nil {
		return nil, nil, err
	}
	return old, nil, nil
}

// predecessors returns the keys before this one that are neither retired nor compromised, up to one that is retired: a
// rotation that recorded that one did the same with all before it.
func (j *Job) predecessors(ctx context.Context, reader *archive.Reader, id keys.ID) (old []keys.ID, err error) {
	for {
		record, err := j.record(ctx, id)
		if errors.Is(err, keys.ErrNotFound) && len(old) > 0 { // the verifier's business
			j.logger().WarnContext(ctx, "a predecessor has no key record", "key_id", id)
			return old, nil
		}
		if err != nil {
			return nil, err
		}
		if id = record.Previous; id == "" {
			return old, nil
		}
		retired, compromised := reader.KeyActs(id)
		if !retired.IsZero() {
			return old, nil
		}
		if compromised.IsZero() {
			old = append(old, id)
		}
	}
}

// actsKey reads the key that signs acts.
func (j *Job) actsKey(ctx context.Context) (*keys.SigningKey, error) {
	p, err := secretsmanager.NewProvider(secretsmanager.Config{API: j.API, SecretID: j.ActsSecret})
	if err != nil {
		return nil, err
	}
	return archive.SigningKeys(j.Log, j.Store, p)(ctx)
}
