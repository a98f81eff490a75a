package main

import (
	"fmt"

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
	config.AddFlags(check.Flags(), config.GroupBucket)
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
	if l, err := archive.OpenLog(c.Context(), s.store, s.LogID); err == nil && days == 0 {
		days = l.Retention.Days
	}
	r, err := s.bucket.Check(c.Context(), s3lock.Policy{RetentionDays: int(days), Encryption: s.SSE})
	if err != nil {
		return err
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
