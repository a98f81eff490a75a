package s3lock_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/archive/s3lock"
)

// environment sets the variables given, and clears all others that the SDK would read.
func environment(t *testing.T, set map[string]string) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") && name != "AWS_CA_BUNDLE" {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for name, value := range set {
		t.Setenv(name, value)
	}
}

func TestEndpointGuard(t *testing.T) {
	configFile := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(configFile, []byte("[default]\nendpoint_url = https://from-file.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	type env = map[string]string
	for name, test := range map[string]struct {
		env     env
		config  s3lock.Config
		want    string // the endpoint
		refused []string
	}{
		"aws":                     {config: s3lock.Config{Region: "eu-central-1"}, want: "https://audit.s3.eu-central-1.amazonaws.com"},
		"aws, dotted bucket":      {config: s3lock.Config{Bucket: "audit.example.com", Region: "eu-central-1"}, want: "https://s3.eu-central-1.amazonaws.com"},
		"region of environment":   {env: env{"AWS_REGION": "eu-west-1"}, want: "https://audit.s3.eu-west-1.amazonaws.com"},
		"china":                   {config: s3lock.Config{Region: "cn-north-1"}, want: "https://audit.s3.cn-north-1.amazonaws.com.cn"},
		"govcloud, FIPS":          {env: env{"AWS_USE_FIPS_ENDPOINT": "true"}, config: s3lock.Config{Region: "us-gov-west-1"}, want: "https://audit.s3-fips.us-gov-west-1.amazonaws.com"},
		"FIPS and dual stack":     {env: env{"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}, config: s3lock.Config{Region: "us-east-2"}, want: "https://audit.s3-fips.dualstack.us-east-2.amazonaws.com"},
		"european sovereign":      {config: s3lock.Config{Region: "eusc-de-east-1"}, want: "https://audit.s3.eusc-de-east-1.amazonaws.eu"},
		"VPC endpoint by setting": {env: env{"AWS_ENDPOINT_URL_S3": "https://bucket.vpce-0a1b-2c3d.s3.us-east-1.vpce.amazonaws.com"}, config: s3lock.Config{Region: "us-east-1"}, want: "https://audit.bucket.vpce-0a1b-2c3d.s3.us-east-1.vpce.amazonaws.com"},
		"named":                   {config: s3lock.Config{Endpoint: "https://minio.example:9000", PathStyle: true, Region: "us-east-1"}, want: "https://minio.example:9000"},
		"named loopback":          {config: s3lock.Config{Endpoint: "http://127.0.0.1:9000"}, want: "http://127.0.0.1:9000"},
		"named beats environment": {env: env{"AWS_ENDPOINT_URL": "https://evil.example"}, config: s3lock.Config{Endpoint: "http://[::1]:9000"}, want: "http://[::1]:9000"},

		"variable":              {env: env{"AWS_ENDPOINT_URL": "https://evil.example"}, config: s3lock.Config{Region: "us-east-1"}, refused: []string{"evil.example", "variable AWS_ENDPOINT_URL;"}},
		"variable for S3":       {env: env{"AWS_ENDPOINT_URL_S3": "https://evil.example", "AWS_ENDPOINT_URL": "https://x.example"}, config: s3lock.Config{Region: "us-east-1"}, refused: []string{"evil.example", "variable AWS_ENDPOINT_URL_S3;"}},
		"variable on loopback":  {env: env{"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, config: s3lock.Config{Region: "us-east-1"}, refused: []string{"127.0.0.1:1", "AWS_ENDPOINT_URL"}},
		"configuration file":    {env: env{"AWS_CONFIG_FILE": configFile}, config: s3lock.Config{Region: "us-east-1"}, refused: []string{"from-file.example", "configuration file (profile default)"}},
		"somebody's ELB":        {env: env{"AWS_ENDPOINT_URL": "https://s3-1234.us-east-1.elb.amazonaws.com"}, config: s3lock.Config{Region: "us-east-1"}, refused: []string{"elb.amazonaws.com", "not Amazon S3"}},
		"somebody's instance":   {env: env{"AWS_ENDPOINT_URL": "https://ec2-192-0-2-1.compute-1.amazonaws.com"}, config: s3lock.Config{Region: "us-east-1"}, refused: []string{"not Amazon S3"}},
		"look-alike":            {env: env{"AWS_ENDPOINT_URL": "https://s3.amazonaws.com.evil.example"}, config: s3lock.Config{Region: "us-east-1"}, refused: []string{"not Amazon S3"}},
		"look-alike suffix":     {env: env{"AWS_ENDPOINT_URL": "https://s3.evilamazonaws.com"}, config: s3lock.Config{Region: "us-east-1"}, refused: []string{"not Amazon S3"}},
		"AWS without TLS":       {env: env{"AWS_ENDPOINT_URL": "http://s3.us-east-1.amazonaws.com"}, config: s3lock.Config{Region: "us-east-1"}, refused: []string{"without TLS"}},
		"named without TLS":     {config: s3lock.Config{Endpoint: "http://minio.example:9000", Region: "us-east-1"}, refused: []string{"without TLS"}},
		"named with password":   {config: s3lock.Config{Endpoint: "https://user:pass@minio.example", Region: "us-east-1"}, refused: []string{"credentials"}},
		"named without scheme":  {config: s3lock.Config{Endpoint: "minio.example:9000", Region: "us-east-1"}, refused: []string{"not a URL"}},
		"named with ftp":        {config: s3lock.Config{Endpoint: "ftp://minio.example", Region: "us-east-1"}, refused: []string{"neither https nor http"}},
		"no region":             {refused: []string{"no region"}},
		"ARN for bucket":        {config: s3lock.Config{Bucket: "arn:aws:s3:us-east-1:1:accesspoint/x", Region: "us-east-1"}, refused: []string{"not a bucket name"}},
		"dotted prefix":         {config: s3lock.Config{Prefix: "a/../b", Region: "us-east-1"}, refused: []string{"prefix"}},
		"unknown encryption":    {config: s3lock.Config{SSE: "aws:kmz", Region: "us-east-1"}, refused: []string{"encryption"}},
		"KMS key without SSE":   {config: s3lock.Config{KMSKeyID: "k", Region: "us-east-1"}, refused: []string{"KMS"}},
		"TLS 1.0":               {config: s3lock.Config{TLSMinVersion: 0x0301, Region: "us-east-1"}, refused: []string{"TLS 1.0 is too old"}},
		"environment with none": {env: env{"AWS_ENDPOINT_URL": "https://evil.example", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, config: s3lock.Config{Region: "us-east-1"}, want: "https://audit.s3.us-east-1.amazonaws.com"},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, test.env)
			c := test.config
			if c.Bucket == "" {
				c.Bucket = "audit"
			}
			var log bytes.Buffer
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			s, err := s3lock.Open(t.Context(), c)
			if test.refused != nil {
				if err == nil {
					t.Fatalf("accepted: %s", s.Endpoint())
				}
				for _, part := range test.refused {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("the error does not say %q: %v", part, err)
					}
				}
				if strings.Contains(err.Error(), "pass@") {
					t.Errorf("the error shows a password: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Endpoint() != test.want {
				t.Errorf("endpoint %s, want %s", s.Endpoint(), test.want)
			}
			if !strings.Contains(log.String(), "endpoint="+test.want) {
				t.Errorf("the resolved endpoint is not logged: %s", log.String())
			}
		})
	}
}

// The environment that wormlog-dev prints works, with the endpoint named on purpose beside AWS_ENDPOINT_URL.
func TestEnvironmentConfiguration(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	environment(t, nil)
	for _, pair := range srv.Env(bucket) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	s := open(t, s3lock.Config{Bucket: bucket, Endpoint: url})
	create(t, s, "log.json", []byte("{}\n"))
	if home := s.Home(); home.Bucket != bucket || home.Prefix != "" || home.Region != "us-east-1" {
		t.Errorf("home is %+v", home)
	}
}
