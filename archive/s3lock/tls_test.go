package s3lock_test

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/archive/s3lock"
)

// startTLS puts TLS of at most the version before a devserver, and returns its URL and the file of its certificate.
func startTLS(t *testing.T, highest uint16) (url, certificate string) {
	t.Helper()
	dev, _ := startDev(t, devserver.Config{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(dev.ServeHTTP))
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: highest}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	certificate = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(certificate, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return srv.URL, certificate
}

func TestTLS(t *testing.T) {
	for name, test := range map[string]struct {
		highest, least uint16
		trusted, works bool
	}{
		"AWS_CA_BUNDLE is taken":  {tls.VersionTLS13, 0, true, true},
		"TLS 1.2 by default":      {tls.VersionTLS12, 0, true, true},
		"TLS 1.1 is too old":      {tls.VersionTLS11, 0, true, false},
		"TLS 1.3 if asked for":    {tls.VersionTLS12, tls.VersionTLS13, true, false},
		"certificate not trusted": {tls.VersionTLS13, 0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			url, certificate := startTLS(t, test.highest)
			env := map[string]string{"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret of the tester", "AWS_REGION": "us-east-1"}
			if test.trusted {
				env["AWS_CA_BUNDLE"] = certificate
			}
			environment(t, env)
			s := open(t, s3lock.Config{Bucket: bucket, Endpoint: url, TLSMinVersion: test.least, Attempts: 1})
			_, err := s.Now(t.Context())
			if test.works != (err == nil) {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				wants(t, err, archive.ErrUncertain, "certificate")
				return
			}
			create(t, s, "k", []byte("x"))
		})
	}
}
