package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

func (a *app) replaceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "replace online|acts --recovery-key FILE",
		Short: "Put a new key in the place of the online key or of the key for acts, by the recovery key",
		Long: "Put a new key in the place of one that was lost or stolen: online, which signs the records of writers' keys, or acts,\n" +
			"which signs acts. The recovery key vouches for it; fetch it for this, and take it offline again.\n\n" +
			"What the secret holds does not matter: it may be gone, empty, or unreadable. A key of another kind is left alone. The old\n" +
			"key stays believed until it is declared compromised. Running it again after an error goes on where it stopped; after a\n" +
			"success it makes one more key. Exit status 1: it is not finished.",
		Example:   "  wormlog keys replace online --recovery-key /media/usb/recovery.key\n  wormlog keys replace acts --recovery-key /media/usb/recovery.key",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"online", "acts"},
	}
	config.AddFlags(c.Flags(), config.GroupBucket, config.GroupCopies, config.GroupKeys)
	for _, name := range []string{"authority_secret", "acts_secret", "retention"} {
		config.AddFlag(c.Flags(), name)
	}
	file := c.Flags().String("recovery-key", "", "file with the recovery key (required)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *file == "" {
			return withHint(errors.New("the recovery key is needed, which vouches for the new key"), "fetch its file and name it by --recovery-key FILE")
		}
		s, err := a.open(c)
		if err != nil {
			return err
		}
		l, err := s.openHome(c.Context())
		if err != nil {
			return err
		}
		return s.replace(c.Context(), l, args[0], *file)
	}
	return c
}

// replacement is what is replaced.
type replacement struct {
	what, secret string
	role         keys.Role
	old          keys.ID // what the secret held; empty if that is not known
}

func (s *session) replacementOf(ctx context.Context, l *archive.Log, what string) replacement {
	r := replacement{what: what, secret: s.ActsSecretOf(l.Origin), role: keys.RoleAuthority}
	if what == "online" {
		r.secret, r.role = s.AuthoritySecretOf(l.Origin), keys.RoleOnline
	}
	client, err := s.secrets(ctx)
	if err != nil {
		return r
	}
	if b, err := s.bundleIn(ctx, r.secret); err == nil && b.LogID() == l.ID {
		r.old = b.KeyID()
	} else if k, err := (secretsmanager.Store{API: client}).LoadAuthority(ctx, r.secret); err == nil {
		r.old = k.Authority().ID()
	}
	return r
}

func (s *session) replace(ctx context.Context, l *archive.Log, what, file string) error {
	recovery, err := s.recoveryKey(l, file)
	if err != nil {
		return err
	}
	if s.AuthoritySecretOf(l.Origin) == s.ActsSecretOf(l.Origin) {
		return withHint(fmt.Errorf("authority_secret and acts_secret are the same secret, %s, and each is for one key", s.ActsSecretOf(l.Origin)), "set acts_secret to another name")
	}
	job, err := s.rotation(ctx, l)
	if err != nil {
		return err
	}
	r := s.replacementOf(ctx, l, what)
	spec := secretsmanager.KeySpec{Role: r.role, Streams: string(r.role) + ".*", Algorithm: keys.AlgorithmEd25519}
	done, err := job.Replace(ctx, r.secret, spec, recovery.AuthoritySigner())
	if done.Key != "" {
		if done.Previous == "" && r.old != done.Key {
			done.Previous = r.old
		}
		text := r.text(l, done.Key, done.Previous) + renewedLines(done)
		if s.json {
			err = errors.Join(err, printJSON(s.stdout, newRotated(done)))
		} else {
			err = errors.Join(err, s.say(text))
		}
	}
	return unfinished(err)
}

// recoveryKey reads the file and compares the key with the one that genesis names, before anything is written.
func (s *session) recoveryKey(l *archive.Log, file string) (*keys.AuthorityKey, error) {
	k, err := readRecovery(file)
	if err != nil {
		return nil, err
	}
	if want, _ := l.Authority(archive.RecoveryAuthority); k.Authority().ID() != want.ID() {
		return nil, withHint(fmt.Errorf("the file %s holds the recovery key %s, and this log's is %s", file, k.Authority().ID(), want.ID()), "fetch the recovery key of this log")
	}
	return k, nil
}

// text says what was done and what to do next.
func (r replacement) text(l *archive.Log, id, old keys.ID) string {
	var b strings.Builder
	signs := "signs acts now"
	if r.what == "online" {
		signs = "signs the records of writers' keys now"
	}
	fmt.Fprintf(&b, "Key %s %s, by secret %s. Take the recovery key offline again.\n", id, signs, r.secret)
	if old == "" {
		fmt.Fprintf(&b, "What it replaces could not be read from the secret; `wormlog keys list` shows the keys of the log.\n")
		return b.String()
	}
	fmt.Fprintf(&b, "It replaces key %s, which is still believed.\n", old)
	fmt.Fprintf(&b, "If somebody else may have had that:  wormlog keys compromise %s --since TIME --reason WHY\n", old)
	if _, ok := authorityName(l, old); !ok {
		fmt.Fprintf(&b, "If it was only lost:  wormlog keys retire %s --reason WHY\n", old)
	}
	return b.String()
}
