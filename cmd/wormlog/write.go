package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
)

// writeOptions are write's own flags.
type writeOptions struct {
	kind, idField, receipts string
	meta, source            map[string]string
	strict, noFile          bool
}

func (a *app) writeCommand() *cobra.Command {
	var o writeOptions
	c := &cobra.Command{
		Use:   "write [FILE…|-]",
		Short: "Archive lines: each line of the files, or of standard input, is an entry",
		Long: "Archive lines. Each line is an entry, kept byte for byte but for whitespace outside of JSON strings. The command\n" +
			"ends when every entry is in a locked object that a committed manifest names; only then entries count as archived.\n\n" +
			"  empty lines                     are skipped and counted; the last line needs no newline\n" +
			"  what is not acceptable JSON     (malformed, not UTF-8, a member twice, half a surrogate pair, over 512 deep) is kept\n" +
			"                                  as base64, byte for byte, and counted by reason; --strict refuses all input instead\n" +
			"  lines over 16 MiB               are refused with their number; what is before and behind them is archived\n\n" +
			"The first interrupt ends reading; what was read is archived and reported. The second ends the process. Exit status: 0\n" +
			"all archived, 1 not all, 2 not started.",
		Example: "  wormlog write app.ndjson\n" +
			"  kubectl logs -f deploy/api | wormlog write --type api.audit --meta cluster=eu1\n" +
			"  wormlog write --id-field eventID --receipts receipts.ndjson cloudtrail.ndjson",
	}
	config.AddFlags(c.Flags(), config.GroupBucket, config.GroupWriter, config.GroupWrite)
	f := c.Flags()
	f.StringVar(&o.kind, "type", "", "what kind of entries these are (default \"entry\")")
	f.StringVar(&o.idField, "id-field", "", "take each entry's id from this top-level member, so that a repeated write can be recognised; lines without a usable one get an id of their own and are counted")
	f.StringToStringVar(&o.meta, "meta", nil, "name=value to go with every entry")
	f.StringToStringVar(&o.source, "source", nil, "name=value that says where the entries come from; file=NAME is added for files")
	f.BoolVar(&o.noFile, "no-file", false, "do not add the file's name to source")
	f.StringVar(&o.receipts, "receipts", "", "append signed receipts to this file, as entries are archived; verify takes them")
	f.BoolVar(&o.strict, "strict", false, "refuse everything if one line would have to be kept as base64")
	c.RunE = func(c *cobra.Command, args []string) error {
		list, err := inputs(args, terminal(a.stdin))
		if err != nil {
			return err
		}
		s, err := a.open(c)
		if err != nil {
			return err
		}
		return s.write(c.Context(), list, o)
	}
	return c
}

func (s *session) write(ctx context.Context, list []input, o writeOptions) error {
	if o.strict {
		if err := s.checkStrictly(list); err != nil {
			return err
		}
	}
	w, keep, err := s.openWriter(ctx)
	if err != nil {
		return err
	}
	receipts, err := openReceipts(o.receipts)
	if err != nil {
		return errors.Join(err, w.Close(ctx))
	}
	bar := newBar(s.stderr, terminal(s.stderr) && !s.json, totalSize(list), "", "archiving")
	result := &writeResult{KeptUntil: keep, fromStdin: slices.ContainsFunc(list, func(in input) bool { return in.stdin }), feed: &feed{
		app: s.app, writer: w, idField: o.idField, named: !o.noFile, progress: bar.add,
		acks:     followAcks(w, receipts, func(n uint64) { bar.say("%s archived", count(n, "entry")) }),
		template: archive.Record{Type: o.kind, Meta: o.meta, Source: o.source},
	}}
	result.run(ctx, list)
	result.closeErr = s.closeWriter(ctx, w)
	result.acks.wait()
	bar.end()
	return s.reportWrite(result, w.Stats())
}

// closing is how long the end of a run may take when it was interrupted.
const closing = 2 * time.Minute

// closeWriter ends the stream. An interrupt, before or meanwhile, leaves it time to finish: what was accepted is to be
// archived.
func (s *session) closeWriter(ctx context.Context, w *archive.Writer) error {
	patient, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer giveUp(nil)
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		fmt.Fprintln(s.stderr, "wormlog: interrupted; archiving what was read. Interrupt again to give that up")
		time.AfterFunc(closing, func() { giveUp(fmt.Errorf("interrupted, and not finished within %s", closing)) })
	})
	err := w.Close(patient)
	if !stop() {
		<-told
	}
	return err
}

// openWriter opens the writer and returns until when, at least, it keeps what it is given.
func (s *session) openWriter(ctx context.Context) (*archive.Writer, time.Time, error) {
	l, err := s.openLog(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	days, err := s.Retention.From(now)
	if err != nil {
		return nil, time.Time{}, err
	}
	provider, err := s.provider(ctx, l.Origin)
	if err != nil {
		return nil, time.Time{}, err
	}
	beat := s.Heartbeat.Every
	if s.Heartbeat.Set && beat == 0 {
		beat = -1
	}
	w, err := archive.OpenWriter(ctx, archive.WriterConfig{
		Store: s.store, Log: l, Key: archive.SigningKeys(l, s.store, provider), Writer: s.Writer,
		BatchEntries: s.BatchEntries, BatchBytes: s.BatchBytes, BatchAge: s.BatchAge, Compression: s.Compression,
		Heartbeat: beat, RetentionDays: days, GiveUpAfter: s.GiveUpAfter, Logger: s.logger, Software: software(),
	})
	if days == 0 {
		days = l.Retention.Days
	}
	return w, archive.Retain(now, days), unpublished(err)
}

// writeResult is what became of a run of write.
type writeResult struct {
	*feed
	KeptUntil time.Time
	fromStdin bool
	closeErr  error
}

type writeJSON struct {
	Archived   uint64            `json:"archived"`
	Entries    uint64            `json:"entries"`
	Complete   bool              `json:"complete"`
	Empty      uint64            `json:"empty_lines"`
	Base64     map[string]uint64 `json:"base64"`
	WithoutID  uint64            `json:"without_id"`
	Refused    uint64            `json:"refused"`
	Refusals   []refusal         `json:"refusals"`
	FirstLost  string            `json:"first_unacknowledged,omitempty"`
	Segments   uint64            `json:"segments"`
	Bytes      uint64            `json:"segment_bytes"`
	Streams    []string          `json:"streams"`
	KeptUntil  string            `json:"kept_until_at_least"`
	Durability string            `json:"durability"`
	Endpoint   string            `json:"endpoint"`
}

func (s *session) reportWrite(r *writeResult, stats archive.Stats) error {
	// A read of standard input that blocks goes on after an interrupt; it hands over nothing more.
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.acks.first
	if first == nil {
		first = r.unread
	}
	err := r.err(first)
	out := writeJSON{
		Archived: r.acks.archived, Entries: r.lines, Complete: err == nil, Empty: r.empty, Base64: stats.Base64, WithoutID: r.withoutID,
		Refused: r.refusals, Refusals: append([]refusal{}, r.refused...), Segments: stats.Segments, Bytes: stats.SegmentBytes,
		Streams: stats.Streams, KeptUntil: r.KeptUntil.Format(time.RFC3339), Durability: string(archive.Archived), Endpoint: s.bucket.Endpoint(),
	}
	if first != nil {
		out.FirstLost = first.String()
	}
	if s.json {
		if printErr := printJSON(s.stdout, out); printErr != nil {
			return exit(exitNo, printErr)
		}
	} else {
		fmt.Fprint(s.stdout, out.sentences()+s.endpointLine())
	}
	if err == nil {
		return nil
	}
	return exit(exitNo, err)
}

// err is nil if everything that could be read is archived.
func (r *writeResult) err(first *position) error {
	switch {
	case r.unread != nil && r.failure != nil && !errors.Is(r.failure, context.Canceled), r.acks.failure != nil:
		why := r.acks.failure
		if why == nil {
			why = r.failure
		}
		said := fmt.Errorf("%s of %s were archived; the first unacknowledged is %s: %w", number(r.acks.archived), count(r.lines, "entry"), first, why)
		if r.acks.uncertain {
			return withHint(said, "some of the others may be in the archive all the same: write them again from there, with --id-field so that repetitions can be told")
		}
		return withHint(said, r.again())
	case r.stopped || r.unread != nil:
		return withHint(fmt.Errorf("interrupted: what was read is archived, %s; %s", count(r.acks.archived, "entry"), r.next()), r.again())
	case r.closeErr != nil:
		return withHint(fmt.Errorf("all %s are archived, but the stream could not be closed: %w", count(r.acks.archived, "entry"), r.closeErr),
			"verify will say that the stream is silent; the entries are safe")
	case r.acks.lost != nil:
		return fmt.Errorf("all %s are archived, but %w", count(r.acks.archived, "entry"), r.acks.lost)
	case r.refusals > 0:
		others := "all others are archived"
		if r.acks.archived == 0 {
			others = "nothing was archived"
		}
		hint := "split such lines, or archive them elsewhere and record their hash"
		if archive.IsAct(r.template.Type) {
			hint = "types that begin with wormlog. are for control streams; choose another --type"
		}
		return withHint(fmt.Errorf("%s could not be archived; the first is %s: %s; %s", count(r.refusals, "line"), r.refused[0].At, r.refused[0].Reason, others), hint)
	}
	return nil
}

func (r *writeResult) next() string {
	if r.unread == nil {
		return "standard input was not read to its end"
	}
	return "the first that was not is " + r.unread.String()
}

// again says how to go on. Standard input is gone: whoever fed it has to feed the rest again.
func (r *writeResult) again() string {
	if !r.fromStdin {
		return "write again from there"
	}
	from := "all of it"
	if r.acks.last != nil {
		from = "what came after " + r.acks.last.String() + ", the last acknowledged line"
	}
	return "standard input cannot be read again: hand over again " + from + "; --id-field lets repetitions be told, --receipts keeps what was acknowledged"
}

func (o *writeJSON) sentences() string {
	var b strings.Builder
	if o.Archived == 0 {
		b.WriteString("0 entries archived and acknowledged.\n")
	} else {
		fmt.Fprintf(&b, "%s archived and acknowledged in stream %s: %s, %s.\n", count(o.Archived, "entry"), strings.Join(o.Streams, ", "),
			count(o.Segments, "segment"), size(o.Bytes))
		fmt.Fprintf(&b, "They cannot be changed or deleted before %s.\n", strings.TrimSuffix(o.KeptUntil, "T00:00:00Z"))
	}
	if o.Empty > 0 {
		fmt.Fprintf(&b, "%s skipped.\n", count(o.Empty, "empty line"))
	}
	for _, reason := range slices.Sorted(maps.Keys(o.Base64)) {
		fmt.Fprintf(&b, "%s kept as base64: %s.\n", count(o.Base64[reason], "entry"), reason)
	}
	if o.WithoutID > 0 {
		fmt.Fprintf(&b, "%s without a usable id got one of their own.\n", count(o.WithoutID, "entry"))
	}
	for _, r := range o.Refusals {
		fmt.Fprintln(&b, visible(fmt.Sprintf("refused: %s: %s", r.At, r.Reason)))
	}
	if more := o.Refused - uint64(len(o.Refusals)); more > 0 {
		fmt.Fprintf(&b, "refused: %s more\n", count(more, "line"))
	}
	return b.String()
}
