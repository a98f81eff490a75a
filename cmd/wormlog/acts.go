package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// addActFlags gives a command what every command that writes an act needs, and returns the reason that is given for it.
func addActFlags(c *cobra.Command) (reason *string) {
	config.AddFlags(c.Flags(), config.GroupBucket)
	config.AddFlag(c.Flags(), "acts_secret")
	config.AddFlag(c.Flags(), "give_up_after")
	reason = c.Flags().String("reason", "", "why, for those who read the act in years (required)")
	return reason
}

func checkReason(reason string) error {
	if reason == "" {
		return withHint(errors.New("an act needs a reason"), `say why, such as --reason "ticket 4711"`)
	}
	return nil
}

// actsKey reads the key that signs acts. An act that it signs would count, unless the key is compromised.
func (s *session) actsKey(ctx context.Context, l *archive.Log) (*keys.SigningKey, error) {
	name := s.ActsSecretOf(l.Origin)
	bundle, err := s.bundleIn(ctx, name)
	switch {
	case errors.Is(err, keys.ErrNotFound):
		return nil, withHint(fmt.Errorf("the key that signs acts is not there: %w", err),
			"set acts_secret; if the key is lost, `wormlog keys replace acts --recovery-key FILE` makes another")
	case err != nil:
		return nil, fmt.Errorf("the key that signs acts cannot be read: %w", err)
	case bundle.Role() != keys.RoleAuthority:
		return nil, withHint(fmt.Errorf("secret %s holds a key of role %s, and acts are signed by one of role %s", name, bundle.Role(), keys.RoleAuthority), "name the right acts_secret")
	case bundle.LogID() != l.ID:
		return nil, withHint(fmt.Errorf("secret %s holds a key of log %s, and this is log %s", name, bundle.LogID(), l.ID), "name the acts_secret of this log")
	}
	record, err := l.Record(ctx, s.store, bundle.KeyID())
	if errors.Is(err, archive.ErrNotFound) {
		return nil, withHint(fmt.Errorf("the key %s, which is to sign acts, has no record in the archive", bundle.KeyID()),
			"`wormlog init --recovery-key FILE` publishes it")
	}
	if err != nil {
		return nil, s.recordError(bundle.KeyID(), err)
	}
	return bundle.SigningKey(record)
}

// trustedActsKey is actsKey for acts that have no force if their key is compromised.
func (s *session) trustedActsKey(ctx context.Context, l *archive.Log) (*keys.SigningKey, error) {
	k, err := s.actsKey(ctx, l)
	if err != nil {
		return nil, err
	}
	states, err := s.keyReports(ctx, l, true)
	if err != nil {
		return nil, err
	}
	if err := unread(states); err != nil {
		s.complain(err)
	}
	if since := compromisedSince(states, k.ID()); !since.IsZero() {
		return nil, signerCompromised(k.ID(), since)
	}
	return k, nil
}

func signerCompromised(id keys.ID, since archive.Second) error {
	return withHint(fmt.Errorf("the key %s, which signs acts, counts as compromised since %s: its acts have no force", id, since),
		"`wormlog keys replace acts --recovery-key FILE` makes another")
}

// bundleIn reads the bundle that a secret holds now.
func (s *session) bundleIn(ctx context.Context, secret string) (*keys.Bundle, error) {
	client, err := s.secrets(ctx)
	if err != nil {
		return nil, err
	}
	p, err := secretsmanager.NewProvider(secretsmanager.Config{API: client, SecretID: secret})
	if err != nil {
		return nil, err
	}
	return p.Current(ctx)
}

// record writes acts and returns once they are archived.
func (s *session) record(ctx context.Context, l *archive.Log, key *keys.SigningKey, acts ...archive.TypedAct) error {
	if limit := s.GiveUpAfter; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("it could not be archived within %s", limit))
		defer cancel()
	}
	err := archive.RecordActs(ctx, archive.ActsConfig{
		Store: s.store, Log: l, Key: key, Software: software(), Logger: s.logger,
	}, acts...)
	if err == nil {
		return nil
	}
	if errors.Is(err, archive.ErrUncertain) || ctx.Err() != nil {
		err = withHint(fmt.Errorf("whether the act is in the archive is not known: %w", cmp.Or(context.Cause(ctx), err)), "run it again: an act that is there twice says no more than once")
	}
	return exit(exitNo, err)
}

// sinceFlag parses the moment from which an act counts. Seconds are all that an act holds, and a fraction is cut off: the
// earlier moment doubts more.
func sinceFlag(v string, now time.Time) (archive.Second, error) {
	t, err := parseMoment("since", v)
	if err != nil {
		return archive.Second{}, err
	}
	if t.After(now.Add(maxClockSkew)) {
		return archive.Second{}, withHint(fmt.Errorf("--since %s is in the future: S3's clock shows %s", v, now.UTC().Format(time.RFC3339)), "give the earliest moment at which it may have happened")
	}
	return archive.Second{Time: t.Truncate(time.Second)}, nil
}
