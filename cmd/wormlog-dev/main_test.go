package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wormlog-dev": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"loadenv": loadEnv,
			"kill9":   kill9,
		},
	})
}

// loadEnv takes the export lines of the last command into the script's
// environment, as eval does, and ends the server they name with the script.
func loadEnv(ts *testscript.TestScript, neg bool, args []string) {
	for name, value := range exported(ts.ReadFile("stdout")) {
		ts.Setenv(name, value)
	}
	pid, endpoint := ts.Getenv("WORMLOG_DEV_PID"), ts.Getenv("WORMLOG_ENDPOINT")
	ts.Defer(func() { stop(context.Background(), pid, endpoint, io.Discard) }) // it may have ended already
}

// kill9 ends the server as a crash would, and waits until it is gone.
func kill9(ts *testscript.TestScript, neg bool, args []string) {
	pid, err := strconv.Atoi(ts.Getenv("WORMLOG_DEV_PID"))
	ts.Check(err)
	process, err := os.FindProcess(pid)
	ts.Check(err)
	ts.Check(process.Kill())
	ts.Check(awaitEnd(context.Background(), ts.Getenv("WORMLOG_ENDPOINT")))
}
