package main

import (
	"context"
	"errors"
	"log/slog"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/internal/trouble"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

func (s *session) secrets(ctx context.Context) (*sm.Client, error) {
	return s.SecretsManager(ctx, s.bucket.Home().Region)
}

// provider returns where the signing key comes from.
func (s *session) provider(ctx context.Context, origin string) (keys.Provider, error) {
	if s.SigningKeyEnv != "" {
		return keys.EnvProvider{Name: s.SigningKeyEnv}, nil
	}
	client, err := s.secrets(ctx)
	if err != nil {
		return nil, err
	}
	stale := trouble.New(s.logger, "the signing key could not be read again", "")
	return secretsmanager.NewProvider(secretsmanager.Config{
		API: client, SecretID: s.SigningSecretOf(origin), OnStale: func(err error) { stale.Failed(slog.LevelWarn, err) },
	})
}

// copies returns where the verification copies of HMAC keys are; nil if that cannot be asked, which the report then says.
func (s *session) copies(ctx context.Context, origin string) keys.VerificationCopies {
	client, err := s.secrets(ctx)
	if err != nil {
		s.logger.Warn("HMACs cannot be checked", "error", err)
		return unreachable{err}
	}
	return secretsmanager.Copies{API: client, Prefix: s.VerificationSecretsOf(origin)}
}

// unreachable are copies that cannot be asked for.
type unreachable struct{ err error }

func (u unreachable) EntryKey(context.Context, keys.ID) (*keys.VerificationCopy, error) {
	return nil, errors.Join(keys.ErrDenied, u.err)
}
