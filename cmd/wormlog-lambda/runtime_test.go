package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// asBootstrap in the environment makes the test binary the bootstrap itself.
const asBootstrap = "TEST_AS_BOOTSTRAP"

func TestMain(m *testing.M) {
	if os.Getenv(asBootstrap) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runtimeAPI is Lambda's Runtime API (Lambda Developer Guide, "Using the Lambda runtime API"), version 2018-06-01, as far
// as a function without init errors and extensions asks for it.
type runtimeAPI struct {
	*httptest.Server
	tb testing.TB

	asked  chan struct{} // closed at the first request for an invocation
	once   sync.Once
	events chan invocation
	done   chan result
}

type invocation struct {
	id       string
	payload  string
	deadline time.Time
}

// result is what the function says of an invocation.
type result struct {
	id       string
	response string // "" with an error
	kind     string
	message  string
}

func newRuntimeAPI(tb testing.TB) *runtimeAPI {
	a := &runtimeAPI{tb: tb, asked: make(chan struct{}), events: make(chan invocation), done: make(chan result, 1)}
	a.Server = httptest.NewServer(a)
	return a
}

func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	const base = "/2018-06-01/runtime/invocation/"
	path, ok := strings.CutPrefix(q.URL.Path, base)
	id, what, _ := strings.Cut(path, "/")
	switch {
	case ok && q.Method == http.MethodGet && path == "next":
		a.once.Do(func() { close(a.asked) })
		select {
		case i := <-a.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", i.id)
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(i.deadline.UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:111122223333:function:wormlog-rotation")
			_, _ = io.WriteString(w, i.payload)
		case <-q.Context().Done():
		}
	case ok && q.Method == http.MethodPost && what == "response":
		b, _ := io.ReadAll(q.Body)
		w.WriteHeader(http.StatusAccepted)
		a.done <- result{id: id, response: string(b)}
	case ok && q.Method == http.MethodPost && what == "error":
		var e struct{ ErrorType, ErrorMessage string }
		if err := json.NewDecoder(q.Body).Decode(&e); err != nil {
			a.tb.Errorf("the error reported is no JSON: %v", err)
		}
		w.WriteHeader(http.StatusAccepted)
		a.done <- result{id: id, kind: e.ErrorType, message: e.ErrorMessage}
	default:
		a.tb.Errorf("the function asks for %s %s", q.Method, q.URL)
		http.NotFound(w, q)
	}
}

// function is a running bootstrap.
type function struct {
	*runtimeAPI
	tb    testing.TB
	n     int
	ended chan error

	mu  sync.Mutex
	out bytes.Buffer // all that it printed
}

func (f *function) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out.Write(p)
}

func (f *function) printed() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out.String()
}

// bootstrap is the command, with nothing in its environment but this.
func bootstrap(tb testing.TB, environ ...string) *exec.Cmd {
	tb.Helper()
	path, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	c := exec.CommandContext(tb.Context(), path)
	c.Dir = tb.TempDir()
	c.Env = append([]string{asBootstrap + "=1"}, environ...)
	return c
}

// start runs the bootstrap until the test ends.
func start(tb testing.TB, environ ...string) *function {
	tb.Helper()
	f := &function{runtimeAPI: newRuntimeAPI(tb), tb: tb, ended: make(chan error, 1)}
	c := bootstrap(tb, append(environ, "AWS_LAMBDA_RUNTIME_API="+f.Listener.Addr().String(), "_HANDLER=rotation", "AWS_LAMBDA_FUNCTION_NAME=wormlog-rotation")...)
	c.Stdout, c.Stderr = f, f
	began := time.Now()
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() { f.ended <- c.Wait() }()
	tb.Cleanup(func() {
		_ = c.Process.Kill()
		<-f.ended
		f.CloseClientConnections()
		f.Close()
	})
	select {
	case <-f.asked:
		tb.Logf("cold start: %s", time.Since(began))
	case err := <-f.ended:
		f.ended <- err
		tb.Fatalf("it ended: %v\n%s", err, f.printed())
	}
	return f
}

// invoke hands the function an event and waits for what it says.
func (f *function) invoke(payload string, within time.Duration) result {
	f.tb.Helper()
	f.n++
	id := fmt.Sprintf("8476a536-e9f4-11e8-9739-%012d", f.n)
	select {
	case f.events <- invocation{id, payload, time.Now().Add(within)}:
	case err := <-f.ended:
		f.ended <- err
		f.tb.Fatalf("it ended: %v\n%s", err, f.printed())
	}
	select {
	case r := <-f.done:
		if r.id != id {
			f.tb.Errorf("invocation %s was answered, and %s was asked", r.id, id)
		}
		return r
	case err := <-f.ended:
		f.ended <- err
		f.tb.Fatalf("it ended: %v\n%s", err, f.printed())
		return result{}
	}
}
