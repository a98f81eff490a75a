package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
)

// catOptions are cat's own flags.
type catOptions struct {
	from, to, index       string
	streams               []string
	lines, raw, unchecked bool
	escape                bool // somebody looks at what is printed
}

func (a *app) catCommand() *cobra.Command {
	var o catOptions
	c := &cobra.Command{
		Use:   "cat",
		Short: "Print entries, checked while they are read",
		Long: "Print entries in the order in which they were archived, stream by stream. By default each line is the data as it was\n" +
			"handed over, byte for byte but for whitespace outside of JSON strings; data that is no JSON is printed as a JSON string\n" +
			"of its base64, or decoded by --raw. --lines prints whole entry lines as they are archived: each can be checked by\n" +
			"itself with verify --entry.\n\n" +
			"Hashes, chain and signatures are checked on the way. Of a segment that fails nothing is printed unless --unverified asks\n" +
			"for it; what is wrong goes to standard error, and the exit status is 1. Whether something is missing at the end, or is\n" +
			"not locked, is what `wormlog verify` says. Nothing to print is exit status 1 too.\n\n" +
			"On a terminal what is not printable is shown escaped, as \\x1b, and each entry on one line: entries may hold anything,\n" +
			"and are not to command the terminal. Into a file or a pipe they go byte for byte.",
		Example: "  wormlog cat --from 2026-11-22T17:00:00Z --to 2026-11-22T18:00:00Z\n" +
			"  wormlog cat --stream main.01M82FEW6C6GDTB0PHVJTHDPSA --index 17 --lines\n" +
			"  wormlog cat --stream 'payments.*' | jq .eventName",
		Args: cobra.NoArgs,
	}
	config.AddFlags(c.Flags(), config.GroupBucket, config.GroupCopies)
	addRangeFlags(c, &o.from, &o.to, &o.streams)
	f := c.Flags()
	f.StringVar(&o.index, "index", "", "only the entry with this index in the stream, or 10-20")
	f.BoolVar(&o.lines, "lines", false, "whole entry lines, as archived")
	f.BoolVar(&o.raw, "raw", false, "decode data that was kept as base64: what is printed may be anything")
	f.BoolVar(&o.unchecked, "unverified", false, "print what fails a check too")
	c.MarkFlagsMutuallyExclusive("lines", "raw")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := a.open(c)
		if err != nil {
			return err
		}
		o.escape = terminal(s.stdout)
		return s.cat(c.Context(), o)
	}
	return c
}

func (s *session) cat(ctx context.Context, o catOptions) error {
	c := archive.ReaderConfig{Streams: o.streams, Unverified: o.unchecked}
	var err error
	if c.From, c.To, err = parseRange(o.from, o.to); err != nil {
		return err
	}
	if c.FirstIndex, c.EndIndex, err = parseIndex(o.index); err != nil {
		return err
	}
	if o.index != "" && (len(o.streams) != 1 || strings.HasSuffix(o.streams[0], "*")) {
		return withHint(errors.New("an index counts within one stream"), "name the stream by --stream; `wormlog list --streams` shows them")
	}
	c.Copies = s.copies(ctx, s.originOfLog(ctx))
	r, err := s.openReader(ctx, c)
	if err != nil {
		return err
	}
	return s.printEntries(ctx, r, o)
}

// parseIndex parses N or A-B, both included.
func parseIndex(v string) (first, end uint64, err error) {
	if v == "" {
		return 0, 0, nil
	}
	a, b, isRange := strings.Cut(v, "-")
	if !isRange {
		b = a
	}
	first, err = strconv.ParseUint(a, 10, 53)
	last, err2 := strconv.ParseUint(b, 10, 53)
	if err != nil || err2 != nil || last < first {
		return 0, 0, fmt.Errorf("--index %q is not an index such as 17, or a range such as 10-20", v)
	}
	return first, last + 1, nil
}

func (s *session) printEntries(ctx context.Context, r *archive.Reader, o catOptions) error {
	out := bufio.NewWriterSize(s.stdout, 1<<20)
	var printed, findings uint64
	for l, err := range r.Entries(ctx) {
		var f *archive.FindingError
		if errors.As(err, &f) {
			findings++
			s.complain(err)
			continue
		}
		if err == nil {
			err = s.printEntry(out, &l, o)
		}
		if err != nil {
			return exit(exitNo, errors.Join(err, out.Flush()))
		}
		printed++
	}
	if err := out.Flush(); err != nil {
		return exit(exitNo, err)
	}
	if h := r.HMAC(); h == archive.HMACUnchecked || h == archive.HMACPartly {
		fmt.Fprintf(s.stderr, "wormlog: HMACs were %s for want of verification copies; hashes and the manifests' signatures were checked\n", h)
	}
	if findings == 0 && printed == 0 {
		return exit(exitNo, withHint(errors.New("nothing is archived in this range"), "`wormlog list --streams` shows what there is"))
	}
	if findings == 0 {
		return nil
	}
	what := "what fails was not printed"
	if o.unchecked {
		what = "what fails was printed too, as --unverified asked"
	}
	return exit(exitNo, withHint(fmt.Errorf("%s; %s printed, and %s", count(findings, "finding"), count(printed, "entry"), what), "`wormlog verify` gives the verdict"))
}

func (s *session) printEntry(out *bufio.Writer, l *archive.ReadEntry, o catOptions) (err error) {
	b := l.Data
	switch {
	case s.json || o.lines:
		b = l.Bytes
	case l.Binary && o.raw:
		b, err = base64.StdEncoding.DecodeString(string(l.Data))
	case l.Binary:
		b = strconv.AppendQuote(nil, string(l.Data))
	}
	if err != nil {
		return err
	}
	if o.escape {
		_, err = out.WriteString(visible(string(b)))
	} else {
		_, err = out.Write(b)
	}
	return errors.Join(err, out.WriteByte('\n'))
}
