package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/s3lock"
	"github.com/wormlog/wormlog/internal/config"
)

func (a *app) bucketCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "bucket",
		Short:   "See whether a bucket can keep evidence",
		Example: "  wormlog bucket check\n  wormlog bucket canary",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	check := &cobra.Command{
		Use:   "check",
		Short: "Read the bucket's settings and say which of them evidence cannot rely on",
		Long: "Read the bucket's settings and compare them with what evidence needs. Nothing is changed. Exit status: 0 all right,\n" +
			"1 something is wrong, 3 something could not be found out.",
		Example: "  wormlog bucket check --bucket acme-audit\n  wormlog bucket check --json | jq '.lines[] | select(.status != \"pass\")'",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.checkBucket(c) },
	}
	canary := &cobra.Command{
		Use:   "canary",
		Short: "Write a small object with a lock of one day and try to break the lock",
		Long: "Write a small object under canary/, locked for one day, and try to delete it, to shorten its lock and to overwrite it.\n" +
			"Some S3 servers accept locks without enforcing them; this shows it. The object stays until its day is over. Exit\n" +
			"status: 0 every attempt was refused, 1 one was not, 3 something could not be tried.",
		Example: "  wormlog bucket canary --endpoint https://s3.example.com",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.canary(c) },
	}
	config.AddFlags(check.Flags(), config.GroupBucket, config.GroupKeys)
	config.AddFlag(check.Flags(), "retention")
	config.AddFlag(check.Flags(), "sse")
	config.AddFlags(canary.Flags(), config.GroupBucket)
	c.AddCommand(check, canary)
	return c
}

func (a *app) checkBucket(c *cobra.Command) error {
	s, err := a.open(c)
	if err != nil {
		return err
	}
	now, err := s.store.Now(c.Context())
	if err != nil {
		return err
	}
	days, err := s.Retention.From(now)
	if err != nil {
		return err
	}
	l, logErr := archive.OpenLog(c.Context(), s.store, s.LogID)
	if logErr == nil && days == 0 {
		days = l.Retention.Days
	}
	r, err := s.bucket.Check(c.Context(), s3lock.Policy{RetentionDays: int(days), Encryption: s.SSE})
	if err != nil {
		return err
	}
	if s.KeyRotationDays > 0 && !errors.Is(logErr, archive.ErrNotFound) {
		line := s.rotationLine(c.Context(), l, logErr)
		r.Lines, r.Status = append(r.Lines, line), worse(r.Status, line.Status)
	}
	if a.json {
		err = printJSON(a.stdout, r)
	} else {
		err = s.printLines(fmt.Sprintf("Bucket %s at %s", r.Home.Bucket, r.Endpoint), r.Lines)
	}
	if err != nil {
		return err
	}
	return statusOf(r.Status)
}

// rotationLine says whether the writers' keys of the log in the bucket are young enough.
func (s *session) rotationLine(ctx context.Context, l *archive.Log, err error) s3lock.Line {
	line := s3lock.Line{
		Setting: "key rotation", Status: s3lock.Unknown, Want: fmt.Sprintf("no writer's newest key is over %s old", count(s.KeyRotationDays, "day")),
		Threat: "the longer a key is used, the more its theft covers", Fix: "wormlog keys rotate, or wormlog keys retire if the writer is gone; wormlog keys list shows which",
	}
	var r *archive.Report
	if err == nil {
		r, err = s.keyReports(ctx, l, true)
	}
	if err == nil {
		err = unread(r)
	}
	if err != nil {
		said, hint := explain(err)
		line.Got, line.Fix = said, cmp.Or(hint, line.Fix)
		return line
	}
	var overdue []string
	for _, f := range r.Findings {
		if f.Code == archive.CodeRotationOverdue {
			overdue = append(overdue, f.Detail)
		}
	}
	line.Status, line.Got = s3lock.Pass, "none is"
	if len(overdue) > 0 {
		line.Status, line.Got = s3lock.Fail, strings.Join(overdue, "; ")
	}
	return line
}

// worse is the status of both: one that failed decides, then one that is unknown.
func worse(a, b s3lock.Status) s3lock.Status {
	for _, s := range []s3lock.Status{s3lock.Fail, s3lock.Unknown} {
		if a == s || b == s {
			return s
		}
	}
	return s3lock.Pass
}

func (a *app) canary(c *cobra.Command) error {
	s, err := a.open(c)
	if err != nil {
		return err
	}
	r, err := s.bucket.Canary(c.Context())
	if err != nil {
		return err
	}
	if a.json {
		err = printJSON(a.stdout, r)
	} else {
		err = s.printLines(fmt.Sprintf("Canary %s in bucket %s at %s", r.Key, r.Home.Bucket, r.Endpoint), r.Lines)
	}
	if err != nil {
		return err
	}
	return statusOf(r.Status)
}

// printLines shows a report as a table, and behind it what is wrong and what to do.
func (s *session) printLines(title string, lines []s3lock.Line) error {
	rows := [][]string{{"STATUS", "SETTING", "GOT", "WANT"}}
	for _, l := range lines {
		rows = append(rows, []string{string(l.Status), l.Setting, l.Got, l.Want})
	}
	fmt.Fprintln(s.stdout, visible(title))
	fmt.Fprint(s.stdout, s.endpointLine())
	if err := printTable(s.stdout, rows); err != nil {
		return err
	}
	for _, l := range lines {
		if l.Status != s3lock.Pass {
			fmt.Fprintf(s.stdout, "\n%s\n%s\n", visible(fmt.Sprintf("%s: %s: %s.", l.Status, l.Setting, l.Threat)), visible("  fix: "+l.Fix))
		}
	}
	return nil
}

func statusOf(s s3lock.Status) error {
	switch s {
	case s3lock.Pass:
		return nil
	case s3lock.Fail:
		return exit(exitNo, nil)
	}
	return exit(exitUnknown, nil)
}
