package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/keys"
)

// ackWanted is what is to be acknowledged.
type ackWanted struct {
	code         archive.Code
	key, version string
	reason       string
	report       string // file
}

func (a *app) acknowledgeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "acknowledge CODE [OBJECT-KEY]",
		Short: "Take one finding out of the exit status of verify, for ever",
		Long: "Record, as an act of the log's authority, that somebody has looked at a finding of `wormlog verify` and that it shall not\n" +
			"count in the verdict any more. It stays in every report, marked as acknowledged. An act cannot be taken back.\n\n" +
			"CODE is the finding's code, OBJECT-KEY the object that it is about, --version-id the version. What is left out must follow\n" +
			"from the rest: there must be exactly one finding of that code, or of that code on that object. It is looked for in the\n" +
			"report of an earlier run (--report), or else by a full verification now. A finding that is not there is not acknowledged.\n\n" +
			"Findings on no object (such as bucket-lock) cannot be acknowledged: what they are about can be put right. Neither can what\n" +
			"was not looked at.",
		Example: "  wormlog verify --report report.json\n" +
			"  wormlog acknowledge unknown-object notes.txt --report report.json --reason \"put there by hand, ticket 4711\"",
		Args: cobra.RangeArgs(1, 2),
	}
	var k ackWanted
	reason := addActFlags(c)
	config.AddFlags(c.Flags(), config.GroupCopies, config.GroupKeys)
	c.Flags().StringVar(&k.version, "version-id", "", "the version that the finding is about, where there are several")
	c.Flags().StringVar(&k.report, "report", "", "report of wormlog verify, by its --report or --json, that has the finding")
	c.RunE = func(c *cobra.Command, args []string) error {
		k.code, k.reason = archive.Code(args[0]), *reason
		if len(args) > 1 {
			k.key = args[1]
		}
		return a.acknowledge(c, k)
	}
	return c
}

func (a *app) acknowledge(c *cobra.Command, k ackWanted) error {
	if err := checkReason(k.reason); err != nil {
		return err
	}
	if !k.code.Known() {
		return withHint(fmt.Errorf("%q is no code of a finding", string(k.code)), "`wormlog verify` prints the codes, behind the verdicts")
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
	signer, err := s.trustedActsKey(ctx, l) // before a verification that may take hours
	if err != nil {
		return err
	}
	r, err := s.reportOf(ctx, l, k.report)
	if err != nil {
		return err
	}
	found, err := k.find(r)
	if err != nil {
		return err
	}
	done := ackDone{Code: k.code, Key: found[0].Key, VersionID: found[0].VersionID, Findings: found}
	if !found[0].Acknowledged {
		act := &archive.Acknowledged{Code: string(done.Code), Key: done.Key, VersionID: done.VersionID, Reason: k.reason}
		if err := s.record(ctx, l, signer, archive.TypedAct{Type: archive.ActAcknowledged, Act: act}); err != nil {
			return err
		}
		done.Recorded, done.SignedBy = true, signer.ID()
	}
	return s.printAcknowledged(done)
}

// ackDone is what an acknowledgement came to.
type ackDone struct {
	Code      archive.Code      `json:"code"`
	Key       string            `json:"key"`
	VersionID string            `json:"version_id"`
	Findings  []archive.Finding `json:"findings"`
	Recorded  bool              `json:"recorded"` // false: it was acknowledged already, and nothing was written
	SignedBy  keys.ID           `json:"signed_by,omitempty"`
}

// reportOf reads a report, or makes one.
func (s *session) reportOf(ctx context.Context, l *archive.Log, file string) (*archive.Report, error) {
	if file == "" {
		return s.fullReport(ctx, l)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, withHint(err, "make one by `wormlog verify --report FILE`")
	}
	r := new(archive.Report)
	if err := json.Unmarshal(b, r); err != nil || r.Format == "" {
		return nil, withHint(fmt.Errorf("%s is no report", file), "make one by `wormlog verify --report FILE`")
	}
	if r.LogID != l.ID {
		return nil, withHint(fmt.Errorf("%s is a report on log %s, and this is log %s", file, r.LogID, l.ID), "verify this log with --report FILE")
	}
	return r, nil
}

// fullReport verifies everything.
func (s *session) fullReport(ctx context.Context, l *archive.Log) (*archive.Report, error) {
	c := archive.VerifyConfig{Store: s.store, LogID: s.LogID, Level: archive.LevelFull, Copies: s.copies(ctx, l.Origin), RotationDays: s.KeyRotationDays, MaxFindings: 1 << 20}
	bar := s.verifyBar(&c)
	defer bar.end()
	r, err := archive.Verify(ctx, c)
	if err == nil && r.LogID != l.ID {
		err = fmt.Errorf("the report is on log %s, and this is log %s; run it again", r.LogID, l.ID)
	}
	return r, err
}

// find returns the findings that the acknowledgement would cover: those of one code, key and version.
func (k ackWanted) find(r *archive.Report) ([]archive.Finding, error) {
	var of, found []archive.Finding
	places := map[string]bool{}
	for _, f := range r.Findings {
		if f.Code != k.code {
			continue
		}
		of = append(of, f)
		if (k.key == "" || f.Key == k.key) && (k.version == "" || f.VersionID == k.version) {
			found = append(found, f)
			places[f.Key+"\x00"+f.VersionID] = true
		}
	}
	switch {
	case len(found) == 0:
		return nil, exit(exitNo, k.notFound(r, of))
	case len(places) > 1:
		return nil, exit(exitNo, withHint(fmt.Errorf("%s are meant by this: %s", count(len(places), "finding"), listed(found)), "name the object, and the version with --version-id"))
	case found[0].Key == "":
		return nil, exit(exitNo, withHint(fmt.Errorf("%s is about no object, so it cannot be acknowledged", k.code), "put right what it is about"))
	case !found[0].CanBeAcknowledged():
		return nil, exit(exitNo, withHint(fmt.Errorf("%s on %s says that something was not looked at, which cannot be acknowledged for all time to come", k.code, found[0].Key), "put right what kept it from being looked at"))
	}
	for _, f := range found {
		if f.Verdict != archive.Information {
			return found, nil
		}
	}
	return nil, exit(exitNo, withHint(fmt.Errorf("%s on %s is information, which counts for nothing", k.code, found[0].Key), "acknowledge it if it ever counts: what it would become is not known yet"))
}

func (k ackWanted) notFound(r *archive.Report, of []archive.Finding) error {
	hint := "`wormlog verify` lists the findings"
	if r.FindingsOmitted > 0 {
		hint = fmt.Sprintf("the report leaves out %s; without --report all are looked at", count(r.FindingsOmitted, "finding"))
	}
	what := string(k.code)
	if k.key != "" {
		what += " on " + k.key
	}
	if k.version != "" {
		what += " (version " + k.version + ")"
	}
	if len(of) > 0 {
		return withHint(fmt.Errorf("there is no finding %s, but %s", what, listed(of)), hint)
	}
	return withHint(errors.New("there is no finding "+what), hint)
}

// listed names a few findings.
func listed(of []archive.Finding) string {
	const few = 5
	var names []string
	for _, f := range of[:min(few, len(of))] {
		names = append(names, fmt.Sprintf("%s (version %s)", f.Key, f.VersionID))
	}
	if more := len(of) - few; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

func (s *session) printAcknowledged(d ackDone) error {
	if s.json {
		return printJSON(s.stdout, d)
	}
	if !d.Recorded {
		_, err := fmt.Fprintln(s.stdout, visible(fmt.Sprintf("%s on %s is acknowledged already; nothing was written.", d.Code, d.Key)))
		return err
	}
	var b strings.Builder
	b.WriteString("Out of the exit status of verify from now on:\n")
	for _, f := range d.Findings {
		b.WriteString(visible("  "+f.String()) + "\n")
	}
	if d.VersionID == "" {
		b.WriteString("It names no version, so every later finding of this code on this object is covered too.\n")
	}
	fmt.Fprintf(&b, "Signed by key %s. It stays in every report.\n", d.SignedBy)
	_, err := s.stdout.Write([]byte(b.String()))
	return err
}
