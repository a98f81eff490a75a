// Command wormlog-dev is S3 with enforced Object Lock, and Secrets Manager, on
// one loopback address: what wormlog needs, without an AWS account. It is for
// development; its locks hold only while it runs.
//
//	eval "$(wormlog-dev --print-env)"   # starts it in the background
//	wormlog init
//	wormlog-dev stop
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
