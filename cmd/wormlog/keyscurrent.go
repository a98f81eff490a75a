package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

func (a *app) keysCurrentCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "current",
		Short: "Print the ID of the key that signs now",
		Long: "Print the ID of the key that the writer's secret holds now; with --role authority that of the key which signs acts, with\n" +
			"--role online that of the key which signs key records. It is an error if no verifier would accept what the key signs:\n" +
			"its record is not in the archive, or it is not for this writer.",
		Example: "  STOLEN=$(wormlog keys current)\n  wormlog keys current --role authority",
		Args:    cobra.NoArgs,
	}
	config.AddFlags(c.Flags(), config.GroupBucket)
	for _, name := range []string{"writer", "signing_secret", "signing_key_env", "authority_secret", "acts_secret"} {
		config.AddFlag(c.Flags(), name)
	}
	role := c.Flags().String("role", string(keys.RoleWriter), "writer, authority or online")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := a.open(c)
		if err != nil {
			return err
		}
		l, err := s.openLog(c.Context())
		if err != nil {
			return err
		}
		id, err := s.currentOf(c.Context(), l, keys.Role(*role))
		if err != nil {
			return err
		}
		if a.json {
			return printJSON(a.stdout, map[string]string{"key_id": string(id), "role": *role})
		}
		_, err = fmt.Fprintln(a.stdout, id)
		return err
	}
	return c
}

// currentOf returns the ID of the key that signs now for a role.
func (s *session) currentOf(ctx context.Context, l *archive.Log, role keys.Role) (keys.ID, error) {
	switch role {
	case keys.RoleWriter:
		return s.writersKey(ctx, l)
	case keys.RoleAuthority:
		k, err := s.actsKey(ctx, l)
		if err != nil {
			return "", err
		}
		return k.ID(), nil
	case keys.RoleOnline:
		return s.onlineKey(ctx, l)
	}
	return "", fmt.Errorf("no secret holds a key of role %s; --role is writer, authority or online", role)
}

// writersKey returns the ID of the key that the writer signs with.
func (s *session) writersKey(ctx context.Context, l *archive.Log) (keys.ID, error) {
	p, err := s.provider(ctx, l.Origin)
	if err != nil {
		return "", err
	}
	k, err := archive.SigningKeys(l, s.store, p)(ctx)
	if err != nil {
		return "", unpublished(err)
	}
	if of := k.Record().Streams; of != s.Writer+".*" {
		return "", withHint(fmt.Errorf("the signing secret holds key %s, which is for the streams %s, and the writer is %s", k.ID(), of, s.Writer),
			"name the signing_secret of this writer")
	}
	return k.ID(), nil
}

// onlineKey returns the ID of the key that signs the records of writers' keys.
func (s *session) onlineKey(ctx context.Context, l *archive.Log) (keys.ID, error) {
	client, err := s.secrets(ctx)
	if err != nil {
		return "", err
	}
	name := s.AuthoritySecretOf(l.Origin)
	k, err := secretsmanager.Store{API: client}.LoadAuthoritySigner(ctx, name)
	if err != nil {
		return "", err
	}
	return k.ID(), s.checkOnline(ctx, l, k.ID(), name)
}

// checkOnline says why a key that a secret holds may not sign the records of writers' keys; nil if it may.
func (s *session) checkOnline(ctx context.Context, l *archive.Log, id keys.ID, secret string) error {
	err := l.CheckAuthority(ctx, s.store, id, keys.RoleWriter)
	if errors.Is(err, archive.ErrNotFound) {
		return withHint(fmt.Errorf("secret %s holds the key %s, which this log does not know: genesis does not name it, and it has no record in the archive", secret, id),
			"name the log's own authority_secret; if a replacement was not finished, `wormlog keys replace online --recovery-key FILE` goes on with it")
	}
	return err
}
