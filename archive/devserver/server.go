package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// AccountID is the AWS account that owns everything in a Server.
const AccountID = "000000000000"

// Config says how a Server behaves. The zero value is ready for tests.
type Config struct {
	// Now is the server's clock: Date headers, Last-Modified, retention. Moving
	// it forward lets locks expire. It must be safe for concurrent use. Nil
	// means time.Now.
	Now func() time.Time

	// Dir keeps object bodies in files and everything else in a journal under
	// this directory, which is created if absent, so that a server started on
	// it again goes on where the last one ended, even after kill -9. Secret
	// values are in the journal. Empty means memory only.
	Dir string

	// Region is the region of buckets and secrets; a request signed for another
	// one is refused as AWS refuses it. Empty means us-east-1, with every
	// region accepted.
	Region string

	// PageSize is the most entries a listing page has. 0 means AWS's 1,000.
	PageSize int

	// ServerHeader is the Server header of replies. Empty means "wormlog-dev".
	ServerHeader string

	// ErrorLog takes what net/http has to say about broken connections. Nil
	// discards it.
	ErrorLog *log.Logger
}

// Server is an http.Handler that answers as S3 and Secrets Manager. All its
// methods are safe for concurrent use.
type Server struct {
	config Config

	mu      sync.Mutex // guards the evidence: buckets, secrets, journal
	buckets map[string]*bucket
	secrets map[string]*secret
	bodies  bodies
	journal *journal

	control control

	listening sync.Mutex // guards http and url
	http      *http.Server
	url       string
}

// New returns a server with what Config.Dir holds, or an empty one. It fails if
// the directory cannot be used, is in use by another server, or its journal
// cannot be read.
func New(config Config) (*Server, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.PageSize <= 0 || config.PageSize > maxPage {
		config.PageSize = maxPage
	}
	if config.ServerHeader == "" {
		config.ServerHeader = "wormlog-dev"
	}
	if config.ErrorLog == nil {
		config.ErrorLog = log.New(io.Discard, "", 0)
	}
	s := &Server{config: config, buckets: map[string]*bucket{}, secrets: map[string]*secret{}}
	s.control.init()
	if config.Dir == "" {
		return s, nil
	}
	if err := s.load(config.Dir); err != nil {
		return nil, fmt.Errorf("devserver: open %s: %w", config.Dir, err)
	}
	return s, nil
}

// Start listens on a loopback address, such as "127.0.0.1:0", serves until
// Close, and returns the URL to use as endpoint. Any other address is refused:
// nothing here verifies signatures.
func (s *Server) Start(addr string) (url string, err error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("devserver: listen address %q is not host:port: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("devserver: refusing to listen on %q: only loopback addresses such as 127.0.0.1:0 are allowed", addr)
	}
	s.listening.Lock()
	defer s.listening.Unlock()
	if s.http != nil {
		return "", errors.New("devserver: already started")
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("devserver: listen: %w", err)
	}
	s.url = "http://" + listener.Addr().String()
	s.http = &http.Server{Handler: s, ErrorLog: s.config.ErrorLog, ReadHeaderTimeout: time.Minute}
	go s.http.Serve(listener) // always ends with http.ErrServerClosed or after Close
	return s.url, nil
}

// URL returns the endpoint of a started server, or "".
func (s *Server) URL() string {
	s.listening.Lock()
	defer s.listening.Unlock()
	return s.url
}

// Close drops every connection, stops listening and closes the journal. The
// server cannot be used afterwards.
func (s *Server) Close() error {
	s.listening.Lock()
	defer s.listening.Unlock()
	var err error
	if s.http != nil {
		err = s.http.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(err, s.journal.close())
}

// Shutdown is Close that lets requests under way end first, until ctx is done.
func (s *Server) Shutdown(ctx context.Context) error {
	s.listening.Lock()
	server := s.http
	s.listening.Unlock()
	var err error
	if server != nil {
		err = server.Shutdown(ctx)
	}
	return errors.Join(err, s.Close())
}

// CreateBucket makes an empty bucket without going through HTTP; with lock, it
// has Object Lock and versioning on and no default retention. It fails if the
// name is taken or not a bucket name.
func (s *Server) CreateBucket(name string, lock bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.addBucket(name, lock); err != nil {
		return fmt.Errorf("devserver: create bucket %q: %w", name, err)
	}
	return nil
}

// HasBucket reports whether the bucket exists.
func (s *Server) HasBucket(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buckets[name] != nil
}

// now is the server's clock in UTC, in whole seconds as S3 dates things.
func (s *Server) now() time.Time {
	return s.config.Now().UTC().Truncate(time.Second)
}

// region is where buckets and secrets are.
func (s *Server) region() string {
	if s.config.Region == "" {
		return "us-east-1"
	}
	return s.config.Region
}
