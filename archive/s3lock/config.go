package s3lock

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	"github.com/wormlog/wormlog/archive"
)

// Config says which bucket to use and how. Only Bucket is required.
type Config struct {
	// Bucket is the bucket's name; ARNs and access points are refused.
	Bucket string
	// Prefix is the archive's place in the bucket. Slashes at its ends are dropped. Empty means the bucket's root.
	Prefix string
	// Region is the bucket's region. Empty means the one of the AWS configuration.
	Region string
	// Endpoint names, on purpose, an S3 server that is not AWS: https, or http on a loopback address. Empty means S3 itself.
	Endpoint string
	// PathStyle puts the bucket into the URL's path, as most other servers want it. Loopback endpoints always do.
	PathStyle bool

	// SSE is the encryption asked for: AES256, aws:kms or aws:kms:dsse. Empty leaves it to the bucket.
	SSE string
	// KMSKeyID is the key for aws:kms. Empty means the account's own key for S3.
	KMSKeyID string

	// Attempts is how often a read, or a change of a lock, is tried at most. 0 means 4. A Create is tried once.
	Attempts int
	// MaxBackoff is the longest pause between two attempts. 0 means 10 s.
	MaxBackoff time.Duration
	// Timeout ends one request, body included. 0 means 2 minutes.
	Timeout time.Duration
	// TLSMinVersion is a version of crypto/tls. 0 means TLS 1.2; lower ones are refused.
	TLSMinVersion uint16

	// Logger hears of the resolved endpoint, and of what the SDK has to say. Nil discards it.
	Logger *slog.Logger
	// AWS replaces the configuration found in the environment, for tests. Its HTTPClient, if any, is used as it is.
	AWS *aws.Config
}

// Store is an [archive.Store] on one bucket. It may be used concurrently.
type Store struct {
	client   *s3.Client
	config   Config
	home     archive.Home
	endpoint string // scheme://host, as resolved

	holds holdMemory
}

var _ archive.Store = (*Store)(nil)

// Open prepares a Store. It sends nothing: whether the bucket exists and may be used shows at the first call, such as
// [Store.Now]. It fails if the configuration is wrong, or if the endpoint is neither S3's own nor named in c.
func Open(ctx context.Context, c Config) (*Store, error) {
	c, err := c.complete()
	if err != nil {
		return nil, fmt.Errorf("s3lock: %w", err)
	}
	cfg, err := c.awsConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("s3lock: %w", err)
	}
	s := &Store{config: c, home: archive.Home{Bucket: c.Bucket, Prefix: c.Prefix, Region: cfg.Region}}
	s.client = s3.NewFromConfig(cfg, c.clientOptions, s.guardRequests)
	if s.endpoint, err = resolveEndpoint(ctx, s.client.Options(), c); err != nil {
		return nil, fmt.Errorf("s3lock: %w", err)
	}
	c.Logger.InfoContext(ctx, "S3 endpoint resolved", "endpoint", s.endpoint, "bucket", c.Bucket, "prefix", c.Prefix,
		"region", cfg.Region, "named", c.Endpoint != "")
	return s, nil
}

// Home says which bucket this is.
func (s *Store) Home() archive.Home { return s.home }

// Endpoint is where the requests go, as scheme://host.
func (s *Store) Endpoint() string { return s.endpoint }

var (
	bucketName  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	encryptions = []string{"", string(types.ServerSideEncryptionAes256), string(types.ServerSideEncryptionAwsKms),
		string(types.ServerSideEncryptionAwsKmsDsse)}
)

// complete checks c and fills in what is left out.
func (c Config) complete() (Config, error) {
	if !bucketName.MatchString(c.Bucket) {
		return c, fmt.Errorf("%q is not a bucket name; give the name of a general purpose bucket", c.Bucket)
	}
	c.Prefix = strings.Trim(c.Prefix, "/")
	if c.Prefix != "" && path.Clean(c.Prefix) != c.Prefix || slices.Contains(strings.Split(c.Prefix, "/"), "..") {
		return c, fmt.Errorf("prefix %q has empty or dotted parts; use names parted by single slashes", c.Prefix)
	}
	if !slices.Contains(encryptions, c.SSE) {
		return c, fmt.Errorf("encryption %q is unknown; use AES256, aws:kms or aws:kms:dsse", c.SSE)
	}
	if c.KMSKeyID != "" && !strings.HasPrefix(c.SSE, "aws:kms") {
		return c, errors.New("a KMS key is named, but the encryption is not aws:kms; set both")
	}
	if c.TLSMinVersion != 0 && c.TLSMinVersion < tls.VersionTLS12 {
		return c, fmt.Errorf("%s is too old; the least is TLS 1.2", tls.VersionName(c.TLSMinVersion))
	}
	if err := checkNamed(c.Endpoint); err != nil {
		return c, err
	}
	c.Attempts = cmp.Or(c.Attempts, 4)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, 10*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 2*time.Minute)
	c.TLSMinVersion = cmp.Or(c.TLSMinVersion, tls.VersionTLS12)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func (c Config) awsConfig(ctx context.Context) (aws.Config, error) {
	cfg, err := c.loadAWS(ctx)
	if err != nil {
		return cfg, fmt.Errorf("cannot load the AWS configuration: %w", err)
	}
	if c.Region != "" {
		cfg.Region = c.Region
	}
	if cfg.Region == "" && isLoopback(hostOf(c.Endpoint)) {
		cfg.Region = "us-east-1" // any will do, but requests must be signed for one
	}
	if cfg.Region == "" {
		return cfg, errors.New("no region is configured; set the region of the bucket, or AWS_REGION")
	}
	cfg.Logger = sdkLogger{c.Logger}
	return cfg, nil
}

// loadAWS uses the SDK's own HTTP client: only that one takes the certificates of AWS_CA_BUNDLE.
func (c Config) loadAWS(ctx context.Context) (aws.Config, error) {
	if c.AWS != nil {
		cfg := c.AWS.Copy()
		if cfg.HTTPClient == nil {
			cfg.HTTPClient = c.httpClient()
		}
		return cfg, nil
	}
	return config.LoadDefaultConfig(ctx, config.WithHTTPClient(c.httpClient()))
}

func (c Config) httpClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(c.Timeout).WithTransportOptions(func(t *http.Transport) {
		if t.TLSClientConfig == nil {
			t.TLSClientConfig = &tls.Config{}
		}
		t.TLSClientConfig.MinVersion = c.TLSMinVersion
		t.MaxIdleConnsPerHost = 64 // verification reads many objects at once
	})
}

func (c Config) clientOptions(o *s3.Options) {
	if c.Endpoint != "" {
		o.BaseEndpoint = aws.String(c.Endpoint)
	}
	o.UsePathStyle = c.PathStyle || o.BaseEndpoint != nil && isLoopback(hostOf(*o.BaseEndpoint))
	o.UseAccelerate = false
	o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
		r.MaxAttempts = c.Attempts
		r.MaxBackoff = c.MaxBackoff
	})
	o.ClientLogMode = 0 // requests carry signatures and entries
	// Bodies are compared with their checksum here, where a mismatch can be told from a broken connection.
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
}

// sdkLogger passes the SDK's warnings on.
type sdkLogger struct{ logger *slog.Logger }

func (l sdkLogger) Logf(level logging.Classification, format string, args ...any) {
	to := slog.LevelDebug
	if level == logging.Warn {
		to = slog.LevelWarn
	}
	l.logger.Log(context.Background(), to, "AWS SDK: "+fmt.Sprintf(format, args...))
}
