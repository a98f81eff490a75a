package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

func TestForegroundServesUntilCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	var stderr bytes.Buffer
	done := make(chan int)
	go func() {
		status := run(ctx, nil, strings.NewReader(""), write, &stderr)
		write.Close()
		done <- status
	}()
	var text strings.Builder
	buffer := make([]byte, 1024)
	for !strings.Contains(text.String(), "WORMLOG_AUTHORITY_SECRET") {
		n, err := read.Read(buffer)
		if err != nil {
			t.Fatalf("ended early: %v\n%s", err, text.String())
		}
		text.Write(buffer[:n])
	}
	cancel()
	rest, err := io.ReadAll(read)
	if status := <-done; status != 0 || err != nil {
		t.Fatalf("status %d, %v, %s", status, err, stderr.String())
	}
	text.Write(rest)
	for line := range strings.Lines(text.String()) {
		if !strings.HasPrefix(line, "# ") {
			t.Errorf("eval would run %q", line)
		}
	}
	if !strings.Contains(text.String(), "For development only: locks are enforced only while it runs") || !strings.Contains(stderr.String(), "stopped") {
		t.Errorf("%s\n%s", text.String(), stderr.String())
	}
}

func TestFailedStartIsReported(t *testing.T) {
	read, write := io.Pipe()
	go report(write, nil, context.Canceled)
	line, err := io.ReadAll(read)
	if err != nil || string(line) != `{"error":"context canceled"}`+"\n" {
		t.Fatalf("%q %v", line, err)
	}
}
