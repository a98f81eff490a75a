package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
)

const (
	bucket = "acme-audit"
	origin = "acme.example/cloudtrail"
)

// stage is where the story is told: a folder, a development server, and the wormlog command.
type stage struct {
	out     io.Writer
	dir     string
	command string
	heads   string // file of heads, kept outside the bucket
	logID   string

	server *devserver.Server
	env    []string
	n      int // of the title
}

func newStage(ctx context.Context, out io.Writer, command string) (*stage, error) {
	dir, err := os.MkdirTemp("", "wormlog-demo-")
	if err != nil {
		return nil, err
	}
	s := &stage{out: out, dir: dir, command: command, heads: filepath.Join(dir, "heads.json")}
	if command != "" {
		s.command, err = filepath.Abs(command)
		return s, err
	}
	s.command = filepath.Join(dir, "wormlog")
	build := exec.CommandContext(ctx, "go", "build", "-o", s.command, "github.com/wormlog/wormlog/cmd/wormlog")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("building wormlog: %w: %s", err, said), os.RemoveAll(dir))
	}
	return s, nil
}

func (s *stage) close() {
	s.shut()
	os.RemoveAll(s.dir)
}

// open starts a server on a folder of that name, which is a copy of another one's unless from is empty.
func (s *stage) open(name, from string) (err error) {
	s.shut()
	dir := filepath.Join(s.dir, name)
	if from != "" {
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(s.dir, from))); err != nil {
			return fmt.Errorf("copying the bucket: %w", err)
		}
	}
	if s.server, err = devserver.New(devserver.Config{Dir: dir}); err != nil {
		return err
	}
	if _, err := s.server.Start("127.0.0.1:0"); err != nil {
		return err
	}
	if !s.server.HasBucket(bucket) {
		err = s.server.CreateBucket(bucket, true)
	}
	s.env = s.server.Env(bucket)
	return err
}

func (s *stage) shut() {
	if s.server != nil {
		_ = s.server.Close()
		s.server = nil
	}
}

func (s *stage) title(format string, args ...any) {
	s.n++
	fmt.Fprintf(s.out, "\n%d. %s\n", s.n, fmt.Sprintf(format, args...))
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "   "+format+"\n", args...)
}

// wormlog runs the command and returns what it printed. Only an exit status of 2 is an error.
func (s *stage) wormlog(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, s.command, args...)
	c.Env = s.environ()
	c.Dir = s.dir
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if c.ProcessState == nil || c.ProcessState.ExitCode() == 2 || c.ProcessState.ExitCode() < 0 {
		return "", fmt.Errorf("wormlog %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String() + stderr.String(), nil
}

// environ is this process's environment with nothing in it that means another server.
func (s *stage) environ() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "WORMLOG_") {
			env = append(env, v)
		}
	}
	env = append(env, s.env...)
	env = append(env, "WORMLOG_ORIGIN="+origin)
	if s.logID != "" {
		env = append(env, "WORMLOG_LOG_ID="+s.logID)
	}
	return env
}

// show runs the command as a person would and prints both. It must succeed.
func (s *stage) show(ctx context.Context, args ...string) error {
	abs := make([]string, len(args))
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, s.dir+"/", "")
		if abs[i] = a; strings.HasSuffix(a, ".ndjson") {
			abs[i], _ = filepath.Abs(a)
		}
	}
	s.say("$ wormlog %s", strings.Join(args, " "))
	said, err := s.wormlog(ctx, abs...)
	for line := range strings.Lines(said) {
		s.say("%s", strings.TrimRight(line, "\n"))
	}
	return err
}

// makeLog creates the log and pins its ID.
func (s *stage) makeLog(ctx context.Context) error {
	s.say("$ wormlog init")
	said, err := s.wormlog(ctx, "init", "--json")
	if err != nil {
		return err
	}
	var made struct {
		LogID string `json:"log_id"`
		Days  int    `json:"retention_days"`
	}
	if err := json.Unmarshal([]byte(said), &made); err != nil {
		return fmt.Errorf("init printed no JSON: %w", err)
	}
	s.logID = made.LogID
	s.say("Log %s in bucket %s, kept %d days under COMPLIANCE Object Lock.", origin, bucket, made.Days)
	s.say("Log ID %s, pinned from here on.", s.logID)
	return nil
}

// verdict verifies and returns the report.
func (s *stage) verdict(ctx context.Context, args ...string) (*archive.Report, error) {
	said, err := s.wormlog(ctx, append([]string{"verify", "--json"}, args...)...)
	if err != nil {
		return nil, err
	}
	r := new(archive.Report)
	if err := json.Unmarshal([]byte(said), r); err != nil {
		return nil, fmt.Errorf("verify printed no report: %w", err)
	}
	return r, nil
}

// expect verifies, prints verdict and finding in two lines, and fails if they are others.
func (s *stage) expect(ctx context.Context, verdict archive.Verdict, code archive.Code, args ...string) error {
	r, err := s.verdict(ctx, args...)
	if err != nil {
		return err
	}
	s.say("$ %s", strings.ReplaceAll(strings.Join(append([]string{"wormlog verify"}, args...), " "), s.dir+"/", ""))
	s.say("%s", r)
	for _, f := range r.Findings {
		if f.Code == code && f.Verdict == verdict {
			s.say("%s", f)
			break
		}
	}
	if r.Verdict != verdict {
		return fmt.Errorf("the verdict is %s, not %s: %v", r.Verdict, verdict, r.Findings)
	}
	if code != "" && (len(r.Findings) == 0 || !found(r, verdict, code)) {
		return fmt.Errorf("there is no finding %s %s: %v", verdict, code, r.Findings)
	}
	return nil
}

func found(r *archive.Report, verdict archive.Verdict, code archive.Code) bool {
	for _, f := range r.Findings {
		if f.Code == code && f.Verdict == verdict {
			return true
		}
	}
	return false
}
