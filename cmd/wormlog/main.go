// Command wormlog keeps audit logs as evidence: signed, chained, and locked in an S3 bucket.
//
//	wormlog init                     make a log in the bucket, its authority keys and its first signing key
//	wormlog write app.ndjson         archive a file's lines
//	wormlog verify                   look at everything and give one verdict
//	wormlog list --csv               what is retained until when
//	wormlog keys rotate              a new signing key
//	wormlog cat --from 2026-11-01    entries, checked while they are read
//
// Settings come from flags, from WORMLOG_* variables and from wormlog.yaml, in this order; `wormlog config` shows what is
// in force. The exit status of verify is that of its verdict; of the other commands 0 means yes, 1 no or not all of it,
// and 2 that the command could not start.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
