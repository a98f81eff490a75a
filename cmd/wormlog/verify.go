package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/keys"
)

// verifyOptions are verify's own flags.
type verifyOptions struct {
	level, from, to      string
	streams              []string
	sample               int
	entries, receipts    []string
	heads, headOut       string
	requireHMAC, mustPin bool
	offline              offline
	report               string

	cutOff []string // what is said of --receipts files with receipts that are cut off
}

func (a *app) verifyCommand() *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:   "verify [LOG-ID]",
		Short: "Look at every object version and give one verdict",
		Long: "Look at every object version in the archive and give one verdict, with what it covers. Levels, each with all before it:\n" +
			"  locks      versions, delete markers, retention, holds, bucket settings\n" +
			"  manifests  signatures, roles, chain and tree of all manifests\n" +
			"  full       every byte and every entry\n\n" +
			"Exit status: 0 INTACT; 1 TAMPERED, MISSING, UNDER_RETAINED or SHADOWED; 3 UNVERIFIABLE or NOT_CHECKED; 4 ATTENTION;\n" +
			"2 the run could not start. What could not be checked is never called intact.\n\n" +
			"The log ID pins the log: without it a whole forged log under the same name would not be noticed. A head file, written by\n" +
			"--head-out and kept outside the bucket, pins the tail: the next run takes it by --heads and sees what was cut off.\n" +
			"A trust file, written by `wormlog keys export`, pins the log too, and lets a copy be verified without network (--dir).",
		Example: "  wormlog verify --log-id $LOG_ID --head-out heads.json                      # the first time\n" +
			"  wormlog verify --log-id $LOG_ID --heads heads.json --head-out heads.json   # from then on\n" +
			"  wormlog verify --level manifests --from 2026-11-01\n" +
			"  wormlog verify --receipts receipts.ndjson --report report.json\n" +
			"  wormlog verify --trust trust.json --dir ./copy                             # a copy, without network",
		Args: cobra.MaximumNArgs(1),
	}
	config.AddFlags(c.Flags(), config.GroupBucket, config.GroupCopies, config.GroupKeys)
	f := c.Flags()
	f.StringVar(&o.level, "level", "full", "locks, manifests or full")
	addRangeFlags(c, &o.from, &o.to, &o.streams)
	f.IntVar(&o.sample, "sample", 100, "percentage of the segments that are read at level full")
	f.StringSliceVar(&o.entries, "entry", nil, "file of entry lines, as cat --lines prints them, that must be in the archive")
	f.StringSliceVar(&o.receipts, "receipts", nil, "file of receipts whose entries must be in the archive")
	f.StringVar(&o.heads, "heads", "", "head file of an earlier run, which pins the tail")
	f.StringVar(&o.headOut, "head-out", "", "write a head file; it may be the same as --heads, and is only written if the verdict is INTACT or ATTENTION")
	f.BoolVar(&o.requireHMAC, "require-hmac", false, "unchecked HMACs count as NOT_CHECKED")
	f.BoolVar(&o.mustPin, "require-pin", false, "an unpinned log ID counts as ATTENTION")
	o.offline.addFlags(c)
	f.StringVar(&o.report, "report", "", "write the report as JSON to this file")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := a.openWhere(c, o.offline)
		if err != nil {
			return err
		}
		if err := s.pin(args); err != nil {
			return err
		}
		return s.verify(c.Context(), o)
	}
	return c
}

// addRangeFlags adds the flags that narrow a command to streams and times.
func addRangeFlags(c *cobra.Command, from, to *string, streams *[]string) {
	c.Flags().StringVar(from, "from", "", "only entries from this time on: 2026-11-22, or 2026-11-22T17:00:00Z")
	c.Flags().StringVar(to, "to", "", "only entries before this time")
	c.Flags().StringSliceVar(streams, "stream", nil, "only this stream, or <writer>.* for all of a writer")
}

// pin takes a log ID given as an argument.
func (s *session) pin(args []string) error {
	if len(args) == 0 {
		return nil
	}
	id := keys.LogID(args[0])
	if err := id.Valid(); err != nil {
		return err
	}
	if s.LogID != "" && s.LogID != id {
		return fmt.Errorf("the log ID %s is given, but %s is set by %s; give one of them", id, s.LogID, s.Given("log_id").From)
	}
	s.LogID = id
	return nil
}

// parseRange parses --from and --to.
func parseRange(from, to string) (f, t time.Time, err error) {
	if f, err = parseMoment("from", from); err != nil {
		return f, t, err
	}
	if t, err = parseMoment("to", to); err != nil {
		return f, t, err
	}
	if !f.IsZero() && !t.IsZero() && !f.Before(t) {
		return f, t, fmt.Errorf("--from %s is not before --to %s", from, to)
	}
	return f, t, nil
}

func parseMoment(flag, v string) (time.Time, error) {
	if v == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s %q is not a time; write 2026-11-22 or 2026-11-22T17:00:00Z", flag, v)
}

// verifyConfig gathers what a verification is asked.
func (s *session) verifyConfig(o *verifyOptions) (archive.VerifyConfig, error) {
	c := archive.VerifyConfig{
		Store: s.store, LogID: s.LogID, RequirePin: o.mustPin, Level: archive.Level(o.level), SamplePercent: o.sample,
		Streams: o.streams, RequireHMAC: o.requireHMAC, RotationDays: s.KeyRotationDays,
	}
	if o.requireHMAC && c.Level != archive.LevelFull {
		return c, fmt.Errorf("--require-hmac asks for entries to be checked, which --level %s does not; use --level full", o.level)
	}
	if o.headOut != "" && (c.Level == archive.LevelLocks || o.from+o.to != "" || len(o.streams)+len(o.entries)+len(o.receipts) > 0) {
		return c, errors.New("--head-out pins the whole log by what was checked; leave out --from, --to, --stream, --entry, --receipts and --level locks")
	}
	if o.sample < 1 || o.sample > 100 {
		return c, fmt.Errorf("--sample %d is not a percentage of 1 to 100", o.sample)
	}
	var err error
	if c.From, c.To, err = parseRange(o.from, o.to); err != nil {
		return c, err
	}
	receipts := func(name string, b []byte) (parts [][]byte, err error) {
		parts, cut, err := splitReceipts(b)
		if cut > 0 {
			o.cutOff = append(o.cutOff, cutOff(name, b, cut))
		}
		return parts, err
	}
	if c.Receipts, err = readAll(o.receipts, receipts); err != nil {
		return c, err
	}
	if c.Lines, err = readAll(o.entries, splitLines); err != nil {
		return c, err
	}
	c.Heads, err = readHeads(o.heads)
	return c, err
}

// cutOff says that receipts of a file were left out.
func cutOff(name string, b []byte, cut uint64) string {
	if cut == 1 && !bytes.HasSuffix(b, []byte(signatureEnds+"\n")) {
		return name + " ends in a receipt that is cut off; it was not looked for"
	}
	return fmt.Sprintf("%s holds %s cut off by a crash, and not looked for", name, count(cut, "receipt"))
}

// readAll reads files of several objects each.
func readAll(files []string, split func(string, []byte) ([][]byte, error)) (all [][]byte, err error) {
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		parts, err := split(name, b)
		switch {
		case err == nil && len(parts) == 0 && len(b) > 0:
			err = errors.New("nothing in it is whole, so it would prove nothing")
		case err == nil && len(parts) == 0:
			err = errors.New("it is empty, so it would prove nothing")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, parts...)
	}
	return all, nil
}

func splitLines(_ string, b []byte) (parts [][]byte, err error) {
	for line := range bytes.SplitSeq(b, []byte{'\n'}) {
		if len(line) > 0 {
			parts = append(parts, line)
		}
	}
	return parts, nil
}

func readHeads(file string) (*archive.HeadFile, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, withHint(err, "make one by --head-out in a run without --heads")
	}
	h, err := archive.ParseHeadFile(b)
	if odd := new(json.SemanticError); errors.As(err, &odd) {
		return nil, withHint(fmt.Errorf("%s is not a head file", file), "give the file that --head-out wrote, unchanged")
	}
	if err != nil {
		return nil, fmt.Errorf("head file %s: %w", file, err)
	}
	return &h, nil
}

func (s *session) verify(ctx context.Context, o verifyOptions) error {
	c, err := s.verifyConfig(&o)
	if err != nil {
		return err
	}
	bar := s.verifyBar(&c)
	if c.Level == archive.LevelFull {
		c.Copies = s.copiesFor(ctx, o.offline)
	}
	report, err := archive.Verify(ctx, c)
	bar.end()
	if err != nil {
		return err
	}
	if err := s.writeReport(report, o); err != nil {
		return err
	}
	if err := s.showReport(report, o.cutOff); err != nil {
		return err
	}
	if status := report.Verdict.ExitStatus(); status != 0 {
		return exit(status, nil)
	}
	return nil
}

// verifyBar makes c show its progress. What there is in all is not known before the end, so the number of segments is that
// of those whose manifests were read.
func (s *session) verifyBar(c *archive.VerifyConfig) bar {
	unit := ""
	if c.Level != archive.LevelFull {
		unit = "objects" // hardly any bytes are read
	}
	b := newBar(s.stderr, terminal(s.stderr) && !s.json, -1, unit, "verifying")
	var seen uint64
	c.Progress = func(n archive.Counts) {
		now, said := n.RawBytes, fmt.Sprintf("%s of %s, %s", number(n.Read), count(n.Segments, "segment"), count(n.Checked, "entry"))
		if unit != "" {
			now, said = n.Manifests+n.Segments, fmt.Sprintf("%s, %s", count(n.Manifests, "manifest"), count(n.Segments, "segment"))
		}
		b.add(now - seen)
		seen = now
		b.say("%s", said)
	}
	return b
}

// originOfLog names the log, for the names of secrets. It may be wrong or empty: verification copies certify themselves.
func (s *session) originOfLog(ctx context.Context) string {
	if s.VerificationSecrets != "" {
		return ""
	}
	l, err := archive.OpenLog(ctx, s.store, "")
	if err != nil {
		return s.Origin
	}
	return l.Origin
}

// reportJSON is a report and where the archive was.
type reportJSON struct {
	*archive.Report
	Endpoint string   `json:"endpoint"`
	CutOff   []string `json:"receipts_cut_off,omitempty"`
}

func (s *session) writeReport(r *archive.Report, o verifyOptions) error {
	if o.report != "" {
		var b bytes.Buffer
		if err := printJSON(&b, reportJSON{r, s.endpoint(), o.cutOff}); err != nil {
			return err
		}
		if err := os.WriteFile(o.report, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	if o.headOut == "" {
		return nil
	}
	if r.Verdict != archive.Intact && r.Verdict != archive.Attention {
		fmt.Fprintf(s.stderr, "wormlog: %s was not written: heads are only pinned when the archive is in order\n", o.headOut)
		return nil
	}
	b, err := archive.FormatHeadFile(r.HeadFile())
	if err != nil {
		return fmt.Errorf("writing the head file: %w", err)
	}
	return replaceFile(o.headOut, b)
}

// replaceFile writes a file so that a crash leaves the old or the new one.
func replaceFile(path string, b []byte) error {
	if err := os.WriteFile(path+".new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (s *session) showReport(r *archive.Report, cutOff []string) error {
	if s.json {
		return printJSON(s.stdout, reportJSON{r, s.endpoint(), cutOff})
	}
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(visible(f.String()) + "\n")
	}
	if r.FindingsOmitted > 0 {
		fmt.Fprintf(&b, "and %s more\n", count(r.FindingsOmitted, "finding"))
	}
	b.WriteString(s.endpointLine())
	for _, said := range cutOff {
		b.WriteString(visible(said) + ".\n")
	}
	for _, k := range r.Compromised {
		b.WriteString(visible(scopeLine(k)) + "\n")
	}
	n := r.Counts
	fmt.Fprintf(&b, "Looked at %s, %s, %s of %s, %s of %s, in %s.\n", count(n.Streams, "stream"), count(n.Manifests, "manifest"),
		number(n.Read), count(n.Segments, "segment"), number(n.Checked), count(n.Entries, "entry"),
		r.Finished.Sub(r.Started.Time).Round(time.Second))
	b.WriteString(visible(verdictSentence(r)) + "\n")
	_, err := s.stdout.Write([]byte(b.String()))
	return err
}

// meanings say what a verdict means, for those who do not know the words.
var meanings = map[archive.Verdict]string{
	archive.Tampered:      "evidence was changed or forged",
	archive.Missing:       "evidence is gone",
	archive.UnderRetained: "evidence is not locked as it must be",
	archive.Shadowed:      "evidence is hidden or overlaid; the originals are intact",
	archive.Unverifiable:  "some of it cannot be judged",
	archive.NotChecked:    "some of it could not be looked at",
	archive.Attention:     "the evidence is in order, but somebody should look",
	archive.Intact:        "everything in range was checked and is right",
}

// meaning says what the verdict means. INTACT says no more than was looked at.
func meaning(r *archive.Report) string {
	switch {
	case r.Verdict != archive.Intact || r.Scope.Level == archive.LevelFull && r.Scope.SamplePercent == 100:
		return meanings[r.Verdict]
	case r.Scope.Level == archive.LevelFull:
		return fmt.Sprintf("what was looked at is right; the entries of %s of %s were read", number(r.Counts.Read), count(r.Counts.Segments, "segment"))
	case r.Scope.Level == archive.LevelManifests:
		return "versions, locks and manifests are right; entries were not read"
	}
	return "versions and locks are right; signatures were not judged and entries not read"
}

// verdictSentence is the last line: the verdict, what it covers, and what weighs most.
func verdictSentence(r *archive.Report) string {
	said := r.String() + ": " + meaning(r)
	var weigh []archive.Finding
	for _, f := range r.Findings {
		if f.Verdict != archive.Information && !f.Acknowledged {
			weigh = append(weigh, f)
		}
	}
	if len(weigh) == 0 {
		return said
	}
	total := uint64(len(weigh)) + r.FindingsOmitted
	worst := weigh[0]
	at := worst.Key
	if at == "" {
		at = "the bucket"
	}
	return fmt.Sprintf("%s; %s, the worst: %s on %s", said, count(total, "finding"), worst.Code, at)
}
