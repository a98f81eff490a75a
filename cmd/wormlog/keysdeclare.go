package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

func (a *app) retireCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "retire KEY",
		Short: "Record that a key signs no more",
		Long: "Record, as an act of the log's authority, that a key signs no more from a moment on (now, unless --since says earlier).\n" +
			"What it signed before stays right. What it signs later is reported: as information for a day, as writers may hold a key\n" +
			"so long, and then as ATTENTION. KEY is a key ID, or the first 8 digits of it or more.\n\n" +
			"`wormlog keys rotate` does this by itself for the key that it replaces.",
		Example: "  wormlog keys retire 59e46182 --reason \"writer billing was shut down\"",
		Args:    cobra.ExactArgs(1),
	}
	d := declaration{act: archive.ActKeyRetired}
	reason := addActFlags(c)
	c.Flags().StringVar(&d.given, "since", "", "from when on it signs no more: 2026-11-22, or 2026-11-22T17:00:00Z; now if it is left out")
	c.Flags().BoolVar(&d.force, "force", false, "retire even a key that its secret still gives to whoever signs")
	c.RunE = func(c *cobra.Command, args []string) error {
		d.key, d.reason = args[0], *reason
		return a.declare(c, d)
	}
	return c
}

func (a *app) compromiseCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "compromise KEY --since TIME",
		Short: "Declare that somebody else may have had a key since a moment",
		Long: "Declare, as an act of the log's authority, that somebody else may have had a key since a moment: the earliest possible\n" +
			"one, not the one at which it was noticed. From then on `wormlog verify` says UNVERIFIABLE of what the key signed and S3\n" +
			"dates at or after that moment, unless it is countersigned. What S3 dates before stands. An act cannot be taken back.\n\n" +
			"KEY is a key ID, or the first 8 digits of it or more. If it is a key that signs key records (the online or the recovery\n" +
			"key of genesis, or a key of role online), the keys whose records it signed since then are compromised with it.\n\n" +
			"Make a new key first, and see what is affected: `wormlog keys rotate`, `wormlog keys affected KEY --since TIME`.",
		Example: "  wormlog keys compromise 59e46182 --since 2026-11-20 --reason \"laptop stolen, ticket 4711\"",
		Args:    cobra.ExactArgs(1),
	}
	d := declaration{act: archive.ActKeyCompromised}
	reason := addActFlags(c)
	c.Flags().StringVar(&d.given, "since", "", "the earliest moment at which it may have happened: 2026-11-22, or 2026-11-22T17:00:00Z (required)")
	c.RunE = func(c *cobra.Command, args []string) error {
		d.key, d.reason = args[0], *reason
		return a.declare(c, d)
	}
	return c
}

// declaration is what is to be said of a key.
type declaration struct {
	act                string
	key, given, reason string // as given by flags
	force              bool
	since              archive.Second
}

// declared is what a declaration came to.
type declared struct {
	Act      string         `json:"act"`
	Key      keys.ID        `json:"key_id"`
	Since    archive.Second `json:"since"`
	Recorded bool           `json:"recorded"` // false: the archive said so already, and nothing was written
	SignedBy keys.ID        `json:"signed_by,omitempty"`
	Before   archive.Second `json:"declared_since,omitzero"` // what the archive said before
	Affected *scopeJSON     `json:"affected,omitempty"`      // by a compromise
}

func (a *app) declare(c *cobra.Command, d declaration) error {
	compromise := d.act == archive.ActKeyCompromised
	if err := checkReason(d.reason); err != nil {
		return err
	}
	if compromise && d.given == "" {
		return withHint(errors.New("since when somebody else may have had the key is not said"), "give the earliest possible moment, such as --since 2026-11-20")
	}
	s, err := a.open(c)
	if err != nil {
		return err
	}
	ctx := c.Context()
	l, err := s.openHome(ctx)
	if err != nil {
		return err
	}
	key, err := s.findKey(ctx, l, d.key)
	if err != nil {
		return err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	if d.since, err = sinceFlag(d.given, now); err != nil {
		return err
	}
	if d.given == "" {
		d.since = archive.Second{Time: now.UTC().Truncate(time.Second)}
	}
	if compromise {
		return s.compromise(ctx, l, key, d)
	}
	return s.retire(ctx, l, key, d)
}

// retire refuses what makes no sense, and records the rest.
func (s *session) retire(ctx context.Context, l *archive.Log, key namedKey, d declaration) error {
	if key.Authority != "" {
		return withHint(fmt.Errorf("key %s cannot be retired: genesis names it for ever", key.what()),
			"if somebody else may have it, `wormlog keys compromise` says so; if it is lost, `wormlog keys replace online` makes another")
	}
	in, err := s.inUse(ctx, l, key)
	if err != nil {
		fmt.Fprintf(s.stderr, "%s\n", visible(fmt.Sprintf("wormlog: whether key %s is still in use could not be found out: %v", key.ID, err)))
	}
	if in != "" && !d.force {
		return withHint(fmt.Errorf("key %s is what secret %s gives to whoever signs: it would go on signing", key.what(), in),
			s.insteadOf(key)+" makes another key, and retires this one; --force retires it all the same")
	}
	done, err := s.recordDeclaration(ctx, l, key, d)
	if err != nil {
		return err
	}
	return s.printDeclared(key, done, "retired")
}

// compromise records what is declared, and shows what is affected by it.
func (s *session) compromise(ctx context.Context, l *archive.Log, key namedKey, d declaration) error {
	done, err := s.recordDeclaration(ctx, l, key, d)
	if err != nil {
		return err
	}
	if in, err := s.inUse(ctx, l, key); err == nil && in != "" {
		fmt.Fprintf(s.stderr, "wormlog: key %s signs on: it is what secret %s holds, and what it signs is doubted; %s makes another\n", key.ID, visible(in), s.insteadOf(key))
	}
	scope := &scopePrinter{session: s, key: key, format: s.format(false)}
	r, err := scope.look(ctx, l, nil)
	if err == nil && s.json {
		done.Affected = scope.json(r)
	}
	if err := errors.Join(s.printDeclared(key, done, "compromised"), err); err != nil {
		return exit(exitNo, withHint(fmt.Errorf("it is declared, but what is affected could not be found out: %w", err), "`wormlog keys affected "+string(key.ID)+"` tries again"))
	}
	if !s.json {
		if err := scope.print(r); err != nil {
			return err
		}
	}
	return incomplete(r)
}

func (s *session) printDeclared(key namedKey, done declared, as string) error {
	if s.json {
		return printJSON(s.stdout, done)
	}
	if !done.Recorded {
		_, err := fmt.Fprintf(s.stdout, "Key %s counts as %s since %s already; nothing was written.\n", key.what(), as, done.Before)
		return err
	}
	_, err := fmt.Fprintf(s.stdout, "Key %s counts as %s since %s.\nSigned by key %s.\n", key.what(), as, done.Since, done.SignedBy)
	return err
}

// recordDeclaration writes the act, unless the archive says as much already.
func (s *session) recordDeclaration(ctx context.Context, l *archive.Log, key namedKey, d declaration) (declared, error) {
	done := declared{Act: d.act, Key: key.ID, Since: d.since}
	states, err := s.keyReports(ctx, l, true)
	if err != nil {
		return done, err
	}
	if err := unread(states); err != nil {
		s.complain(err)
	}
	compromised, retired := compromisedSince(states, key.ID), retiredSince(states, key.ID)
	compromise := d.act == archive.ActKeyCompromised
	switch {
	case !compromise && !compromised.IsZero():
		return done, withHint(fmt.Errorf("key %s counts as compromised since %s, which says more than that it is retired", key.what(), compromised), "nothing is to be done")
	case compromise:
		done.Before = compromised
	default:
		done.Before = retired
	}
	if !done.Before.IsZero() && !d.since.Before(done.Before.Time) {
		return done, nil
	}
	signer, err := s.actsKey(ctx, l)
	if err != nil {
		return done, err
	}
	// A compromised key can still say of keys that they are compromised, and nothing else.
	if since := compromisedSince(states, signer.ID()); !since.IsZero() && !compromise {
		return done, signerCompromised(signer.ID(), since)
	}
	act := archive.TypedAct{Type: d.act, Act: &archive.KeyAct{KeyID: key.ID, Since: d.since, Reason: d.reason}}
	if err := s.record(ctx, l, signer, act); err != nil {
		return done, err
	}
	done.Recorded, done.SignedBy = true, signer.ID()
	return done, nil
}

// retiredSince returns since when a key is retired, or will be; zero if no act says so.
func retiredSince(r *archive.Report, id keys.ID) archive.Second {
	for _, k := range r.Keys {
		if k.KeyID == id && k.State != archive.KeyCompromised {
			return k.Since
		}
	}
	return archive.Second{}
}

// insteadOf is the command that puts another key in the place of this one.
func (s *session) insteadOf(key namedKey) string {
	switch {
	case key.Record.Role == keys.RoleAuthority:
		return "`wormlog keys replace acts`"
	case key.vouches():
		return "`wormlog keys replace online`"
	}
	return "`wormlog keys rotate`"
}

// inUse returns the name of the secret that holds the key now; empty if none is known to.
func (s *session) inUse(ctx context.Context, l *archive.Log, key namedKey) (secret string, err error) {
	if key.Authority == archive.OnlineAuthority {
		id, _ := s.onlineKey(ctx, l)
		if id == key.ID {
			secret = s.AuthoritySecretOf(l.Origin)
		}
		return secret, nil
	}
	secret = key.Record.Source["secret"]
	if secret == "" || key.Record.Source["provider"] != "aws-secretsmanager" {
		return "", nil
	}
	b, err := s.bundleIn(ctx, secret)
	if err != nil && !errors.Is(err, keys.ErrNotFound) {
		return "", err
	}
	if err != nil || b.KeyID() != key.ID {
		return "", nil
	}
	return secret, nil
}
