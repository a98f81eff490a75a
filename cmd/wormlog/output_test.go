package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/archive"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		"segments/date=2026-11-22/ö…":  "segments/date=2026-11-22/ö…",
		"a\x1b[2Jb":                    `a\x1b[2Jb`,
		"line\r\nline\ttab":            `line\r\nline\ttab`,
		"\x00\x7f":                     `\x00\x7f`,
		"CSI \u009b, not UTF-8 \x9b":   `CSI \u009b, not UTF-8 \x9b`,
		"turned \u202e, hidden \u200b": `turned \u202e, hidden \u200b`,
		"line\u2028line":               `line\u2028line`,
		"it's \"quoted\" \\x1b":        `it's "quoted" \x1b`,
		"\ufffd":                       "\ufffd",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) is %q, want %q", in, got, want)
		}
	}
}

// On a terminal entries are escaped; elsewhere they go byte for byte.
func TestCatEscapesOnATerminal(t *testing.T) {
	type entry struct {
		data, line []byte
		binary     bool
	}
	data := "{\"a\":\"\u009b2J\u202e\"}"
	for name, c := range map[string]struct {
		entry entry
		o     catOptions
		want  string
	}{
		"file":           {entry{data: []byte(data)}, catOptions{}, data},
		"terminal":       {entry{data: []byte(data)}, catOptions{escape: true}, `{"a":"\u009b2J\u202e"}`},
		"raw":            {entry{data: []byte("G1tjCg=="), binary: true}, catOptions{raw: true}, "\x1b[c\n"},
		"raw, terminal":  {entry{data: []byte("G1tjCg=="), binary: true}, catOptions{raw: true, escape: true}, `\x1b[c\n`},
		"base64":         {entry{data: []byte("G1tjCg=="), binary: true}, catOptions{}, `"G1tjCg=="`},
		"line, terminal": {entry{line: []byte("\x7f")}, catOptions{lines: true, escape: true}, `\x7f`},
	} {
		var got bytes.Buffer
		out := bufio.NewWriter(&got)
		e := archive.ReadEntry{Bytes: c.entry.line}
		e.Data, e.Binary = c.entry.data, c.entry.binary
		if err := (&session{app: &app{}}).printEntry(out, &e, c.o); err != nil {
			t.Fatal(err)
		}
		_ = out.Flush()
		if got.String() != c.want+"\n" {
			t.Errorf("%s: %q, want %q", name, got.String(), c.want)
		}
	}
}

// A terminal shows something before anything was looked at, and nothing is left of it at the end.
func TestProgressShowsAtOnce(t *testing.T) {
	for _, unit := range []string{"", "objects"} {
		var screen bytes.Buffer
		w := &lockedWriter{w: &screen}
		b := newBar(w, true, -1, unit, "verifying")
		w.mu.Lock()
		first := screen.String()
		w.mu.Unlock()
		if !strings.Contains(first, "verifying") {
			t.Errorf("unit %q: it begins with %q", unit, first)
		}
		b.add(3)
		b.end()
		newBar(w, false, -1, unit, "hidden").say("hidden")
		w.mu.Lock()
		if strings.Contains(screen.String(), "hidden") {
			t.Error("a bar that is not to be shown was shown")
		}
		w.mu.Unlock()
	}
}

func TestDefaultCap(t *testing.T) {
	for days, want := range map[uint64]uint64{1: 181, 30: 210, 180: 360, 365: 730, 2557: 5114, 20000: 36500, 36500: 36500} {
		if got := defaultCap(days); got != want {
			t.Errorf("the cap for %d days is %d, want %d", days, got, want)
		}
		if due := anchorDue(days, defaultCap(days)); due < 180 {
			t.Errorf("%d days: an extension is due on day %d", days, due)
		}
	}
	for _, c := range []struct{ days, most, want uint64 }{{30, 30, 0}, {30, 31, 1}, {2557, 2557, 2192}, {365, 730, 365}, {300, 400, 100}} {
		if got := anchorDue(c.days, c.most); got != c.want {
			t.Errorf("anchorDue(%d, %d) is %d, want %d", c.days, c.most, got, c.want)
		}
	}
}
