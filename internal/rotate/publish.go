package rotate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// authority gives the key that is to sign key records.
type authority func(context.Context) (keys.AuthoritySigner, error)

// online reads the online authority's key, or what has replaced it.
func (j *Job) online(ctx context.Context) (keys.AuthoritySigner, error) {
	return secretsmanager.Store{API: j.API}.LoadAuthoritySigner(ctx, j.AuthoritySecret)
}

// noRecord is an archive's answer in the terms of [secretsmanager.Rotation].
type noRecord struct{ error }

func (n noRecord) Unwrap() error        { return n.error }
func (n noRecord) Is(target error) bool { return target == keys.ErrNotFound }

// record reads a key record from the archive.
func (j *Job) record(ctx context.Context, id keys.ID) (keys.Record, error) {
	r, err := j.Log.Record(ctx, j.Store, id)
	if errors.Is(err, archive.ErrNotFound) {
		err = noRecord{err}
	}
	return r, err
}

// publish has the authority sign the record, and stores it unless it is there. One that is there and counts as compromised
// is an error: it may have been published by an authority that is known to be stolen by now.
func (j *Job) publish(ctx context.Context, record keys.Record, by authority) error {
	id, err := record.ID()
	if err != nil {
		return err
	}
	switch _, err := j.record(ctx, id); {
	case err == nil:
		return j.sound(ctx, id)
	case !errors.Is(err, keys.ErrNotFound):
		return err
	}
	signer, err := by(ctx)
	if err != nil {
		return fmt.Errorf("the authority's key, which is to sign the record, cannot be used: %w", err)
	}
	if err := j.Log.CheckAuthority(ctx, j.Store, signer.ID(), record.Role); err != nil {
		return err
	}
	if err := j.trusted(ctx, signer.ID()); err != nil {
		return err
	}
	b, _, err := keys.SignRecord(record, signer.Signer())
	if err != nil {
		return err
	}
	_, err = j.Log.CreateRecord(ctx, j.Store, id, b)
	if errors.Is(err, archive.ErrTaken) { // by another run, whose authority was another one
		_, err = j.record(ctx, id)
	}
	if err != nil {
		return err
	}
	j.logger().InfoContext(ctx, "key record published", "key_id", id, "role", record.Role, "streams", record.Streams, "previous", record.Previous, "authority", signer.ID())
	return nil
}

// trusted refuses an authority's key that is declared compromised: every key it vouched for would be so from the beginning.
func (j *Job) trusted(ctx context.Context, signer keys.ID) error {
	compromised, err := j.compromised(ctx, signer)
	if err == nil && !compromised.IsZero() {
		err = fmt.Errorf("the authority's key %s is declared compromised since %s, and with it every key that it vouches for from then on; make another with wormlog keys replace",
			signer, compromised.UTC().Format(time.RFC3339))
	}
	return err
}

// sound refuses a key that counts as compromised.
func (j *Job) sound(ctx context.Context, id keys.ID) error {
	compromised, err := j.compromised(ctx, id)
	if err == nil && !compromised.IsZero() {
		err = fmt.Errorf("it counts as compromised since %s, itself or by the authority that vouched for it", compromised.UTC().Format(time.RFC3339))
	}
	return err
}

// compromised says since when a key counts as compromised; a zero time: it does not. An act that could not be read might
// say so.
func (j *Job) compromised(ctx context.Context, id keys.ID) (since time.Time, err error) {
	reader, err := archive.OpenReader(ctx, archive.ReaderConfig{Store: j.Store, LogID: j.Log.ID})
	if err == nil {
		err = reader.ActsUnread()
	}
	if err != nil {
		return since, fmt.Errorf("whether the key %s is compromised cannot be told: %w", id, err)
	}
	_, since = reader.KeyActs(id)
	return since, nil
}
