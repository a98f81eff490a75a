package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
)

// listOptions are list's own flags.
type listOptions struct {
	from, to                  string
	streams                   []string
	objects, perStream, inCSV bool
}

func (a *app) listCommand() *cobra.Command {
	var o listOptions
	c := &cobra.Command{
		Use:   "list",
		Short: "List what is retained until when",
		Long: "List what the archive holds and until when each object is locked: what its manifest promised, and what S3 says now.\n" +
			"One line a segment; with --streams one a stream; with --objects one for every object version and delete marker under\n" +
			"the prefix, as S3 lists them. Lines are printed as they are read. Manifests are checked while they are read; whether all\n" +
			"of it is in order is what `wormlog verify` says. Exit status 1: something was found that cannot be believed or is not\n" +
			"retained as promised.",
		Example: "  wormlog list --stream 'payments.*' --from 2026-11-01\n  wormlog list --csv > retained.csv\n  wormlog list --objects --json",
		Args:    cobra.NoArgs,
	}
	config.AddFlags(c.Flags(), config.GroupBucket)
	addRangeFlags(c, &o.from, &o.to, &o.streams)
	c.Flags().BoolVar(&o.objects, "objects", false, "every object version and delete marker")
	c.Flags().BoolVar(&o.perStream, "streams", false, "one line a stream")
	c.Flags().BoolVar(&o.inCSV, "csv", false, "print CSV (RFC 4180), for spreadsheets")
	c.MarkFlagsMutuallyExclusive("objects", "streams")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if o.inCSV && a.json {
			return errors.New("--csv and --json are two ways to print the same; choose one")
		}
		if o.objects && (o.from != "" || o.to != "" || len(o.streams) > 0) {
			return errors.New("--objects lists everything under the prefix; --from, --to and --stream are for segments")
		}
		s, err := a.open(c)
		if err != nil {
			return err
		}
		if o.objects {
			return s.listObjects(c.Context(), o)
		}
		return s.listSegments(c.Context(), o)
	}
	return c
}

// retained is a line of the list: a segment or a stream.
type retained struct {
	Key           string       `json:"key,omitempty"`
	VersionID     string       `json:"version_id,omitempty"`
	Stream        string       `json:"stream"`
	Segments      uint64       `json:"segments"`
	Entries       uint64       `json:"entries"`
	First         time.Time    `json:"first_entry"`
	Last          time.Time    `json:"last_entry"`
	Bytes         uint64       `json:"bytes"`
	Promised      time.Time    `json:"promised_until"`
	RetainedUntil time.Time    `json:"retained_until,omitzero"` // as S3 says; the earliest, for a stream
	Mode          archive.Mode `json:"mode"`
	Hold          string       `json:"legal_hold"` // on, off or unknown
	Findings      []string     `json:"findings"`
}

func newRetained(i archive.SegmentInfo) retained {
	m := i.Manifest
	r := retained{
		Key: m.Key, VersionID: m.VersionID, Stream: i.Stream, Segments: 1, Entries: m.Count, First: m.FirstTimestamp.Time,
		Last: m.LastTimestamp.Time, Bytes: m.Bytes, Promised: i.Promise, RetainedUntil: i.Object.Lock.RetainUntil,
		Mode: i.Object.Lock.Mode, Hold: holdOf(i.Object), Findings: []string{},
	}
	for _, f := range i.Findings {
		if f.Verdict != archive.Information {
			r.Findings = append(r.Findings, string(f.Code))
		}
	}
	return r
}

func holdOf(o archive.Object) string {
	switch {
	case o.HoldHidden || o.Key == "":
		return "unknown"
	case o.Lock.LegalHold:
		return "on"
	}
	return "off"
}

// join adds a segment of the same stream.
func (r *retained) join(o retained) {
	r.Segments++
	r.Entries += o.Entries
	r.Bytes += o.Bytes
	r.Last = o.Last
	if o.Promised.After(r.Promised) {
		r.Promised = o.Promised
	}
	if o.RetainedUntil.Before(r.RetainedUntil) {
		r.RetainedUntil = o.RetainedUntil
	}
	if o.Mode != r.Mode {
		r.Mode = "MIXED"
	}
	if o.Hold != r.Hold {
		r.Hold = "some"
	}
	r.Findings = append(r.Findings, o.Findings...)
}

var retainedColumns = []string{"retained_until", "mode", "legal_hold", "stream", "segments", "entries", "first_entry", "last_entry", "bytes", "promised_until", "key", "version_id", "findings"}

func (r *retained) fields() []string {
	return []string{stamp(r.RetainedUntil), string(r.Mode), r.Hold, r.Stream, strconv.FormatUint(r.Segments, 10), strconv.FormatUint(r.Entries, 10),
		stamp(r.First), stamp(r.Last), strconv.FormatUint(r.Bytes, 10), stamp(r.Promised), r.Key, r.VersionID, strings.Join(r.Findings, " ")}
}

// line is for people. Widths are fixed, because lines are printed as they are read.
func (r *retained) line(perStream bool) string {
	what := r.Key
	if perStream {
		what = fmt.Sprintf("%s (%s)", r.Stream, count(r.Segments, "segment"))
	}
	text := fmt.Sprintf("%-10s  %-10s  %-4s  %12s  %9s  %-20s  %-20s  %s", dayOf(r.RetainedUntil), r.Mode, r.Hold, number(r.Entries), size(r.Bytes),
		stamp(r.First), stamp(r.Last), what)
	if len(r.Findings) > 0 {
		text += "  !! " + strings.Join(r.Findings, " ")
	}
	return text
}

var retainedHeading = fmt.Sprintf("%-10s  %-10s  %-4s  %12s  %9s  %-20s  %-20s  %s", "UNTIL", "MODE", "HOLD", "ENTRIES", "SIZE", "FIRST ENTRY", "LAST ENTRY", "OBJECT")

func dayOf(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

func (s *session) listSegments(ctx context.Context, o listOptions) error {
	from, to, err := parseRange(o.from, o.to)
	if err != nil {
		return err
	}
	r, err := s.openReader(ctx, archive.ReaderConfig{From: from, To: to, Streams: o.streams})
	if err != nil {
		return err
	}
	out := newRows(s.stdout, s.format(o.inCSV), retainedHeading, retainedColumns)
	var sum, now *retained
	var wrong error
	flush := func() error {
		if now == nil {
			return nil
		}
		if len(now.Findings) > 0 && wrong == nil {
			wrong = fmt.Errorf("%s is not as it should be: %s", cmp.Or(now.Key, now.Stream), strings.Join(now.Findings, " "))
		}
		return out.print(now, now.fields(), now.line(o.perStream))
	}
	for info, err := range r.Segments(ctx) {
		var f *archive.FindingError
		if errors.As(err, &f) {
			if wrong == nil {
				wrong = err
			}
			s.complain(err)
			continue
		}
		if err != nil {
			return exit(exitNo, err)
		}
		one := newRetained(info)
		sum = total(sum, one)
		if o.perStream && now != nil && now.Stream == one.Stream {
			now.join(one)
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		if now = &one; o.perStream {
			now.Key, now.VersionID = "", ""
			continue
		}
		if err := flush(); err != nil { // at once: nothing more of it will come
			return err
		}
		now = nil
	}
	if err := errors.Join(flush(), out.end(summary(sum))); err != nil {
		return err
	}
	if wrong != nil {
		return exit(exitNo, withHint(wrong, "`wormlog verify` says what it means"))
	}
	return nil
}

func total(sum *retained, one retained) *retained {
	if sum == nil {
		return &one
	}
	sum.join(one)
	return sum
}

func summary(sum *retained) string {
	if sum == nil {
		return "Nothing is archived in this range."
	}
	return fmt.Sprintf("%s in %s, %s; the first lock ends %s.", count(sum.Entries, "entry"), count(sum.Segments, "segment"), size(sum.Bytes), dayOf(sum.RetainedUntil))
}

// openReader opens the log for reading.
func (s *session) openReader(ctx context.Context, c archive.ReaderConfig) (*archive.Reader, error) {
	if _, err := s.openLog(ctx); err != nil && !errors.Is(err, archive.ErrDeleteMarker) {
		return nil, err
	}
	c.Store, c.LogID = s.store, s.LogID
	return archive.OpenReader(ctx, c)
}

// objectRow is an object version or delete marker, as S3 lists it.
type objectRow struct {
	Key           string       `json:"key"`
	VersionID     string       `json:"version_id"`
	Latest        bool         `json:"latest"`
	DeleteMarker  bool         `json:"delete_marker"`
	Bytes         int64        `json:"bytes"`
	Written       time.Time    `json:"written"`
	RetainedUntil time.Time    `json:"retained_until,omitzero"`
	Mode          archive.Mode `json:"mode"` // UNKNOWN if it may not be read
	Hold          string       `json:"legal_hold"`
}

var objectColumns = []string{"retained_until", "mode", "legal_hold", "written", "bytes", "key", "version_id", "latest", "delete_marker"}

func (r *objectRow) fields() []string {
	return []string{stamp(r.RetainedUntil), string(r.Mode), r.Hold, stamp(r.Written), strconv.FormatInt(r.Bytes, 10), r.Key, r.VersionID,
		strconv.FormatBool(r.Latest), strconv.FormatBool(r.DeleteMarker)}
}

func (r *objectRow) line() string {
	text := fmt.Sprintf("%-10s  %-10s  %-7s  %-20s  %9s  %s  %s", dayOf(r.RetainedUntil), r.Mode, r.Hold, stamp(r.Written), size(r.Bytes), r.Key, r.VersionID)
	switch {
	case r.DeleteMarker:
		text += "  DELETE MARKER"
	case !r.Latest:
		text += "  not latest"
	}
	return text
}

var objectHeading = fmt.Sprintf("%-10s  %-10s  %-7s  %-20s  %9s  %s", "UNTIL", "MODE", "HOLD", "WRITTEN", "SIZE", "OBJECT AND VERSION")

func (s *session) listObjects(ctx context.Context, o listOptions) error {
	out := newRows(s.stdout, s.format(o.inCSV), objectHeading, objectColumns)
	var versions, markers, unlocked uint64
	for v, err := range s.store.Versions(ctx, "", "") {
		if err != nil {
			return exit(exitNo, err)
		}
		row, err := s.objectRow(ctx, v)
		if err != nil {
			return exit(exitNo, err)
		}
		versions++
		switch {
		case v.DeleteMarker:
			markers++
		case row.Mode == "":
			unlocked++
		}
		if err := out.print(row, row.fields(), row.line()); err != nil {
			return err
		}
	}
	return out.end(fmt.Sprintf("%s, of which %s and %d not locked.", count(versions, "object version"), count(markers, "delete marker"), unlocked))
}

func (s *session) objectRow(ctx context.Context, v archive.Version) (*objectRow, error) {
	row := &objectRow{Key: v.Key, VersionID: v.VersionID, Latest: v.IsLatest, DeleteMarker: v.DeleteMarker, Bytes: v.Size, Written: v.LastModified, Hold: "-"}
	if v.DeleteMarker {
		return row, nil
	}
	obj, err := s.store.Head(ctx, v.Key, v.VersionID)
	if err != nil {
		return nil, err
	}
	row.Mode, row.RetainedUntil, row.Hold = obj.Lock.Mode, obj.Lock.RetainUntil, holdOf(obj)
	if obj.RetentionHidden {
		row.Mode = "UNKNOWN"
	}
	return row, nil
}

// outputFormat says how rows are printed.
type outputFormat int

const (
	asText outputFormat = iota
	asJSON
	asCSV
)

func (a *app) format(inCSV bool) outputFormat {
	switch {
	case a.json:
		return asJSON
	case inCSV:
		return asCSV
	}
	return asText
}

// rows prints rows one by one: as text, as a JSON array or as CSV.
type rows struct {
	w       io.Writer
	format  outputFormat
	heading string
	columns []string
	csv     *csv.Writer
	n       int
}

func newRows(w io.Writer, format outputFormat, heading string, columns []string) *rows {
	return &rows{w: w, format: format, heading: heading, columns: columns, csv: csv.NewWriter(w)}
}

func (r *rows) print(v any, fields []string, line string) error {
	first := r.n == 0
	r.n++
	switch r.format {
	case asJSON:
		b, err := json.Marshal(v, anyText)
		if err != nil {
			return err
		}
		before := ",\n"
		if first {
			before = "[\n"
		}
		_, err = fmt.Fprintf(r.w, "%s%s", before, b)
		return err
	case asCSV:
		if first {
			r.header()
		}
		for i, f := range fields {
			fields[i] = spreadsheetSafe(visible(f))
		}
		r.csv.UseCRLF = true
		_ = r.csv.Write(fields) // its error is told by Error, behind Flush
		r.csv.Flush()
		return r.csv.Error()
	}
	if first {
		fmt.Fprintln(r.w, r.heading)
	}
	_, err := fmt.Fprintln(r.w, visible(line))
	return err
}

func (r *rows) header() {
	r.csv.UseCRLF = true
	_ = r.csv.Write(r.columns)
}

// end closes the array, or adds the summary to text.
func (r *rows) end(summary string) (err error) {
	switch {
	case r.format == asJSON && r.n == 0:
		_, err = fmt.Fprintln(r.w, "[]")
	case r.format == asJSON:
		_, err = fmt.Fprintln(r.w, "\n]")
	case r.format == asCSV && r.n == 0:
		r.header()
		r.csv.Flush()
		err = r.csv.Error()
	case r.format == asText:
		_, err = fmt.Fprintln(r.w, summary)
	}
	return err
}

// spreadsheetSafe keeps a spreadsheet from taking a field for a formula: names of foreign objects are anybody's.
func spreadsheetSafe(field string) string {
	if field != "-" && strings.ContainsAny(field[:min(1, len(field))], "=+-@\t\r") {
		return "'" + field
	}
	return field
}
