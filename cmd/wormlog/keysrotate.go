package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/internal/rotate"
	"github.com/wormlog/wormlog/keys"
)

func (a *app) rotateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Make a new signing key for a writer, and have it sign from now on",
		Long: "Make a new signing key for a writer, in the four steps of Secrets Manager: the key is made as AWSPENDING; its verification\n" +
			"copy and its record are stored; all is read back and tried; and only then AWSCURRENT moves. Writers take the new key\n" +
			"within an hour and a minute, and lose nothing. Afterwards the locks of log.json and of key records are extended where that is due,\n" +
			"and the old key is recorded as retired, a day from now, if the key for acts can be read.\n\n" +
			"It may be run again after any error, by anybody, at any time: it goes on where it stopped, with the same key. It needs\n" +
			"the online authority's key, and is what the rotation function on Lambda does. Exit status 1: it is not finished.",
		Example: "  wormlog keys rotate\n  wormlog keys rotate --writer billing --json",
		Args:    cobra.NoArgs,
	}
	config.AddFlags(c.Flags(), config.GroupBucket, config.GroupCopies, config.GroupKeys)
	for _, name := range []string{"writer", "signing_secret", "authority_secret", "acts_secret", "retention"} {
		config.AddFlag(c.Flags(), name)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := a.open(c)
		if err != nil {
			return err
		}
		l, err := s.openHome(c.Context())
		if err != nil {
			return err
		}
		return s.rotate(c.Context(), l)
	}
	return c
}

// rotation prepares what turns keys over.
func (s *session) rotation(ctx context.Context, l *archive.Log) (*rotate.Job, error) {
	client, err := s.secrets(ctx)
	if err != nil {
		return nil, err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return nil, err
	}
	days, err := s.Retention.From(now)
	if err != nil {
		return nil, err
	}
	return &rotate.Job{
		Log: l, Store: s.store, API: client, Software: software(), Logger: s.logger, RotationDays: s.KeyRotationDays, RetentionDays: days,
		AuthoritySecret: s.AuthoritySecretOf(l.Origin), ActsSecret: s.ActsSecretOf(l.Origin), VerificationSecrets: s.VerificationSecretsOf(l.Origin),
	}, nil
}

// rotated is what came of a rotation or a replacement, for machines.
type rotated struct {
	Secret     string    `json:"secret"`
	Version    string    `json:"version"`
	Key        keys.ID   `json:"key_id"`
	Previous   keys.ID   `json:"previous,omitempty"`
	Resumed    bool      `json:"resumed"` // it was begun before
	Renewed    []renewed `json:"renewed"` // objects whose locks were extended
	Retired    []keys.ID `json:"retired"` // keys that are recorded as retired by this
	NotRetired string    `json:"not_retired,omitempty"`
}

// renewed is log.json or a key record, whose lock was extended.
type renewed struct {
	Key       string         `json:"key"`
	VersionID string         `json:"version_id"`
	Until     archive.Second `json:"retained_until"`
}

func newRotated(d rotate.Done) rotated {
	r := rotated{Secret: d.Secret, Version: d.Version, Key: d.Key, Previous: d.Previous, Resumed: d.Resumed, Renewed: []renewed{}, Retired: []keys.ID{}}
	for _, a := range d.Renewed {
		r.Renewed = append(r.Renewed, renewed{a.Key, a.VersionID, archive.Second{Time: a.Until}})
	}
	r.Retired = append(r.Retired, d.Retired...)
	if d.NotRetired != nil {
		r.NotRetired = d.NotRetired.Error()
	}
	return r
}

func (s *session) rotate(ctx context.Context, l *archive.Log) error {
	if err := s.rightSecret(ctx, l); err != nil {
		return err
	}
	job, err := s.rotation(ctx, l)
	if err != nil {
		return err
	}
	done, err := job.Run(ctx, s.SigningSecretOf(l.Origin))
	if done.Key != "" {
		if printErr := s.printRotated(done); printErr != nil {
			return printErr
		}
	}
	return unfinished(err)
}

// rightSecret makes sure that the key of the writer who is meant is turned over, and of no other.
func (s *session) rightSecret(ctx context.Context, l *archive.Log) error {
	name := s.SigningSecretOf(l.Origin)
	b, err := s.bundleIn(ctx, name)
	if err != nil {
		return nil // the rotation says what is wrong with it
	}
	r, err := l.Record(ctx, s.store, b.KeyID())
	if err == nil && r.Streams != s.Writer+".*" {
		return withHint(fmt.Errorf("secret %s holds a key for the streams %s, and the writer is %s", name, r.Streams, s.Writer),
			"name the signing_secret of this writer, or the writer that the secret is for")
	}
	return nil
}

// unfinished is the error of a rotation, with what to do: whatever went wrong, the next run goes on.
func unfinished(err error) error {
	if err == nil {
		return nil
	}
	said, hint := explain(err)
	again := "run it again: it goes on where it stopped"
	if hint != "" {
		again = hint + "; then " + again
	}
	return exit(exitNo, withHint(errors.New(said), again))
}

func (s *session) printRotated(d rotate.Done) error {
	if s.json {
		return printJSON(s.stdout, newRotated(d))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Key %s signs for writer %s now, by secret %s. Writers take it within an hour and a minute.\n", d.Key, s.Writer, d.Secret)
	if d.Resumed {
		b.WriteString("It was begun before, and is finished now: run it again if you want a newer key.\n")
	}
	for _, id := range d.Retired {
		fmt.Fprintf(&b, "Key %s is recorded as retired: it signs for a day at most.\n", id)
	}
	if d.NotRetired != nil {
		said, _ := explain(d.NotRetired)
		fmt.Fprintf(&b, "The key before, %s, is not recorded as retired: %s.\n`wormlog keys retire %s --reason rotated` does it, with the key for acts.\n", d.Previous, said, d.Previous)
	}
	b.WriteString(renewedLines(d))
	return s.say(b.String())
}

// renewedLines tell of locks that were extended; empty if there were none.
func renewedLines(d rotate.Done) string {
	var b strings.Builder
	for _, a := range d.Renewed {
		fmt.Fprintf(&b, "%s is locked until %s now: it is needed so long.\n", a.Key, dayOf(a.Until))
	}
	return b.String()
}

// say prints text of several lines.
func (s *session) say(text string) error {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(visible(strings.TrimSuffix(line, "\n")) + "\n")
	}
	_, err := s.stdout.Write([]byte(b.String()))
	return err
}
