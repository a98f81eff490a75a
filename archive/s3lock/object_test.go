package s3lock_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
)

const body = "the body"

// object answers as S3 does for a locked version; the headers given replace or, when empty, remove its own.
func object(headers map[string]string) http.HandlerFunc {
	sum := sha256.Sum256([]byte(body))
	all := map[string]string{
		"Date":                                "Sun, 22 Nov 2026 17:26:00 GMT",
		"Last-Modified":                       "Sun, 22 Nov 2026 17:25:00 GMT",
		"Content-Length":                      strconv.Itoa(len(body)),
		"X-Amz-Version-Id":                    "v1",
		"X-Amz-Checksum-Sha256":               base64.StdEncoding.EncodeToString(sum[:]),
		"X-Amz-Checksum-Type":                 "FULL_OBJECT",
		"X-Amz-Object-Lock-Mode":              "COMPLIANCE",
		"X-Amz-Object-Lock-Retain-Until-Date": "2033-11-22T00:00:00.000Z",
		"X-Amz-Object-Lock-Legal-Hold":        "OFF",
	}
	for name, value := range headers {
		all[name] = value
	}
	return func(w http.ResponseWriter, r *http.Request) {
		for name, value := range all {
			if value != "" {
				w.Header().Set(name, value)
			} else {
				w.Header()[name] = nil // not even a Date of net/http's
			}
		}
		if r.Method == http.MethodGet {
			io.WriteString(w, body)
		}
	}
}

func TestHeadReply(t *testing.T) {
	want := archive.Object{
		Key: "k", VersionID: "v1", Size: int64(len(body)), SHA256: sha256.Sum256([]byte(body)), HasSHA256: true,
		LastModified: time.Date(2026, 11, 22, 17, 25, 0, 0, time.UTC), Date: time.Date(2026, 11, 22, 17, 26, 0, 0, time.UTC),
		Lock: archive.Lock{Mode: archive.Compliance, RetainUntil: time.Date(2033, 11, 22, 0, 0, 0, 0, time.UTC)},
	}
	type headers = map[string]string
	for name, test := range map[string]struct {
		headers headers
		change  func(*archive.Object)
	}{
		"as S3":                {nil, func(*archive.Object) {}},
		"hold":                 {headers{"X-Amz-Object-Lock-Legal-Hold": "ON"}, func(o *archive.Object) { o.Lock.LegalHold = true }},
		"governance":           {headers{"X-Amz-Object-Lock-Mode": "GOVERNANCE"}, func(o *archive.Object) { o.Lock.Mode = archive.Governance }},
		"unknown mode":         {headers{"X-Amz-Object-Lock-Mode": "SOMETHING"}, func(o *archive.Object) { o.Lock.Mode = "SOMETHING" }},
		"fraction of a second": {headers{"X-Amz-Object-Lock-Retain-Until-Date": "2033-11-22T00:00:00.999Z"}, func(*archive.Object) {}},
		"event hold": {headers{"X-Amz-Object-Lock-Event-Hold": "ON", "X-Amz-Object-Lock-Event-Hold-Duration-Days": "2557",
			"X-Amz-Object-Lock-Event-Hold-Duration-Years": "7"}, func(*archive.Object) {}},
		"replica":               {headers{"X-Amz-Replication-Status": "REPLICA"}, func(o *archive.Object) { o.Replica = true }},
		"replicated original":   {headers{"X-Amz-Replication-Status": "COMPLETED"}, func(*archive.Object) {}},
		"encryption":            {headers{"X-Amz-Server-Side-Encryption": "aws:kms"}, func(o *archive.Object) { o.Encryption = "aws:kms" }},
		"checksum without type": {headers{"X-Amz-Checksum-Type": ""}, func(*archive.Object) {}},
		"composite checksum": {headers{"X-Amz-Checksum-Type": "COMPOSITE"},
			func(o *archive.Object) { o.HasSHA256, o.SHA256 = false, [32]byte{} }},
		"composite checksum by its form": {headers{"X-Amz-Checksum-Type": "", "X-Amz-Checksum-Sha256": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=-2"},
			func(o *archive.Object) { o.HasSHA256, o.SHA256 = false, [32]byte{} }},
		"other checksums": {headers{"X-Amz-Checksum-Type": "FULL_OBJECT", "X-Amz-Checksum-Sha256": "", "X-Amz-Checksum-Xxhash128": "AAAA", "X-Amz-Checksum-New": "?"},
			func(o *archive.Object) { o.HasSHA256, o.SHA256 = false, [32]byte{} }},
		"unversioned bucket": {headers{"X-Amz-Version-Id": ""}, func(o *archive.Object) { o.VersionID = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			s := replying(t, object(test.headers))
			expected := want
			test.change(&expected)
			got, err := s.Head(t.Context(), "k", "")
			if err != nil || got != expected {
				t.Errorf("head: %+v, %v\nwant %+v", got, err, expected)
			}
			bytes, got, err := s.Get(t.Context(), "k", "", 100)
			if err != nil || got != expected || string(bytes) != body {
				t.Errorf("get: %q %+v, %v\nwant %+v", bytes, got, err, expected)
			}
		})
	}
}

func TestOddReplies(t *testing.T) {
	for name, headers := range map[string]map[string]string{
		"no date":            {"Date": ""},
		"no last modified":   {"Last-Modified": ""},
		"mode without date":  {"X-Amz-Object-Lock-Retain-Until-Date": ""},
		"date without sense": {"X-Amz-Object-Lock-Retain-Until-Date": "tomorrow"},
	} {
		t.Run(name, func(t *testing.T) {
			s := replying(t, object(headers))
			_, err := s.Head(t.Context(), "k", "")
			wants(t, err, archive.ErrUncertain)
			_, _, err = s.Get(t.Context(), "k", "", 100)
			wants(t, err, archive.ErrUncertain)
		})
	}
}

func TestDeleteMarkerReplies(t *testing.T) {
	for _, test := range []struct {
		status int
		marker bool
		want   error
	}{
		{405, true, archive.ErrDeleteMarker},
		{405, false, archive.ErrDeleteMarker},
		{404, true, archive.ErrDeleteMarker},
		{404, false, archive.ErrNotFound},
	} {
		s := replying(t, func(w http.ResponseWriter, r *http.Request) {
			if test.marker {
				w.Header().Set("X-Amz-Delete-Marker", "true")
			}
			refuse(w, test.status, "")
		})
		_, err := s.Head(t.Context(), "k", "")
		wants(t, err, test.want)
		_, _, err = s.Get(t.Context(), "k", "v1", 10)
		wants(t, err, test.want)
	}
}

func TestMalformedVersionIDNamesNoVersion(t *testing.T) {
	s := replying(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		if r.Method != http.MethodHead {
			io.WriteString(w, "<Error><Code>InvalidArgument</Code><Message>Invalid version id specified</Message></Error>")
		}
	})
	_, err := s.Head(t.Context(), "k", "no-such")
	wants(t, err, archive.ErrNotFound)
	_, _, err = s.Get(t.Context(), "k", "no-such", 10)
	wants(t, err, archive.ErrNotFound)
	wants(t, s.SetLegalHold(t.Context(), "k", "no-such", true), archive.ErrNotFound)
}

func TestGetLimits(t *testing.T) {
	chunked := object(map[string]string{"Content-Length": ""})
	for limit, want := range map[int64]error{0: archive.ErrTooLarge, 7: archive.ErrTooLarge, 8: nil, 9: nil} {
		for name, handler := range map[string]http.HandlerFunc{"announced": object(nil), "chunked": chunked} {
			got, o, err := replying(t, handler).Get(t.Context(), "k", "", limit)
			if want != nil {
				wants(t, err, want)
			} else if err != nil || string(got) != body || o.Size != int64(len(body)) {
				t.Errorf("%s, limit %d: %q, size %d, %v", name, limit, got, o.Size, err)
			}
		}
	}
}

// An endless body costs no more than the limit.
func TestGetEndlessBody(t *testing.T) {
	s := replying(t, func(w http.ResponseWriter, r *http.Request) {
		for chunk := bytes.Repeat([]byte("x"), 1<<16); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	_, _, err := s.Get(t.Context(), "k", "", 1<<20)
	wants(t, err, archive.ErrTooLarge)
}

func TestShortBody(t *testing.T) {
	requests := 0
	s := replying(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		object(map[string]string{"Content-Length": "100"})(w, r)
	})
	_, _, err := s.Get(t.Context(), "k", "", 1000)
	wants(t, err, archive.ErrUncertain, "broke off")
	if requests != 2 {
		t.Errorf("%d attempts, want 2", requests)
	}
}

// Bytes that do not fit their own checksum are read again, once more than that they are the caller's to judge.
func TestCorruptBody(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	c := configFor(url)
	s := open(t, c)
	created := create(t, s, "k", []byte("as it was"))
	if err := srv.Raw().CorruptBody(bucket, c.Prefix+"/k", created.VersionID, []byte("as it is.")); err != nil {
		t.Fatal(err)
	}
	srv.ResetCounts()
	got, o, err := s.Get(t.Context(), "k", created.VersionID, 100)
	if err != nil || string(got) != "as it is." || o.SHA256 != sha256.Sum256([]byte("as it was")) {
		t.Errorf("%q, %+v, %v", got, o, err)
	}
	if n := srv.Counts()["GetObject"]; n != 4 {
		t.Errorf("%d attempts, want 4", n)
	}
}

func TestCreateReply(t *testing.T) {
	sum := sha256.Sum256([]byte(body))
	other := sha256.Sum256(nil)
	for name, test := range map[string]struct {
		headers map[string]string
		says    string
	}{
		"no version":     {map[string]string{"Date": "Sun, 22 Nov 2026 17:26:00 GMT"}, "not versioned"},
		"null version":   {map[string]string{"X-Amz-Version-Id": "null"}, "not versioned"},
		"no date":        {map[string]string{"X-Amz-Version-Id": "v1", "Date": ""}, "Date"},
		"other checksum": {map[string]string{"X-Amz-Version-Id": "v1", "X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(other[:])}, "another SHA-256"},
	} {
		t.Run(name, func(t *testing.T) {
			s := replying(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				for name, value := range test.headers {
					w.Header()[name] = nil
					if value != "" {
						w.Header().Set(name, value)
					}
				}
			})
			_, err := s.Create(t.Context(), "k", []byte(body), options([]byte(body)))
			wants(t, err, archive.ErrUncertain, test.says)
		})
	}
	s := replying(t, func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		for name, want := range map[string]string{
			"If-None-Match": "*", "X-Amz-Object-Lock-Mode": "COMPLIANCE", "X-Amz-Object-Lock-Retain-Until-Date": "2033-11-22T00:00:00Z",
			"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(sum[:]), "X-Amz-Content-Sha256": fmt.Sprintf("%x", sum),
			"Content-Type": "application/zstd", "X-Amz-Server-Side-Encryption": "", "Content-Length": "8",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("header %s is %q, want %q", name, got, want)
			}
		}
		if string(sent) != body || r.URL.Path != "/audit/logs/a=b/k" || len(r.TransferEncoding) > 0 {
			t.Errorf("sent %q to %s", sent, r.URL.Path)
		}
		w.Header().Set("X-Amz-Version-Id", "v1")
		w.Header().Set("Date", "Sun, 22 Nov 2026 17:26:00 GMT")
	})
	created, err := s.Create(t.Context(), "a=b/k", []byte(body), archive.CreateOptions{
		RetainUntil: time.Date(2033, 11, 22, 0, 0, 0, 0, time.UTC), SHA256: sum, ContentType: "application/zstd",
	})
	if want := (archive.Created{VersionID: "v1", Date: time.Date(2026, 11, 22, 17, 26, 0, 0, time.UTC)}); err != nil || created != want {
		t.Errorf("%+v, %v", created, err)
	}
}

func TestEncryptionAsConfigured(t *testing.T) {
	_, url := startDev(t, devserver.Config{})
	c := configFor(url)
	c.SSE, c.KMSKeyID = "aws:kms", "alias/audit"
	s := open(t, c)
	create(t, s, "k", nil)
	if o, err := s.Head(t.Context(), "k", ""); err != nil || o.Encryption != "aws:kms" {
		t.Errorf("%+v, %v", o, err)
	}
}

// Locks that a missing permission hides are hidden, and an unlocked version is unlocked.
func TestHiddenLocks(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	c := configFor(url)
	writer := underTest(t, c)
	create(t, writer.Store, "segments/locked", nil)
	if _, err := writer.PutVersion(t.Context(), "segments/open", nil); err != nil {
		t.Fatal(err)
	}
	type hidden struct{ retention, hold bool }
	for name, test := range map[string]struct {
		deny []string
		want hidden
	}{
		"nothing denied":   {},
		"retention denied": {[]string{"s3:GetObjectRetention"}, hidden{retention: true}},
		"hold denied":      {[]string{"s3:GetObjectLegalHold"}, hidden{hold: true}},
		"both denied":      {[]string{"s3:GetObjectRetention", "s3:GetObjectLegalHold"}, hidden{true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, action := range test.deny {
				defer srv.Deny(action, "")()
			}
			s := open(t, c)
			for range 2 { // the second time from memory
				for _, key := range []string{"segments/locked", "segments/open"} {
					o, err := s.Head(t.Context(), key, "")
					if err != nil {
						t.Fatal(err)
					}
					if got := (hidden{o.RetentionHidden, o.HoldHidden}); got != test.want {
						t.Errorf("%s: hidden %+v, want %+v", key, got, test.want)
					}
					if locked := o.Lock.Mode != ""; locked != (key == "segments/locked" && !test.want.retention) {
						t.Errorf("%s: lock %+v", key, o.Lock)
					}
				}
			}
		})
	}
}

// A probe that fails otherwise is an error: nothing may be guessed.
func TestProbeThatFails(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	c := configFor(url)
	c.Attempts = 1
	writer := underTest(t, c)
	if _, err := writer.PutVersion(t.Context(), "k", nil); err != nil {
		t.Fatal(err)
	}
	for _, operation := range []string{"GetObjectRetention", "GetObjectLegalHold"} {
		for outcome, want := range map[int]error{500: archive.ErrUncertain, 0: archive.ErrUncertain} {
			remove := srv.Inject(devserver.Fault{Operation: operation, Times: -1, Status: outcome, Code: "InternalError"})
			_, err := open(t, c).Head(t.Context(), "k", "")
			wants(t, err, want)
			remove()
		}
		remove := srv.Inject(devserver.Throttle(operation, -1))
		_, err := open(t, c).Head(t.Context(), "k", "")
		wants(t, err, archive.ErrThrottled, "of \""+c.Prefix+"/k\"")
		remove()
	}
}

// Probes are rare: locked versions without a hold cost one for each part of the archive, unlocked ones one each.
func TestProbesAreRare(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	c := configFor(url)
	writer := underTest(t, c)
	for i := range 5 {
		create(t, writer.Store, fmt.Sprintf("segments/%d", i), nil)
		create(t, writer.Store, fmt.Sprintf("control/verifier/%d", i), nil)
	}
	s := open(t, c)
	srv.ResetCounts()
	for i := range 5 {
		for _, part := range []string{"segments", "control/verifier"} {
			if _, err := s.Head(t.Context(), fmt.Sprintf("%s/%d", part, i), ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	counts := srv.Counts()
	if counts["HeadObject"] != 10 || counts["GetObjectLegalHold"] != 2 || counts["GetObjectRetention"] != 0 {
		t.Errorf("requests: %v", counts)
	}
	if _, err := writer.PutVersion(t.Context(), "segments/open", nil); err != nil {
		t.Fatal(err)
	}
	srv.ResetCounts()
	for range 3 {
		if _, err := s.Head(t.Context(), "segments/open", ""); err != nil {
			t.Fatal(err)
		}
	}
	counts = srv.Counts()
	if counts["GetObjectLegalHold"] != 3 || counts["GetObjectRetention"] != 3 {
		t.Errorf("requests for an unlocked version: %v", counts)
	}
}

// A hold on an old version is seen even on a server whose HEAD shows no lock of old versions (versitygw).
func TestHoldBehindMissingHeaders(t *testing.T) {
	s := replying(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Has("retention"):
			io.WriteString(w, "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2033-11-22T00:00:00Z</RetainUntilDate></Retention>")
		case r.URL.Query().Has("legal-hold"):
			io.WriteString(w, "<LegalHold><Status>ON</Status></LegalHold>")
		case strings.HasSuffix(r.URL.Path, "/shown"):
			object(nil)(w, r)
		default:
			object(map[string]string{"X-Amz-Object-Lock-Mode": "", "X-Amz-Object-Lock-Retain-Until-Date": "", "X-Amz-Object-Lock-Legal-Hold": ""})(w, r)
		}
	})
	if _, err := s.Head(t.Context(), "segments/shown", ""); err != nil {
		t.Fatal(err)
	}
	o, err := s.Head(t.Context(), "segments/old", "v0")
	want := archive.Lock{Mode: archive.Compliance, RetainUntil: time.Date(2033, 11, 22, 0, 0, 0, 0, time.UTC), LegalHold: true}
	if err != nil || o.Lock != want || o.RetentionHidden || o.HoldHidden {
		t.Errorf("%+v, %v", o, err)
	}
}

// A verified copy may lie in a bucket without Object Lock, where the probes are answered by 400.
func TestBucketWithoutLockIsReadable(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	if err := srv.CreateBucket("plain", false); err != nil {
		t.Fatal(err)
	}
	c := configFor(url)
	c.Bucket = "plain"
	s := underTest(t, c)
	if _, err := s.PutVersion(t.Context(), "k", []byte("copy")); err != nil {
		t.Fatal(err)
	}
	o, err := s.Store.Head(t.Context(), "k", "")
	if err != nil || o.Lock != (archive.Lock{}) || o.RetentionHidden || o.HoldHidden {
		t.Errorf("%+v, %v", o, err)
	}
}
