package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wormlog/wormlog/archive"
)

// feed reads lines and hands them to a writer.
type feed struct {
	*app
	writer   *archive.Writer
	acks     *acks
	template archive.Record // type, meta, source
	named    bool           // files are named in source
	idField  string
	progress func(bytes uint64)

	mu      sync.Mutex // held while an entry is handed over
	stopped bool

	lines     uint64 // that are entries or would have been
	empty     uint64
	withoutID uint64
	refused   []refusal
	refusals  uint64
	unread    *position // where reading stopped; nil if everything was read
	failure   error     // why
}

// refusal is a line that was not archived because it cannot be.
type refusal struct {
	At     string `json:"at"`
	Reason string `json:"reason"`
}

const maxRefusals = 100 // that are told one by one

// run feeds all inputs, until they end, ctx ends or the writer fails. It returns at once when ctx ends, even while a read
// of standard input blocks.
func (f *feed) run(ctx context.Context, list []input) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, in := range list {
			if !f.feedInput(ctx, in) {
				return
			}
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		f.stopped = true
	}
}

// feedInput says whether to go on with the next input.
func (f *feed) feedInput(ctx context.Context, in input) bool {
	r, err := f.openInput(in)
	if err != nil {
		return f.stop(position{in.name, 1}, err)
	}
	defer r.Close()
	record := f.template
	if f.named && !in.stdin {
		record.Source = withFile(record.Source, in.name)
	}
	lines := newLineReader(r, archive.MaxPayloadBytes)
	for before := uint64(0); ; before = lines.read {
		line, err := lines.next()
		at := position{in.name, lines.n}
		switch {
		case err == io.EOF:
			return true
		case errors.Is(err, errLineTooLong):
			if !f.refuse(at, fmt.Errorf("the line has over %d bytes", archive.MaxPayloadBytes)) {
				return false
			}
			continue
		case err != nil:
			at.line++
			return f.stop(at, err)
		}
		f.progress(lines.read - before)
		if !f.feedLine(ctx, record, line, at) {
			return false
		}
	}
}

func (f *feed) feedLine(ctx context.Context, record archive.Record, line []byte, at position) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped || ctx.Err() != nil {
		f.unread = &at
		f.failure = context.Cause(ctx)
		return false
	}
	if blank(line) {
		f.empty++
		return true
	}
	f.lines++
	record.Data = line
	if f.idField != "" {
		if record.ID = topLevelID(line, f.idField); record.ID == "" {
			f.withoutID++
		}
	}
	p, err := f.writer.Append(ctx, record)
	if errors.Is(err, archive.ErrRecord) {
		f.lines--
		f.keepRefusal(at, err)
		return true
	}
	if err != nil {
		f.unread, f.failure = &at, err
		return false
	}
	f.acks.add(p, at)
	return true
}

func (f *feed) stop(at position, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unread, f.failure = &at, err
	return false
}

func (f *feed) refuse(at position, reason error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return false
	}
	f.keepRefusal(at, reason)
	return true
}

func (f *feed) keepRefusal(at position, reason error) {
	f.refusals++
	if len(f.refused) < maxRefusals {
		f.refused = append(f.refused, refusal{at.String(), reason.Error()})
	}
}

// withFile adds the file's name, which has to be text of bounded length, unless --source gave one.
func withFile(source map[string]string, name string) map[string]string {
	if _, given := source["file"]; given {
		return source
	}
	with := map[string]string{}
	for k, v := range source {
		with[k] = v
	}
	name = strings.ToValidUTF8(name, "\uFFFD")
	if len(name) > archive.MaxValueBytes {
		name = strings.ToValidUTF8(name[len(name)-archive.MaxValueBytes:], "")
	}
	with["file"] = name
	return with
}

// topLevelID returns the value of a member of the line's object if it can be an entry's id: a string or a number of 1 to
// 128 bytes of printable ASCII without " and \. The line itself is only looked at.
func topLevelID(line []byte, name string) string {
	d := jsontext.NewDecoder(strings.NewReader(string(line)), jsontext.AllowDuplicateNames(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return ""
	}
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return ""
		}
		if t.String() != name {
			if d.SkipValue() != nil {
				return ""
			}
			continue
		}
		if kind := d.PeekKind(); kind != '"' && kind != '0' {
			return ""
		}
		v, err := d.ReadToken()
		if err != nil || !validID(v.String()) {
			return ""
		}
		return v.String()
	}
	return ""
}

func validID(s string) bool {
	if len(s) == 0 || len(s) > archive.MaxTextBytes {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}
