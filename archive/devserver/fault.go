package devserver

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Outcome is what becomes of a request that a Fault hits.
type Outcome int

// The outcomes. After the first two the client knows the same, nothing.
const (
	Lost      Outcome = iota // it never took effect
	ReplyLost                // it took effect, and its reply was lost
	Truncated                // it took effect, and the connection ended within the body of the reply
	Slow                     // it took effect and was answered, after Delay
)

// Fault is one thing that goes wrong. AWS clients retry by themselves: a fault
// that should reach the caller needs Times at least the client's attempts. So
// do net/http clients with a GET or HEAD whose kept-alive connection ends before
// the first byte of the reply.
type Fault struct {
	Operation string // as in Counts, for example "PutObject"; "" is any
	Prefix    string // of the object key, the prefix listed, or the secret's name; "" is any

	Nth   int // the first matching request that is hit, from 1; 0 means 1
	Times int // how many matching requests are hit from there; 0 means 1, below 0 all

	Outcome Outcome
	Status  int           // HTTP status of what the client gets instead of the reply; 0 closes the connection
	Code    string        // AWS error code with Status, for example "SlowDown"
	Delay   time.Duration // before anything happens; ends early if the client gives up
	Hook    func()        // called before the request is handled, in the request's goroutine
}

// Throttle is the fault of S3 answering 503 SlowDown so many times.
func Throttle(operation string, times int) Fault {
	return Fault{Operation: operation, Times: times, Status: http.StatusServiceUnavailable, Code: "SlowDown"}
}

// Inject arms a fault; the function it returns disarms it. If several match one
// request, the one injected first hits, and the others do not count it.
func (s *Server) Inject(f Fault) (remove func()) {
	a := &armed{Fault: f}
	c := &s.control
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, a)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.faults = slices.DeleteFunc(c.faults, func(other *armed) bool { return other == a })
	}
}

// armed is a fault with the number of requests that it matched so far.
type armed struct {
	Fault
	seen int
}

// hit counts the request and reports whether the fault strikes it.
func (a *armed) hit() bool {
	a.seen++
	first, times := max(a.Nth, 1), a.Times
	if times == 0 {
		times = 1
	}
	return a.seen >= first && (times < 0 || a.seen < first+times)
}

// fault returns the fault that strikes this request, if any.
func (c *control) fault(operation, resource string) *Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.faults {
		matches := (a.Operation == "" || a.Operation == operation) && strings.HasPrefix(resource, a.Prefix)
		if matches && a.hit() {
			return &a.Fault
		}
	}
	return nil
}

// strike plays the fault out. It calls handle at most once.
func (f *Fault) strike(w http.ResponseWriter, r *http.Request, handle func(http.ResponseWriter), refuse func(*apiError)) {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	if f.Hook != nil {
		f.Hook()
	}
	switch f.Outcome {
	case Slow:
		handle(w)
		return
	case Truncated:
		handle(&cutWriter{ResponseWriter: w})
		panic(http.ErrAbortHandler)
	case ReplyLost:
		handle(&lostWriter{header: http.Header{}})
	case Lost:
		// A client that is cut off while it still sends sees a broken pipe and
		// may retry for that reason alone, so its body is read first.
		io.Copy(io.Discard, r.Body)
	}
	if f.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	refuse(&apiError{Status: f.Status, Code: f.Code, Message: "Injected fault."})
}

// lostWriter takes a reply that nobody will see.
type lostWriter struct{ header http.Header }

func (w *lostWriter) Header() http.Header         { return w.header }
func (w *lostWriter) WriteHeader(int)             {}
func (w *lostWriter) Write(p []byte) (int, error) { return len(p), nil }

// cutWriter passes the header and half of the first write on.
type cutWriter struct {
	http.ResponseWriter
	cut bool
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if !w.cut {
		w.cut = true
		w.ResponseWriter.Write(p[:len(p)/2]) // the connection is about to be dropped: its errors do not matter
		http.NewResponseController(w.ResponseWriter).Flush()
	}
	return len(p), nil
}
