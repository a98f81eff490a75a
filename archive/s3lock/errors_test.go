package s3lock_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/archive/s3lock"
)

var sentinels = []error{
	archive.ErrNotFound, archive.ErrExists, archive.ErrConflict, archive.ErrThrottled, archive.ErrDenied,
	archive.ErrRefused, archive.ErrDeleteMarker, archive.ErrTooLarge, archive.ErrUncertain,
	context.Canceled, context.DeadlineExceeded,
}

// wants checks that err wraps want and no other sentinel, and says all of texts.
func wants(t *testing.T, err, want error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	for _, s := range sentinels {
		if errors.Is(err, s) != (s == want) {
			t.Errorf("errors.Is(err, %q) is %v, want %q alone: %v", s, errors.Is(err, s), want, err)
		}
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error does not say %q: %v", text, err)
		}
	}
	if strings.Contains(err.Error(), "secret of the tester") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is not one clean sentence: %v", err)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("X-Amz-Request-Id", "REQ1")
	w.WriteHeader(status)
	if code != "" {
		fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>Said by the server.</Message><RequestId>REQ1</RequestId></Error>", code)
	}
}

func TestErrorsOfCreate(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		want   error
		says   string
	}{
		{412, "PreconditionFailed", archive.ErrExists, ""},
		{409, "ConditionalRequestConflict", archive.ErrConflict, ""},
		{409, "OperationAborted", archive.ErrConflict, ""},
		{409, "InvalidBucketState", archive.ErrRefused, "versioning"},
		{503, "SlowDown", archive.ErrThrottled, ""},
		{503, "ServiceUnavailable", archive.ErrUncertain, ""},
		{429, "TooManyRequestsException", archive.ErrThrottled, ""},
		{400, "RequestLimitExceeded", archive.ErrThrottled, ""},
		{403, "AccessDenied", archive.ErrDenied, "403 AccessDenied, request REQ1): Said by the server"},
		{403, "InvalidAccessKeyId", archive.ErrDenied, "access key"},
		{403, "SignatureDoesNotMatch", archive.ErrDenied, "secret access key"},
		{403, "RequestTimeTooSkewed", archive.ErrDenied, "clock"},
		{400, "ExpiredToken", archive.ErrDenied, "expired"},
		{401, "Unauthorized", archive.ErrDenied, ""},
		{400, "RequestTimeout", archive.ErrUncertain, ""},
		{400, "BadDigest", archive.ErrRefused, ""},
		{400, "InvalidArgument", archive.ErrRefused, ""},
		{400, "InvalidRequest", archive.ErrRefused, "Object Lock"},
		{400, "AuthorizationHeaderMalformed", archive.ErrRefused, "region"},
		{301, "PermanentRedirect", archive.ErrRefused, "region eu-west-3"},
		{400, "KMS.DisabledException", archive.ErrRefused, "enable it"},
		{404, "NoSuchBucket", archive.ErrNotFound, "bucket's name"},
		{405, "MethodNotAllowed", archive.ErrRefused, ""},
		{501, "NotImplemented", archive.ErrRefused, "does not have"},
		{500, "InternalError", archive.ErrUncertain, ""},
		{502, "", archive.ErrUncertain, "502"},
		{504, "", archive.ErrUncertain, "504"},
	} {
		t.Run(fmt.Sprint(test.status, test.code), func(t *testing.T) {
			var requests atomic.Int32
			s := replying(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				requests.Add(1)
				if test.status == 301 {
					w.Header().Set("X-Amz-Bucket-Region", "eu-west-3")
				}
				refuse(w, test.status, test.code)
			})
			_, err := s.Create(t.Context(), "log.json", []byte("x"), options([]byte("x")))
			wants(t, err, test.want, `create "logs/log.json" in bucket "audit"`, test.says)
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests, want exactly one", n)
			}
		})
	}
}

func TestNoAnswer(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	hangUp := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.(*net.TCPConn).SetLinger(0) // a reset
		conn.Close()
	}
	for name, handler := range map[string]http.HandlerFunc{
		"reset":   hangUp,
		"silence": func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-release },
		"no HTTP": func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, "220 mail.example ESMTP\r\n")
			conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var puts atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPut {
					puts.Add(1)
				}
				handler(w, r)
			}))
			t.Cleanup(srv.CloseClientConnections)
			c := configFor(srv.URL)
			c.Timeout, c.Attempts = 100*time.Millisecond, 2
			s := open(t, c)
			_, err := s.Create(t.Context(), "k", nil, options(nil))
			wants(t, err, archive.ErrUncertain, "no answer", "check the network")
			if n := puts.Load(); n != 1 {
				t.Errorf("%d PUTs, want exactly one", n)
			}
			_, err = s.Head(t.Context(), "k", "")
			wants(t, err, archive.ErrUncertain)
			_, err = s.Now(t.Context())
			wants(t, err, archive.ErrUncertain)
			_, err = s.Settings(t.Context())
			wants(t, err, archive.ErrUncertain)
			_, err = s.Check(t.Context(), s3lock.Policy{})
			wants(t, err, archive.ErrUncertain)
		})
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := open(t, configFor("http://"+l.Addr().String()))
	_, err = s.Create(t.Context(), "k", nil, options(nil))
	wants(t, err, archive.ErrUncertain, "no answer", "refused", "check the network")
}

func TestContextEndsDuringRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := replying(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	_, err := s.Create(ctx, "k", nil, options(nil))
	wants(t, err, context.Canceled, `create "logs/k"`)
}

func TestNoCredentials(t *testing.T) {
	asked := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer srv.Close()
	c := configFor(srv.URL)
	c.AWS.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no EC2 IMDS role found")
	})
	_, err := open(t, c).Create(t.Context(), "k", nil, options(nil))
	wants(t, err, archive.ErrUncertain, "nothing was sent", "no usable AWS credentials", "AWS_PROFILE")
	if asked {
		t.Error("a request was sent without credentials")
	}
}

func TestRefusedBeforeSending(t *testing.T) {
	s := replying(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	o := options(nil)
	o.RetainUntil = o.RetainUntil.Add(time.Millisecond)
	_, err := s.Create(t.Context(), "k", nil, o)
	wants(t, err, archive.ErrRefused, "whole seconds")
	wants(t, s.ExtendRetention(t.Context(), "k", "v1", o.RetainUntil), archive.ErrRefused, "whole seconds")
	wants(t, s.ExtendRetention(t.Context(), "k", "", options(nil).RetainUntil), archive.ErrRefused, "no version")
	wants(t, s.SetLegalHold(t.Context(), "k", "", true), archive.ErrRefused, "no version")
}

// A refused HEAD has no body; the reason is found all the same, and by one sentence before anything is written.
func TestReasonsBehindHead(t *testing.T) {
	srv, url := startDev(t, devserver.Config{Region: "us-east-1"})
	c := configFor(url)
	s := open(t, c)
	create(t, s, "k", []byte("x"))
	both := func(t *testing.T, s *s3lock.Store, want error, says string) {
		t.Helper()
		_, err := s.Now(t.Context())
		wants(t, err, want, says)
		_, err = s.Head(t.Context(), "k", "")
		wants(t, err, want, says)
		_, err = s.Settings(t.Context())
		wants(t, err, want, says)
	}
	for fault, says := range map[devserver.CredentialFault]string{
		devserver.TokenExpired:     "expired",
		devserver.AccessKeyUnknown: "does not know this access key",
		devserver.SignatureWrong:   "secret access key",
	} {
		srv.RejectCredentials("tester", fault)
		both(t, s, archive.ErrDenied, says)
	}
	srv.RejectCredentials("tester", devserver.CredentialsAccepted)

	elsewhere := c
	elsewhere.Region = "eu-west-1"
	both(t, open(t, elsewhere), archive.ErrRefused, "region")

	missing := c
	missing.Bucket = "not-there"
	both(t, open(t, missing), archive.ErrNotFound, "")
	_, err := open(t, missing).Now(t.Context())
	wants(t, err, archive.ErrNotFound, `bucket "not-there"`, "check the bucket's name")

	srv.Deny("s3:*", "")
	both(t, s, archive.ErrDenied, "AccessDenied")
}

func TestBucketWithoutLock(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	if err := srv.CreateBucket("plain", false); err != nil {
		t.Fatal(err)
	}
	c := configFor(url)
	c.Bucket = "plain"
	_, err := open(t, c).Create(t.Context(), "k", nil, options(nil))
	wants(t, err, archive.ErrRefused, "Object Lock")
}

func TestReadsRetry(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	s := open(t, configFor(url))
	create(t, s, "k", []byte("body"))
	srv.Inject(devserver.Throttle("HeadObject", 3))
	if _, err := s.Head(t.Context(), "k", ""); err != nil {
		t.Errorf("not retried: %v", err)
	}
	srv.Inject(devserver.Throttle("HeadObject", 4))
	_, err := s.Head(t.Context(), "k", "")
	wants(t, err, archive.ErrThrottled)
	srv.Inject(devserver.Fault{Operation: "GetObject", Outcome: devserver.Truncated, Times: 3})
	if body, _, err := s.Get(t.Context(), "k", "", 100); err != nil || string(body) != "body" {
		t.Errorf("a broken body is not read again: %q, %v", body, err)
	}
	srv.Inject(devserver.Fault{Operation: "GetObject", Outcome: devserver.Truncated, Times: -1})
	_, _, err = s.Get(t.Context(), "k", "", 100)
	wants(t, err, archive.ErrUncertain)
}

// A create whose fault leaves it open is one request, whatever the fault.
func TestCreateIsOneAttempt(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	s := open(t, configFor(url))
	for name, f := range map[string]devserver.Fault{
		"lost":         {Outcome: devserver.Lost},
		"reply lost":   {Outcome: devserver.ReplyLost},
		"500 and lost": {Outcome: devserver.Lost, Status: 500, Code: "InternalError"},
		"500 and done": {Outcome: devserver.ReplyLost, Status: 500, Code: "InternalError"},
	} {
		srv.ResetCounts()
		f.Operation = "PutObject"
		srv.Inject(f)
		_, err := s.Create(t.Context(), name, []byte("x"), options([]byte("x")))
		wants(t, err, archive.ErrUncertain)
		if counts := srv.Counts(); counts["PutObject"] != 1 || len(counts) != 1 {
			t.Errorf("%s: requests %v", name, counts)
		}
		_, err = s.Create(t.Context(), name, []byte("x"), options([]byte("x")))
		if f.Outcome == devserver.ReplyLost {
			wants(t, err, archive.ErrExists)
		} else if err != nil {
			t.Errorf("%s: the repetition failed: %v", name, err)
		}
	}
}
