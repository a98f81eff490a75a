package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/wormlog/wormlog/archive/devserver"
)

// settings are what the command line says.
type settings struct {
	listen   string
	bucket   string
	dir      string
	printEnv bool
	readyFD  int
}

const usage = `wormlog-dev is S3 with Object Lock and Secrets Manager for development.

Usage:
  wormlog-dev [--listen 127.0.0.1:0] [--bucket wormlog-dev] [--dir DIR]
      serve until interrupted
  eval "$(wormlog-dev --print-env [the same flags])"
      serve in the background and set the environment to use it
  wormlog-dev stop
      end the server that WORMLOG_DEV_PID and WORMLOG_ENDPOINT name

Its locks are enforced only while it runs, and it verifies no signatures:
never keep anything in it that matters.

Flags:
`

// run is the command: it returns the exit status, 0 for success and 2 for what
// could not start.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdout, stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	}
	fmt.Fprintln(stderr, "wormlog-dev:", err)
	return 2
}

func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "stop" {
		if len(args) > 1 {
			return fmt.Errorf("stop takes no arguments, got %q; it ends what WORMLOG_DEV_PID names", args[1])
		}
		return stop(ctx, os.Getenv("WORMLOG_DEV_PID"), os.Getenv("WORMLOG_ENDPOINT"), stdout)
	}
	set, err := parse(args, stdout)
	if err != nil {
		return err
	}
	if set.printEnv {
		return background(ctx, set, stdout)
	}
	return serve(ctx, set, stdout, stderr)
}

func parse(args []string, stdout io.Writer) (settings, error) {
	var set settings
	flags := flag.NewFlagSet("wormlog-dev", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&set.listen, "listen", "127.0.0.1:0", "loopback `address` to listen on; port 0 picks a free one")
	flags.StringVar(&set.bucket, "bucket", "wormlog-dev", "`name` of the bucket with Object Lock that is there from the start")
	flags.StringVar(&set.dir, "dir", "", "keep everything in this `directory`, so that a restart goes on; default: memory")
	flags.BoolVar(&set.printEnv, "print-env", false, "serve in the background and print the environment for eval")
	flags.IntVar(&set.readyFD, "ready-fd", 0, "internal: report the start to this file descriptor")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		flags.VisitAll(func(f *flag.Flag) {
			if f.Name != "ready-fd" {
				name, text := flag.UnquoteUsage(f)
				fmt.Fprintf(stdout, "  --%-22s %s\n", strings.TrimSpace(f.Name+" "+name), text)
			}
		})
		return set, err
	}
	if err != nil {
		return set, fmt.Errorf("%w; see wormlog-dev -h", err)
	}
	if flags.NArg() > 0 {
		return set, fmt.Errorf("unexpected argument %q; see wormlog-dev -h", flags.Arg(0))
	}
	return set, nil
}

// serverHeader names this process in every reply, so that stop ends no other.
func serverHeader(pid int) string { return fmt.Sprintf("wormlog-dev (pid %d)", pid) }

// start opens the server with its bucket.
func start(set settings) (*devserver.Server, error) {
	srv, err := devserver.New(devserver.Config{Dir: set.dir, Region: "us-east-1", ServerHeader: serverHeader(os.Getpid())})
	if err != nil {
		return nil, err
	}
	if !srv.HasBucket(set.bucket) {
		err = srv.CreateBucket(set.bucket, true)
	}
	if err == nil {
		_, err = srv.Start(set.listen)
	}
	if err != nil {
		srv.Close()
		return nil, err
	}
	return srv, nil
}

// serve runs the server in this process until ctx is done.
func serve(ctx context.Context, set settings, stdout, stderr io.Writer) error {
	srv, err := start(set)
	var env []string
	if err == nil {
		env = srv.Env(set.bucket)
	}
	if set.readyFD != 0 {
		err = errors.Join(err, report(os.NewFile(uintptr(set.readyFD), "ready"), env, err))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "# wormlog-dev serves S3 with Object Lock and Secrets Manager on %s\n", srv.URL())
	fmt.Fprintln(stdout, "# For development only: locks are enforced only while it runs, and signatures are not verified.")
	if set.dir == "" {
		fmt.Fprintln(stdout, "# Everything is in memory and ends with it; --dir keeps it.")
	}
	fmt.Fprintln(stdout, "# To use it from another shell:")
	for _, pair := range env {
		fmt.Fprintln(stdout, "#   "+export(pair))
	}
	<-ctx.Done()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(ending); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	fmt.Fprintln(stderr, "wormlog-dev: stopped")
	return nil
}

// export is one line of shell.
func export(pair string) string {
	name, value, _ := strings.Cut(pair, "=")
	return "export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
