// Command wormlog-demo tells what wormlog is for, in under a minute: it archives a real CloudTrail log on a development
// server that it starts itself, verifies it, and attacks it as an administrator would. Everything it prints comes from
// real calls; it fails if a verdict is another than the one that the attack deserves.
//
//	go run ./cmd/wormlog-demo
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("wormlog-demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	data := flags.String("log", "testdata/logs/invictus-cloudtrail/cloudtrail.ndjson", "log to archive, a JSON value a line")
	wormlog := flags.String("wormlog", "", "the wormlog to use; empty builds the one of this module")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	s, err := newStage(ctx, stdout, *wormlog)
	if err != nil {
		fmt.Fprintln(stderr, "wormlog-demo:", err)
		return 2
	}
	defer s.close()
	if err := tell(ctx, s, *data); err != nil {
		fmt.Fprintln(stderr, "wormlog-demo: this is not how the story goes:", err)
		return 1
	}
	return 0
}

// tell is the story.
func tell(ctx context.Context, s *stage, data string) error {
	if err := s.open("home", ""); err != nil {
		return err
	}
	s.title("A bucket with Object Lock, and a log in it")
	if err := s.makeLog(ctx); err != nil {
		return err
	}
	s.title("A real CloudTrail log goes in: 2,900 events of a simulated attack on an AWS account")
	if err := s.show(ctx, "write", "--id-field", "eventID", data); err != nil {
		return err
	}
	s.title("Everything is looked at: every version, signature, byte and entry")
	if err := s.show(ctx, "verify", "--head-out", s.heads); err != nil {
		return err
	}
	s.title("What is retained until when")
	if err := s.show(ctx, "list", "--streams"); err != nil {
		return err
	}
	return attackAll(ctx, s)
}
