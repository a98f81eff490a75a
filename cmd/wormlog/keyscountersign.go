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
)

// countersignWanted is what is to be trusted again.
type countersignWanted struct {
	key, reason, heads string
	streams, except    []string
	uncheckedHMAC, dry bool
}

func (a *app) countersignCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "countersign KEY",
		Short: "Restore trust in what a compromised key signed rightly",
		Long: "Have the key for acts sign anew what a compromised key signed rightly, by the last manifests of streams. By default these\n" +
			"are the last ones before the compromise, by S3's dates: at home they stand by themselves, countersigned they do in copies\n" +
			"and replicas too. What S3 dates later is covered only where you say that it is right: --stream for streams that are yours\n" +
			"up to their ends, --heads for a head file that was made before. Whoever has the key makes streams that look as intact as\n" +
			"any other: only their owner knows which are which. For a key that signs key records it is what the keys signed that are\n" +
			"compromised because of it.\n\n" +
			"First everything is verified in full. If a stream that would be covered has a finding against it, nothing is written and\n" +
			"the exit status is 1. What is tampered with afterwards is found as ever. Running it again is harmless.",
		Example: "  wormlog keys countersign 59e46182 --reason \"intact before the theft, ticket 4711\"\n" +
			"  wormlog keys countersign 59e46182 --stream payments.01M824P6200123456789ABCDEF --reason \"opened by pay-1, see its log\"\n" +
			"  wormlog keys countersign 59e46182 --dry-run",
		Args: cobra.ExactArgs(1),
	}
	var w countersignWanted
	reason := addActFlags(c)
	config.AddFlags(c.Flags(), config.GroupCopies)
	c.Flags().StringSliceVar(&w.streams, "stream", nil, "a stream, or <writer>.*, that is right up to its end")
	c.Flags().StringSliceVar(&w.except, "except", nil, "a stream, or <writer>.*, that is left alone")
	c.Flags().StringVar(&w.heads, "heads", "", "head file made before the compromise: what it names is right")
	c.Flags().BoolVar(&w.uncheckedHMAC, "unchecked-hmac", false, "countersign although HMACs cannot be checked, as there are no verification copies")
	c.Flags().BoolVar(&w.dry, "dry-run", false, "verify and say what would be covered; write nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		w.key, w.reason = args[0], *reason
		return a.countersign(c, w)
	}
	return c
}

func (a *app) countersign(c *cobra.Command, w countersignWanted) error {
	if w.dry && w.reason == "" {
		w.reason = "dry run"
	}
	if err := checkReason(w.reason); err != nil {
		return err
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
	key, err := s.findKey(ctx, l, w.key)
	if err != nil {
		return err
	}
	cfg := archive.CountersignConfig{
		Store: s.store, Log: l, Compromised: key.ID, Reason: w.reason, Streams: w.streams, Except: w.except,
		Copies: s.copies(ctx, l.Origin), UncheckedHMAC: w.uncheckedHMAC, Software: software(), Logger: s.logger,
	}
	if cfg.Heads, err = readHeads(w.heads); err != nil {
		return err
	}
	if !w.dry {
		if cfg.Key, err = s.trustedActsKey(ctx, l); err != nil { // before a verification that may take hours
			return err
		}
	}
	plan, err := s.planCountersign(ctx, cfg)
	if err != nil {
		return err
	}
	if !w.dry {
		var acts []archive.TypedAct
		for i := range plan.Acts {
			acts = append(acts, archive.TypedAct{Type: archive.ActCountersigned, Act: &plan.Acts[i]})
		}
		if err := s.record(ctx, l, cfg.Key, acts...); err != nil {
			return err
		}
	}
	return s.printCountersigned(key, plan, cfg.Key)
}

// planCountersign verifies everything, and says what there is to countersign.
func (s *session) planCountersign(ctx context.Context, c archive.CountersignConfig) (*archive.Countersigning, error) {
	v := archive.VerifyConfig{Level: archive.LevelFull}
	bar := s.verifyBar(&v)
	c.Progress = v.Progress
	plan, err := archive.PlanCountersign(ctx, c)
	bar.end()
	if errors.Is(err, archive.ErrNotIntact) {
		return nil, exit(exitNo, withHint(err, "see what that is about first; --except leaves a stream out"))
	}
	return plan, err
}

// countersignDone is what a countersignature came to, for machines.
type countersignDone struct {
	Key      keys.ID                 `json:"key_id"`
	Recorded bool                    `json:"recorded"` // false: a dry run, or all of it was in force already
	Acts     []archive.Countersigned `json:"acts"`     // what was, or is to be, recorded
	Already  uint64                  `json:"already"`  // streams
	Left     []string                `json:"left"`     // streams of which something has to be doubted still
	Notes    []archive.Finding       `json:"notes"`
	SignedBy keys.ID                 `json:"signed_by,omitempty"`
}

func (s *session) printCountersigned(key namedKey, c *archive.Countersigning, signer *keys.SigningKey) error {
	done := countersignDone{
		Key: key.ID, Recorded: signer != nil && len(c.Acts) > 0, Already: c.Already,
		Acts: append([]archive.Countersigned{}, c.Acts...), Left: append([]string{}, c.Left...), Notes: append([]archive.Finding{}, c.Notes...),
	}
	if done.Recorded {
		done.SignedBy = signer.ID()
	}
	if s.json {
		return printJSON(s.stdout, done)
	}
	var b strings.Builder
	switch n := c.Heads(); {
	case n == 0 && c.Already == 0:
		fmt.Fprintf(&b, "Nothing that key %s signed is to be countersigned: it signed nothing before, and no stream is named.\n", key.ID)
	case n == 0:
		fmt.Fprintf(&b, "Countersigned already, in %s; nothing was written.\n", count(c.Already, "stream"))
	case signer == nil:
		fmt.Fprintf(&b, "%s would be countersigned:\n", count(n, "stream"))
	default:
		fmt.Fprintf(&b, "%s countersigned, by key %s:\n", count(n, "stream"), signer.ID())
	}
	for _, act := range c.Acts {
		for _, h := range act.Heads {
			fmt.Fprintf(&b, "  %s up to manifest %d\n", h.Stream, h.Sequence)
		}
	}
	for _, f := range c.Notes {
		fmt.Fprintf(&b, "Worth a look: %s\n", f)
	}
	if len(c.Left) > 0 {
		fmt.Fprintf(&b, "Left to doubt, in %s:\n", count(len(c.Left), "stream"))
	}
	for _, stream := range c.Left {
		fmt.Fprintf(&b, "  %s\n", stream)
	}
	return s.say(b.String())
}
