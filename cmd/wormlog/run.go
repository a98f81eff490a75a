package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wormlog/wormlog/internal/config"
)

// app is one run of the program: its streams and what every command has flags for.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string

	file    string // --config
	json    bool
	verbose bool
}

// run is the program. It returns the exit status. The first interrupt or termination signal ends ctx, so that commands can
// finish in order; the second ends the process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	a := &app{stdin: stdin, stdout: stdout, stderr: &lockedWriter{w: stderr}, environ: os.Environ()}
	root := a.root()
	root.SetArgs(args)
	return a.finish(a.execute(ctx, root))
}

// execute runs the command. A bug ends it like any other error: what was not acknowledged is not archived.
func (a *app) execute(ctx context.Context, root *cobra.Command) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = withHint(fmt.Errorf("this is a bug in wormlog: %v", p), "please report it with what -v prints")
			if a.verbose {
				fmt.Fprintf(a.stderr, "%s\n", debug.Stack())
			}
		}
	}()
	return root.ExecuteContext(ctx)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "wormlog",
		Short: "Keep audit logs as evidence: signed, chained, and locked in an S3 bucket",
		Long: "wormlog keeps audit logs as evidence. Entries are signed, batched into segments, described by signed and chained\n" +
			"manifests, and written to an S3 bucket under COMPLIANCE Object Lock. A verifier looks at every object version and\n" +
			"gives one verdict.\n\n" +
			"Settings: flags over WORMLOG_* variables over wormlog.yaml. `wormlog config` lists them and shows what is in force.",
		Example: "  eval \"$(wormlog-dev --print-env)\"   # a bucket on this machine, to try things out\n" +
			"  wormlog init\n  wormlog write app.ndjson\n  wormlog verify",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.Version = config.Version()
	root.SetVersionTemplate("wormlog {{.Version}}\n")
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetIn(a.stdin)
	root.SetGlobalNormalizationFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	root.PersistentFlags().StringVar(&a.file, "config", "", "configuration file instead of wormlog.yaml")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, for machines")
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "say on standard error what is going on")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return withHint(err, "`"+c.CommandPath()+" -h` shows what there is")
	})
	root.AddCommand(a.initCommand(), a.writeCommand(), a.verifyCommand(), a.listCommand(), a.catCommand(),
		a.bucketCommand(), a.keysCommand(), a.securityCheckCommand(), a.acknowledgeCommand(), a.configCommand(), a.versionCommand())
	return root
}

// finish reports an error and turns it into the exit status.
func (a *app) finish(err error) int {
	if err == nil {
		return 0
	}
	status := exitNotStarted
	var s *statusError
	if errors.As(err, &s) {
		status = s.status
		err = s.err
	}
	if err == nil {
		return status
	}
	said, hint := explain(err)
	said = withoutKeys(said)
	if a.json {
		printJSON(a.stderr, map[string]string{"error": said, "hint": hint})
		return status
	}
	fmt.Fprintln(a.stderr, visible("wormlog: "+said))
	if hint != "" {
		fmt.Fprintln(a.stderr, visible("hint: "+hint))
	}
	return status
}

// Exit statuses beside those of verdicts.
const (
	exitNo         = 1 // a negative answer, or not all was done
	exitNotStarted = 2
	exitUnknown    = 3 // what was asked could not be found out
)

// statusError ends the program with a status, and with a message unless err is nil.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

func exit(status int, err error) error { return &statusError{status, err} }
