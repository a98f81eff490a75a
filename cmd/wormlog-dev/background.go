package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// readiness is what a server in the background tells the process that started
// it: the environment to use it with, or why there is none.
type readiness struct {
	Env   []string `json:"env,omitempty"`
	Error string   `json:"error,omitempty"`
}

// readyFD is the descriptor of the pipe for it, the first after stderr.
const readyFD = 3

// report writes the readiness to the pipe and closes it.
func report(pipe io.WriteCloser, env []string, startErr error) error {
	ready := readiness{Env: env}
	if startErr != nil {
		ready.Error = startErr.Error()
	}
	return errors.Join(json.NewEncoder(pipe).Encode(ready), pipe.Close())
}

// background starts this program again as a server in a session of its own,
// waits until it listens and prints its environment. Command substitution waits
// for the end of stdout, so the server must not inherit it.
func background(ctx context.Context, set settings, stdout io.Writer) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	logFile, err := openLog(set.dir)
	if err != nil {
		write.Close()
		return err
	}
	defer logFile.Close()
	server := exec.Command(program, "--listen", set.listen, "--bucket", set.bucket, "--dir", set.dir, "--ready-fd", strconv.Itoa(readyFD))
	server.Stdout, server.Stderr = logFile, logFile
	server.ExtraFiles = []*os.File{write}
	server.SysProcAttr = ownSession()
	err = server.Start()
	write.Close()
	if err != nil {
		return err
	}
	stopWatch := context.AfterFunc(ctx, func() { server.Process.Kill() })
	defer stopWatch()
	var ready readiness
	if err := json.NewDecoder(read).Decode(&ready); err != nil {
		server.Process.Kill()
		return fmt.Errorf("the server ended before it was ready; see %s", logFile.Name())
	}
	if ready.Error != "" {
		return errors.New(ready.Error)
	}
	for _, pair := range append(ready.Env, fmt.Sprintf("WORMLOG_DEV_PID=%d", server.Process.Pid)) {
		fmt.Fprintln(stdout, export(pair))
	}
	return nil
}

// openLog is where a server in the background writes: beside what it keeps, or
// nowhere.
func openLog(dir string) (*os.File, error) {
	if dir == "" {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(dir, "wormlog-dev.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// stop ends the server and waits until it is gone. The process is asked first
// whether it is that server: its number may long belong to another.
func stop(ctx context.Context, pidText, endpoint string, stdout io.Writer) error {
	pid, err := strconv.Atoi(pidText)
	if err != nil || pid <= 1 || endpoint == "" {
		return errors.New(`WORMLOG_DEV_PID and WORMLOG_ENDPOINT name no server; set them with eval "$(wormlog-dev --print-env)"`)
	}
	switch name, err := serverName(ctx, endpoint); {
	case err != nil:
		return fmt.Errorf("nothing answers on %s, so nothing was stopped: %w", endpoint, err)
	case name != serverHeader(pid):
		return fmt.Errorf("%s is served by %q and not by process %d, so nothing was stopped", endpoint, name, pid)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	if err := process.Signal(endSignal); err != nil {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	if err := awaitEnd(ctx, endpoint); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "wormlog-dev on %s (pid %d) stopped\n", endpoint, pid)
	return nil
}

// serverName is the Server header of what answers on the endpoint.
func serverName(ctx context.Context, endpoint string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, endpoint, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Do(request)
	if err != nil {
		return "", err
	}
	return reply.Header.Get("Server"), reply.Body.Close()
}

// awaitEnd returns when nothing answers on the endpoint any more.
func awaitEnd(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if _, err := serverName(ctx, endpoint); err != nil && ctx.Err() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server on %s is still there: %w", endpoint, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
