package main

import (
	"context"
	"errors"
	"strings"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/s3lock"
	"github.com/wormlog/wormlog/keys"
)

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

func withHint(err error, hint string) error { return &hinted{err, hint} }

// explain turns an error into one sentence and a hint; the hint may be empty.
func explain(err error) (said, hint string) {
	said = plain(strings.ReplaceAll(err.Error(), "\n", "; "))
	var h *hinted
	if errors.As(err, &h) {
		return said, h.hint
	}
	var s3 *s3lock.Error
	if errors.As(err, &s3) && s3.Hint != "" {
		return strings.Replace(said, "; "+s3.Hint, "", 1), s3.Hint
	}
	for _, k := range knownHints {
		if errors.Is(err, k.is) {
			return said, k.hint
		}
	}
	// Errors of this project end in what to do, behind the last semicolon.
	if i := strings.LastIndex(said, "; "); i > 0 {
		return said[:i], said[i+2:]
	}
	return said, ""
}

// plain says in words of the command line what libraries say in their own.
func plain(said string) string {
	for _, library := range []string{"s3lock: ", "verify: "} {
		said = strings.TrimPrefix(said, library)
	}
	if _, both, ok := strings.Cut(said, "none of the others can be; ["); ok {
		names, _, _ := strings.Cut(both, "]")
		return "--" + strings.ReplaceAll(names, " ", " and --") + " exclude each other"
	}
	return said
}

var knownHints = []struct {
	is   error
	hint string
}{
	{archive.ErrNoObjectLock, "make a bucket with Object Lock: aws s3api create-bucket --object-lock-enabled-for-bucket; `wormlog bucket check` shows every setting"},
	{archive.ErrClock, "set this machine's clock, such as by NTP"},
	{archive.ErrWrongLog, "check bucket, prefix and log_id: one of them is of another archive"},
	{archive.ErrUnknownFormat, "use the release of wormlog that wrote it, or a later one"},
	{archive.ErrTaken, "somebody else writes to this prefix; use another prefix, or find out who it is"},
	{keys.ErrMismatch, "check signing_secret: it belongs to another log, or somebody edited it"},
	{archive.ErrThrottled, "try again later"},
	{archive.ErrUncertain, "check the network and the endpoint, then run it again: repeating is safe"},
	{context.Canceled, "it was interrupted; running it again is safe"},
}
