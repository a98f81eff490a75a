package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/archive/devserver"
)

// TestChecklistIsDocumented compares what security-check prints with the checklist of docs/security.md, line by line.
func TestChecklistIsDocumented(t *testing.T) {
	t.Chdir(t.TempDir())
	wormlogOn(t, "init")
	var report struct {
		Lines []struct{ Setting, Proof string }
	}
	if err := json.Unmarshal([]byte(wormlogOn(t, "security-check", "--json")), &report); err != nil {
		t.Fatal(err)
	}
	var printed [][2]string
	for _, l := range report.Lines {
		// The name of a secret is S in the table.
		printed = append(printed, [2]string{l.Setting, regexp.MustCompile(`(--secret-id) \S+`).ReplaceAllString(l.Proof, "$1 S")})
	}
	if documented := documentedChecks(t); !slices.Equal(printed, documented) {
		t.Errorf("printed:    %q\ndocumented: %q", printed, documented)
	}
}

// documentedChecks returns name and proof of the lines in the table that are checked without --as.
func documentedChecks(t *testing.T) (lines [][2]string) {
	page, err := os.ReadFile(docs + "/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(page), "\n## 10. Checklist\n")
	for row := range strings.SplitSeq(list, "\n") {
		cells := strings.Split(row, " | ")
		if len(cells) != 3 || cells[0] == "| line" || strings.HasSuffix(cells[0], ": …") {
			continue
		}
		lines = append(lines, [2]string{strings.TrimPrefix(cells[0], "| "), strings.Trim(cells[2], "` |")})
	}
	return lines
}

var docs = func() string {
	wd, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return wd + "/../../docs"
}()

// wormlogOn runs the program on a development server, made by the first call of a test, and returns what it prints.
func wormlogOn(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	if os.Getenv("WORMLOG_BUCKET") == "" {
		s, err := devserver.New(devserver.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Start("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		if err := s.CreateBucket(testBucket, true); err != nil {
			t.Fatal(err)
		}
		for _, v := range s.Env(testBucket) {
			name, value, _ := strings.Cut(v, "=")
			t.Setenv(name, value)
		}
	}
	var out, errs bytes.Buffer
	if status := run(t.Context(), args, nil, &out, &errs); status == exitNotStarted {
		t.Fatalf("wormlog %q: %s", args, &errs)
	}
	return out.String()
}
