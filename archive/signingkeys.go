package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/keys"
)

// SigningKeys returns what [WriterConfig.Key] wants: a function that asks the provider for the bundle to sign with now and
// makes it a signing key with its record from the archive. A bundle that was looked at before costs no call to the store,
// and a record is read only when another key comes; whether the provider has to ask somebody is its own affair.
//
// The function is safe for concurrent use. Its errors are the provider's and the store's, and wrap [ErrKey] when the bundle
// does not fit: it is of another log, the archive has no record of it (also [ErrNotFound]) or none that an authority of
// this log signed, or it is not what its record says (also [keys.ErrMismatch]).
func SigningKeys(l *Log, s Store, p keys.Provider) func(context.Context) (*keys.SigningKey, error) {
	k := &signingKeys{log: l, store: s, provider: p, turn: make(chan struct{}, 1)}
	return k.current
}

type signingKeys struct {
	log      *Log
	store    Store
	provider keys.Provider

	turn   chan struct{} // holds an element while somebody is in what follows
	bundle *keys.Bundle  // the one of key
	key    *keys.SigningKey
}

func (k *signingKeys) current(ctx context.Context) (*keys.SigningKey, error) {
	bundle, err := k.provider.Current(ctx)
	if err != nil {
		return nil, err
	}
	if bundle.LogID() != k.log.ID {
		return nil, fmt.Errorf("%w: key %s is of log %s, and this is log %s; name the secret of this log's writer",
			ErrKey, bundle.KeyID(), bundle.LogID(), k.log.ID)
	}
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the record of key %s: %w", bundle.KeyID(), context.Cause(ctx))
	}
	if bundle == k.bundle {
		return k.key, nil
	}
	record, err := k.record(ctx, bundle.KeyID())
	if err != nil {
		return nil, err
	}
	key, err := bundle.SigningKey(record)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	k.bundle, k.key = bundle, key
	return key, nil
}

// record returns the record of a key, which never changes.
func (k *signingKeys) record(ctx context.Context, id keys.ID) (keys.Record, error) {
	if k.key != nil && k.key.ID() == id {
		return k.key.Record(), nil
	}
	r, err := k.log.Record(ctx, k.store, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return r, fmt.Errorf("%w: key %s has no record in the archive: %w", ErrKey, id, err)
	case errors.Is(err, ErrMalformed), errors.Is(err, ErrUnknownFormat), errors.Is(err, ErrWrongLog), errors.Is(err, keys.ErrBadSignature):
		return r, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return r, err
}
