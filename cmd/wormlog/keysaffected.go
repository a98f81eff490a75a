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

func (a *app) affectedCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "affected KEY",
		Short: "Show what has to be doubted if somebody else had a key: streams, objects, entries and times",
		Long: "Show what a compromised key signed at or after the moment since when it is, by S3's dates: what has to be doubted. With\n" +
			"--since for a moment that nobody has declared, as a supposition; without it for what is declared. Nothing is written.\n\n" +
			"KEY is a key ID, or the first 8 digits of it or more. For a key that signs key records it is what the keys signed whose\n" +
			"records it signed since then.\n\n" +
			"Manifests are judged, entries are not read. Exit status: 3 not everything could be judged, so more may be affected.",
		Example: "  wormlog keys affected 59e46182 --since 2026-11-20\n" +
			"  wormlog keys affected 59e46182 --csv > affected.csv\n" +
			"  wormlog keys affected 59e46182 --streams",
		Args: cobra.ExactArgs(1),
	}
	config.AddFlags(c.Flags(), config.GroupBucket)
	since := c.Flags().String("since", "", "suppose that it is compromised since then: 2026-11-22, or 2026-11-22T17:00:00Z")
	inCSV := c.Flags().Bool("csv", false, "print CSV (RFC 4180), a row for each object")
	names := c.Flags().Bool("streams", false, "print the names of the streams that are to be doubted, and nothing else")
	c.MarkFlagsMutuallyExclusive("csv", "streams")
	c.RunE = func(c *cobra.Command, args []string) error {
		if a.json && (*inCSV || *names) {
			return errors.New("--json, --csv and --streams are ways to print the same; choose one")
		}
		s, err := a.open(c)
		if err != nil {
			return err
		}
		ctx := c.Context()
		l, err := s.openLog(ctx)
		if err != nil {
			return err
		}
		key, err := s.findKey(ctx, l, args[0])
		if err != nil {
			return err
		}
		out := &scopePrinter{session: s, key: key, format: a.format(*inCSV), names: *names}
		var suppose []archive.KeyAct
		if *since != "" {
			now, err := s.store.Now(ctx)
			if err != nil {
				return err
			}
			from, err := sinceFlag(*since, now)
			if err != nil {
				return err
			}
			suppose = []archive.KeyAct{{KeyID: key.ID, Since: from, Reason: "supposed"}}
		}
		return out.run(ctx, l, suppose)
	}
	return c
}

// scopePrinter shows what is affected by a key.
type scopePrinter struct {
	*session
	key     namedKey
	format  outputFormat
	names   bool             // of streams alone
	keys    map[keys.ID]bool // the key, and those that it vouched for
	streams []affectedStream
	begun   bool
	last    string // name that was printed
	err     error
}

// affectedStream is what one key affects in one stream, with the objects for JSON alone: there may be millions.
type affectedStream struct {
	archive.Affected
	objects, countersigned int
}

// scopeJSON is what is affected, for machines.
type scopeJSON struct {
	Key      keys.ID                  `json:"key_id"`
	Keys     []archive.CompromisedKey `json:"keys"` // the key itself, and those that it vouched for
	Streams  []archive.Affected       `json:"streams"`
	Complete bool                     `json:"complete"` // false: something could not be judged, and more may be affected
}

// run verifies manifests, and prints what is affected.
func (p *scopePrinter) run(ctx context.Context, l *archive.Log, suppose []archive.KeyAct) error {
	r, err := p.look(ctx, l, suppose)
	if err != nil {
		return err
	}
	if err := p.print(r); err != nil {
		return err
	}
	return incomplete(r)
}

// look verifies manifests, and takes what is affected.
func (p *scopePrinter) look(ctx context.Context, l *archive.Log, suppose []archive.KeyAct) (*archive.Report, error) {
	states, err := p.keyReports(ctx, l, true)
	if err != nil {
		return nil, err
	}
	if len(suppose) == 0 && compromisedSince(states, p.key.ID).IsZero() {
		return nil, withHint(fmt.Errorf("key %s is not declared compromised", p.key.what()), "give --since to see what would be affected")
	}
	p.keys = vouchedFor(states, p.key.ID)
	c := archive.VerifyConfig{
		Store: p.store, LogID: l.ID, Level: archive.LevelManifests, Suppose: suppose, MaxFindings: 1 << 20, OnAffected: p.take,
	}
	bar := p.verifyBar(&c)
	defer bar.end()
	r, err := archive.Verify(ctx, c)
	return r, errors.Join(err, p.err)
}

// vouchedFor returns a key, those whose records it signed, and those whose records these signed.
func vouchedFor(r *archive.Report, id keys.ID) map[keys.ID]bool {
	of := map[keys.ID]bool{id: true}
	for range 2 { // recovery, online, writer
		for _, k := range r.Keys {
			if of[k.SignedBy] {
				of[k.KeyID] = true
			}
		}
	}
	return of
}

// take gets what one key did in one stream.
func (p *scopePrinter) take(a archive.Affected) {
	if len(a.Objects) == 0 || !p.keys[a.KeyID] {
		return
	}
	switch {
	case p.names:
		if !a.Countersigned && a.Stream != p.last {
			p.last = a.Stream
			p.write(a.Stream + "\n")
		}
		return
	case p.format == asCSV:
		p.header()
		p.write(archive.FormatAffectedCSV(a))
		return
	}
	s := affectedStream{Affected: a, objects: len(a.Objects)}
	for _, o := range a.Objects {
		if o.Countersigned {
			s.countersigned++
		}
	}
	if p.format == asText {
		s.Objects = nil
	}
	p.streams = append(p.streams, s)
}

func (p *scopePrinter) header() {
	if !p.begun {
		p.begun = true
		p.write(archive.FormatAffectedCSV())
	}
}

func (p *scopePrinter) write(text string) {
	if p.err == nil {
		_, p.err = p.stdout.Write([]byte(text))
	}
}

// print shows what was taken, as far as that was not printed on the way.
func (p *scopePrinter) print(r *archive.Report) error {
	switch {
	case p.names:
	case p.format == asCSV:
		p.header()
	case p.format == asJSON:
		return printJSON(p.stdout, p.json(r))
	default:
		p.write(p.text(p.of(r)))
	}
	return p.err
}

// of sums up what is affected by the key, and by those that it vouched for.
func (p *scopePrinter) of(r *archive.Report) (of []archive.CompromisedKey) {
	for _, k := range r.Compromised {
		if p.keys[k.KeyID] {
			of = append(of, k)
		}
	}
	return of
}

func (p *scopePrinter) json(r *archive.Report) *scopeJSON {
	out := &scopeJSON{Key: p.key.ID, Keys: p.of(r), Streams: []archive.Affected{}, Complete: incomplete(r) == nil}
	for _, s := range p.streams {
		out.Streams = append(out.Streams, s.Affected)
	}
	return out
}

func (p *scopePrinter) text(of []archive.CompromisedKey) string {
	var b strings.Builder
	for _, k := range of {
		b.WriteString(visible(scopeLine(k)) + "\n")
		for _, s := range p.streams {
			if s.KeyID == k.KeyID {
				b.WriteString(visible("  "+s.line()) + "\n")
			}
		}
	}
	return b.String()
}

// scopeLine sums up what a key affects.
func scopeLine(k archive.CompromisedKey) string {
	how := "compromised"
	if k.Supposed {
		how = "supposed to be compromised"
	}
	if k.Because != "" {
		how += fmt.Sprintf(" (as key %s is, which vouched for it)", k.Because)
	}
	said := fmt.Sprintf("Key %s, %s since %s: ", k.KeyID, how, k.Since)
	if k.Objects == 0 {
		return said + "nothing that it signed is affected."
	}
	said += fmt.Sprintf("%s and %s in %s", count(k.Objects, "object"), count(k.Entries, "entry"), count(k.Streams, "stream"))
	if !k.FirstEntry.IsZero() {
		said += fmt.Sprintf(", entries of %s to %s", stamp(k.FirstEntry.Time), stamp(k.LastEntry.Time))
	}
	if !k.FirstDate.IsZero() {
		said += fmt.Sprintf(", archived %s to %s", stamp(k.FirstDate.Time), stamp(k.LastDate.Time))
	}
	if k.Countersigned > 0 {
		said += fmt.Sprintf("; %s of the objects countersigned", number(k.Countersigned))
	}
	return said + "."
}

func (s affectedStream) line() string {
	said := fmt.Sprintf("%s: %s, %s", s.Stream, count(s.objects, "object"), count(s.Entries, "entry"))
	if s.Entries > 0 {
		said += fmt.Sprintf(" of %s to %s", stamp(s.First.Time), stamp(s.Last.Time))
	}
	switch {
	case s.Affected.Countersigned:
		said += ", all countersigned"
	case s.countersigned > 0:
		said += fmt.Sprintf(", %s objects countersigned", number(s.countersigned))
	}
	return said
}

// incomplete says so if not everything could be judged: more may be affected then.
func incomplete(r *archive.Report) error {
	for _, f := range r.Findings {
		switch f.Verdict {
		case archive.Tampered, archive.Missing, archive.Unverifiable, archive.NotChecked:
			if f.Code != archive.CodeKeyCompromised && f.Code != archive.CodeEmpty {
				return exit(exitUnknown, withHint(fmt.Errorf("not everything could be judged, so more may be affected: %s", f), "`wormlog verify` says what else is wrong"))
			}
		}
	}
	return nil
}
