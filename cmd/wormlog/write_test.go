package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// readLines reads everything; a refused line is "!".
func readLines(r io.Reader, limit int) (got []string, numbers []uint64, err error) {
	l := newLineReader(r, limit)
	for {
		line, err := l.next()
		switch {
		case err == io.EOF:
			return got, numbers, nil
		case errors.Is(err, errLineTooLong):
			line = []byte("!")
		case err != nil:
			return got, numbers, err
		}
		got = append(got, string(line))
		numbers = append(numbers, l.n)
	}
}

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", 3<<20) // over the reader's buffer
	for name, test := range map[string]struct {
		in    string
		limit int
		want  []string
	}{
		"empty":                   {"", 10, nil},
		"one, without newline":    {"a", 10, []string{"a"}},
		"one, with newline":       {"a\n", 10, []string{"a"}},
		"empty lines":             {"\n\na\n\n", 10, []string{"", "", "a", ""}},
		"carriage returns stay":   {"a\r\nb\r", 10, []string{"a\r", "b\r"}},
		"at the limit":            {"12345\n12345", 5, []string{"12345", "12345"}},
		"over the limit":          {"a\n123456\nb\n", 5, []string{"a", "!", "b"}},
		"over the limit, last":    {"a\n123456", 5, []string{"a", "!"}},
		"long":                    {long + "\nb", 4 << 20, []string{long, "b"}},
		"long, over the limit":    {"a\n" + long + "\n" + long + "\nb", 2 << 20, []string{"a", "!", "!", "b"}},
		"zero bytes and no UTF-8": {"\x00\xff\n", 10, []string{"\x00\xff"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, numbers, err := readLines(strings.NewReader(test.in), test.limit)
			if err != nil || fmt.Sprint(len(got)) != fmt.Sprint(len(test.want)) {
				t.Fatalf("%d lines, %v; want %d", len(got), err, len(test.want))
			}
			for i := range got {
				if got[i] != test.want[i] || numbers[i] != uint64(i+1) {
					t.Errorf("line %d is number %d: %.20q, want %.20q", i+1, numbers[i], got[i], test.want[i])
				}
			}
		})
	}
}

func FuzzLineReader(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), 2)
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		limit = max(1, limit%64)
		var want []string
		if len(in) > 0 {
			for _, line := range bytes.Split(bytes.TrimSuffix(in, []byte{'\n'}), []byte{'\n'}) {
				if len(line) > limit {
					line = []byte("!")
				}
				want = append(want, string(line))
			}
		}
		got, _, err := readLines(bytes.NewReader(in), limit)
		if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("%q, limit %d: %q, %v; want %q", in, limit, got, err, want)
		}
	})
}

func TestTopLevelID(t *testing.T) {
	for line, want := range map[string]string{
		`{"id":"a"}`:                       "a",
		`{"x":{"id":"no"},"id":"b"}`:       "b",
		`{"x":["id"],"id":12}`:             "12",
		`{"id":1e400}`:                     "1e400",
		`{"id":null}`:                      "",
		`{"id":true}`:                      "",
		`{"id":{}}`:                        "",
		`{"id":""}`:                        "",
		`{"id":"é"}`:                       "",
		`{"id":"a\"b"}`:                    "",
		`{"i\u0064":"escaped"}`:            "escaped",
		`{"id":"first","id":"second"}`:     "first",
		`["id","a"]`:                       "",
		`{"x":1}`:                          "",
		`{"x":`:                            "",
		`not json`:                         "",
		``:                                 "",
		`{"id":"` + long(128, "i") + `"}`:  long(128, "i"),
		`{"id":"` + long(129, "i") + `"}`:  "",
		`  {"id" : "spaces"} `:             "spaces",
		`{"id":"\u0061bc"}`:                "abc",
		`{"id":"back\\slash"}`:             "",
		`{"id":"tab\t"}`:                   "",
		`{"other":"` + long(9, "y") + `"}`: "",
	} {
		if got := topLevelID([]byte(line), "id"); got != want {
			t.Errorf("topLevelID(%.40q) = %q, want %q", line, got, want)
		}
	}
}

func long(n int, s string) string { return strings.Repeat(s, n) }

// An interrupt ends reading; what was read is archived and reported, and the exit status says that it was not all.
func TestInterruptArchivesWhatWasRead(t *testing.T) {
	server(t)
	t.Chdir(t.TempDir())
	if status, _, stderr := command(t.Context(), "init"); status != 0 {
		t.Fatal(stderr)
	}
	in, feed := io.Pipe()
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		fmt.Fprint(feed, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n")
		interrupt() // the reader took all three lines: a pipe has no room of its own
	}()
	var stdout, stderr bytes.Buffer
	status := run(ctx, []string{"write"}, in, &stdout, &stderr)
	defer feed.Close()
	if status != exitNo || !strings.Contains(stderr.String(), "interrupted: what was read is archived") ||
		!strings.Contains(stderr.String(), "hint: standard input cannot be read again: hand over again ") {
		t.Errorf("status %d\n%s%s", status, stdout.String(), stderr.String())
	}
	archived := allEntries(t)
	if said := count(len(archived), "entry") + " archived and acknowledged"; len(archived) > 3 || !strings.Contains(stdout.String(), said) {
		t.Errorf("%d entries in the archive, and it says %s", len(archived), stdout.String())
	}
	if status, stdout, _ := command(t.Context(), "verify"); len(archived) > 0 && status != 0 {
		t.Errorf("verify: status %d\n%s", status, stdout)
	}
}

func TestSpreadsheetSafe(t *testing.T) {
	for field, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "-": "-", "": "", "main.01": "main.01", "2033-11-23": "2033-11-23",
	} {
		if got := spreadsheetSafe(field); got != want {
			t.Errorf("spreadsheetSafe(%q) = %q, want %q", field, got, want)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		err        error
		said, hint string
	}{
		{errors.New("one thing"), "one thing", ""},
		{errors.New("it failed; do this"), "it failed", "do this"},
		{withHint(errors.New("a; b"), "c"), "a; b", "c"},
		{fmt.Errorf("around: %w", withHint(errors.New("a"), "c")), "around: a", "c"},
		{errors.Join(errors.New("a"), errors.New("b")), "a", "b"},
	} {
		if said, hint := explain(test.err); said != test.said || hint != test.hint {
			t.Errorf("explain(%v) = %q, %q; want %q, %q", test.err, said, hint, test.said, test.hint)
		}
	}
}
