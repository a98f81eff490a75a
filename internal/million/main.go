//go:build unix

// Million writes a million audit log entries through wormlog-dev and verifies them, and prints what it took: time, rate,
// and the most memory that each wormlog process had resident. It is make million; docs/performance.md keeps its figures.
//
//	go run ./internal/million -bin .bin [-entries 1000000]
package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/wormlog/wormlog/internal/devprocess"
)

func main() {
	bin := flag.String("bin", ".bin", "`folder` with wormlog and wormlog-dev")
	entries := flag.Int("entries", 1_000_000, "how many entries")
	source := flag.String("log", "testdata/logs/invictus-cloudtrail/cloudtrail.ndjson", "real entries to repeat, each time with another eventID")
	flag.Parse()
	if err := run(*bin, *source, *entries); err != nil {
		fmt.Fprintln(os.Stderr, "million:", err)
		os.Exit(1)
	}
}

func run(bin, source string, entries int) (err error) {
	bin, err = filepath.Abs(bin)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "million")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	env, stop, err := devprocess.Start(bin, filepath.Join(dir, "dev"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	r := runner{bin: filepath.Join(bin, "wormlog"), dir: dir, env: env, entries: entries}
	if err := r.step("init", nil); err != nil {
		return err
	}
	if err := r.step("write", generate(bytes.Split(bytes.TrimSpace(b), []byte("\n")), entries), "-"); err != nil {
		return err
	}
	return r.step("verify", nil)
}

var eventID = regexp.MustCompile(`"eventID":"[0-9a-f-]{36}"`)

// generate repeats the lines with fresh event IDs: a plain repetition would compress unrealistically well.
func generate(lines [][]byte, n int) io.Reader {
	r, w := io.Pipe()
	go func() {
		out := bufio.NewWriterSize(w, 1<<20)
		for i := range n {
			line := lines[i%len(lines)]
			if at := eventID.FindIndex(line); at != nil {
				out.Write(line[:at[0]])
				fmt.Fprintf(out, `"eventID":"%s"`, newID())
				line = line[at[1]:]
			}
			out.Write(line)
			if out.WriteByte('\n') != nil {
				break
			}
		}
		w.CloseWithError(out.Flush())
	}()
	return r
}

func newID() string {
	var id [16]byte
	rand.Read(id[:])
	h := hex.EncodeToString(id[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

type runner struct {
	bin, dir string
	env      []string
	entries  int
}

// step runs one wormlog command and prints what it took.
func (r runner) step(command string, stdin io.Reader, args ...string) error {
	c := exec.Command(r.bin, append([]string{command}, args...)...)
	c.Dir, c.Env, c.Stdin, c.Stderr = r.dir, r.env, stdin, os.Stderr
	out := &bytes.Buffer{}
	c.Stdout = out
	start := time.Now()
	if err := c.Run(); err != nil {
		return fmt.Errorf("wormlog %s: %w\n%s", command, err, out)
	}
	took := time.Since(start)
	last := strings.TrimSpace(out.String())
	if i := strings.LastIndexByte(last, '\n'); i >= 0 {
		last = last[i+1:]
	}
	fmt.Printf("%-8s %7.1f s wall  %7.1f s CPU", command, took.Seconds(), (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds())
	if command != "init" {
		fmt.Printf("  %9.0f entries/s", float64(r.entries)/took.Seconds())
	}
	if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		fmt.Printf("  %6.1f MiB resident at most", float64(u.Maxrss)/1024) // KiB on Linux
	}
	fmt.Printf("\n         %s\n", last)
	return nil
}
