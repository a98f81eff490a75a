package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

// config is what the settings come to.
type config struct {
	Bucket, Prefix, Origin, Region, Endpoint string
	SecretsEndpoint                          string
	LogID                                    keys.LogID
	SigningSecret, AuthoritySecret           string
	ActsSecret                               string
	VerificationSecrets, SigningKeyEnv       string
	SignatureAlgorithm                       keys.Algorithm
	Retention, MaxRetention                  period
	Writer                                   string
	BatchEntries, BatchBytes                 int
	BatchAge                                 time.Duration
	Heartbeat                                heartbeat
	GiveUpAfter                              time.Duration
	Compression                              archive.Compression
	SSE, KMSKeyID                            string
	EnforceWORM                              bool
	TLSRequired                              tlsRule
	TLSMinVersion                            uint16
}

// setting is one row of the table that flags, environment, YAML and `wormlog config` are all made from.
type setting struct {
	name  string // in YAML; --name with '-' for '_', and WORMLOG_NAME in capitals
	group group
	value string // by default
	help  string
	set   func(*config, string) error
}

// group says which commands a setting has a flag on.
type group string

const (
	groupBucket group = "bucket" // where the archive is
	groupCopies group = "copies" // what HMACs are checked with
	groupInit   group = "init"   // what a new log is like
	groupWriter group = "writer" // who writes, and what objects are like
	groupWrite  group = "write"  // how entries are batched
)

var settings = []setting{
	{"bucket", groupBucket, "", "name of the bucket", text(func(c *config) *string { return &c.Bucket })},
	{"prefix", groupBucket, "", "the archive's place in the bucket; empty for its root", text(func(c *config) *string { return &c.Prefix })},
	{"region", groupBucket, "", "the bucket's region; empty for that of the AWS configuration", setRegion},
	{"endpoint", groupBucket, "", "an S3 server that is not AWS, named on purpose", endpoint(func(c *config) *string { return &c.Endpoint })},
	{"secrets_endpoint", groupBucket, "", "a Secrets Manager that is not AWS; empty for a loopback endpoint's own, else AWS", endpoint(func(c *config) *string { return &c.SecretsEndpoint })},
	{"log_id", groupBucket, "", "the log's ID, pinned: what init printed", setLogID},
	{"tls_required", groupBucket, "auto", "true, false (loopback endpoints only), or auto: all but loopback endpoints", setTLSRequired},
	{"tls_min_version", groupBucket, "1.2", "1.2 or 1.3", setTLSVersion},
	{"enforce_worm", groupBucket, "true", "refuse a bucket without Object Lock; false on loopback endpoints only", boolean(func(c *config) *bool { return &c.EnforceWORM })},

	{"signing_secret", groupWriter, "", "secret with the signing key; empty for wormlog/<origin>/<writer>", text(func(c *config) *string { return &c.SigningSecret })},
	{"verification_secrets", groupCopies, "", "prefix of the secrets with the verification copies; empty for wormlog/<origin>/verification", text(func(c *config) *string { return &c.VerificationSecrets })},
	{"signing_key_env", groupWrite, "", "environment variable that holds the signing key itself; loopback endpoints only", text(func(c *config) *string { return &c.SigningKeyEnv })},

	{"origin", groupInit, "", "the log's name, a URL without scheme such as example.com/payments-audit", setOrigin},
	{"authority_secret", groupInit, "", "secret with the online authority's key; empty for wormlog/<origin>/authority", text(func(c *config) *string { return &c.AuthoritySecret })},
	{"acts_secret", groupInit, "", "secret with the key of role authority, which signs acts; empty for wormlog/<origin>/acts", text(func(c *config) *string { return &c.ActsSecret })},
	{"signature_algorithm", groupInit, "hmac-sha256", "how entries are signed: hmac-sha256 or ed25519", setAlgorithm},
	{"max_retention", groupInit, "", "the longest retention ever asked for, a guard against typing errors; log.json is locked for so long; empty for twice the retention, at least 180d more than it", setPeriod(func(c *config) *period { return &c.MaxRetention })},

	{"writer", groupWriter, "main", "first part of the stream names: whoever writes", setWriter},
	{"retention", groupWriter, "", "how long entries are kept, such as 2557d, or until which date; empty for 2557d in init, and as the log says in write", setPeriod(func(c *config) *period { return &c.Retention })},
	{"heartbeat_interval", groupWriter, "", "how often an idle stream shows that it is alive, or none; empty for 1h in init, and as the log says in write", setHeartbeat},
	{"batch_entries", groupWrite, "10000", "a batch is sealed at so many entries", integer(func(c *config) *int { return &c.BatchEntries })},
	{"batch_bytes", groupWrite, "4MiB", "… or at so many bytes", setBytes(func(c *config) *int { return &c.BatchBytes })},
	{"batch_age", groupWrite, "2s", "… or when its first entry is so old", duration(func(c *config) *time.Duration { return &c.BatchAge })},
	{"give_up_after", groupWrite, "15m", "end with an error if one object could not be written for so long; 0 for never", duration(func(c *config) *time.Duration { return &c.GiveUpAfter })},
	{"durability", groupWrite, "archived", "what an acknowledgement promises; only archived so far", setDurability},
	{"compression", groupWrite, "fastest", "fastest, default or better", setCompression},
	{"sse", groupWriter, "", "encryption: AES256, aws:kms or aws:kms:dsse; empty for the bucket's own", text(func(c *config) *string { return &c.SSE })},
	{"kms_key_id", groupWriter, "", "key for aws:kms", text(func(c *config) *string { return &c.KMSKeyID })},
}

// later are names that the design knows and this release does not have: refused, with the reason.
var later = map[string]string{
	"key_rotation_days": "keys are not rotated by this release; leave it out",
	"spool_dir":         "this release has no spool: an acknowledgement always means archived; leave it out",
}

func (s setting) flag() string { return strings.ReplaceAll(s.name, "_", "-") }

func text(at func(*config) *string) func(*config, string) error {
	return func(c *config, v string) error { *at(c) = v; return nil }
}

func integer(at func(*config) *int) func(*config, string) error {
	return func(c *config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n <= 0 {
			return errors.New("it is a whole number above 0")
		}
		*at(c) = n
		return nil
	}
}

func boolean(at func(*config) *bool) func(*config, string) error {
	return func(c *config, v string) error {
		if v != "true" && v != "false" {
			return errors.New("it is true or false")
		}
		*at(c) = v == "true"
		return nil
	}
}

func duration(at func(*config) *time.Duration) func(*config, string) error {
	return func(c *config, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return errors.New("it is a time such as 500ms, 2s or 15m")
		}
		*at(c) = d
		return nil
	}
}

// setBytes takes 8388608, 8MiB, 512KiB.
func setBytes(at func(*config) *int) func(*config, string) error {
	return func(c *config, v string) error {
		digits, shift := v, 0
		for unit, by := range map[string]int{"KiB": 10, "MiB": 20} {
			if d, ok := strings.CutSuffix(v, unit); ok {
				digits, shift = d, by
			}
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 31)
		if err != nil || n == 0 || n<<shift > 1<<31 {
			return errors.New("it is a number of bytes such as 8MiB or 512KiB")
		}
		*at(c) = int(n << shift)
		return nil
	}
}

func endpoint(at func(*config) *string) func(*config, string) error {
	return func(c *config, v string) error {
		*at(c) = v
		if v == "" {
			return nil
		}
		u, err := url.Parse(v)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			return errors.New("it is a URL such as https://host, or http://127.0.0.1:port")
		case u.User != nil:
			*at(c) = ""
			return errors.New("it holds credentials; leave them to the AWS configuration")
		case u.Scheme == "http" && !loopback(v):
			return errors.New("plain http is for loopback endpoints; use https")
		}
		return nil
	}
}

func loopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func setRegion(c *config, v string) error {
	c.Region = v
	if strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return errors.New("it is the name of a region, such as eu-central-1")
	}
	return nil
}

func setLogID(c *config, v string) error {
	c.LogID = keys.LogID(v)
	if v == "" {
		return nil
	}
	return c.LogID.Valid()
}

func setOrigin(c *config, v string) error {
	c.Origin = v
	if v == "" {
		return nil
	}
	if strings.Contains(v, "://") {
		return errors.New("it is a URL without its scheme, such as example.com/payments-audit")
	}
	return archive.CheckOrigin(v)
}

func setWriter(c *config, v string) error {
	c.Writer = v
	name, err := archive.ParseStreamName(v + ".01ARZ3NDEKTSV4RRFFQ69G5FAV")
	if err != nil {
		return errors.New("it is 1 to 63 of a-z, 0-9 and '-', and does not begin with '-'")
	}
	if role := name.Role(); role != keys.RoleWriter {
		return fmt.Errorf("streams of %s belong to the role of that name; choose another", role)
	}
	return nil
}

func setAlgorithm(c *config, v string) error {
	c.SignatureAlgorithm = keys.Algorithm(v)
	if c.SignatureAlgorithm != keys.AlgorithmHMACSHA256 && c.SignatureAlgorithm != keys.AlgorithmEd25519 {
		return errors.New("it is hmac-sha256 or ed25519")
	}
	return nil
}

func setDurability(_ *config, v string) error {
	if v != string(archive.Archived) {
		return errors.New("this release acknowledges entries that are in the archive only; it is archived")
	}
	return nil
}

func setCompression(c *config, v string) error {
	c.Compression = archive.Compression(v)
	switch c.Compression {
	case archive.CompressionFastest, archive.CompressionDefault, archive.CompressionBetter:
		return nil
	}
	return errors.New("it is fastest, default or better")
}

// tlsRule says when a connection must be encrypted.
type tlsRule string

func setTLSRequired(c *config, v string) error {
	c.TLSRequired = tlsRule(v)
	if v != "auto" && v != "true" && v != "false" {
		return errors.New("it is auto, true or false")
	}
	return nil
}

func setTLSVersion(c *config, v string) error {
	switch v {
	case "1.2":
		c.TLSMinVersion = tls.VersionTLS12
	case "1.3":
		c.TLSMinVersion = tls.VersionTLS13
	default:
		return errors.New("it is 1.2 or 1.3")
	}
	return nil
}

// heartbeat is how often an idle stream writes; unset leaves it to the log.
type heartbeat struct {
	set   bool
	every time.Duration // 0: never
}

func setHeartbeat(c *config, v string) error {
	c.Heartbeat = heartbeat{}
	if v == "" {
		return nil
	}
	c.Heartbeat.set = true
	if v == "none" {
		return nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < time.Second || d%time.Second != 0 {
		return errors.New("it is none, or whole seconds such as 30m or 1h")
	}
	c.Heartbeat.every = d
	return nil
}

// period is a number of days, or the days until a date.
type period struct {
	days  uint64
	until time.Time // midnight UTC; zero if days were given
}

func setPeriod(at func(*config) *period) func(*config, string) error {
	return func(c *config, v string) (err error) {
		*at(c), err = parsePeriod(v)
		return err
	}
}

func parsePeriod(v string) (period, error) {
	wrong := errors.New("it is a number of days such as 2557d, or a date such as 2033-12-31")
	if v == "" {
		return period{}, nil
	}
	if t, err := time.Parse(time.DateOnly, v); err == nil {
		return period{until: t}, nil
	}
	digits, ok := strings.CutSuffix(v, "d")
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil {
		return period{}, wrong
	}
	if n < 1 || n > archive.MaxRetentionDays {
		return period{}, fmt.Errorf("it is 1d to %dd", archive.MaxRetentionDays)
	}
	return period{days: n}, nil
}

// from returns the days of the period when the store's clock shows now; 0 if it was not given. What is written then is
// kept until the date, if that was given.
func (p period) from(now time.Time) (uint64, error) {
	if p.until.IsZero() {
		return p.days, nil
	}
	left := p.until.Sub(now)
	days := int64(left / (24 * time.Hour))
	if left%(24*time.Hour) > 0 {
		days++
	}
	if left <= 0 || days < 1 || days > archive.MaxRetentionDays {
		return 0, fmt.Errorf("the retention until %s is not 1 to %d days from now", p.until.Format(time.DateOnly), archive.MaxRetentionDays)
	}
	return uint64(days), nil
}
