package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

// Config is what the settings come to. Each field is the setting of that name; its meaning and default are in the table of
// [Settings].
type Config struct {
	Bucket, Prefix, Origin, Region, Endpoint string
	SecretsEndpoint                          string
	LogID                                    keys.LogID // empty: not pinned
	SigningSecret, AuthoritySecret           string
	ActsSecret                               string
	VerificationSecrets, SigningKeyEnv       string
	SignatureAlgorithm                       keys.Algorithm
	KeyRotationDays                          uint64 // 0: the age of keys is not judged
	Retention, MaxRetention                  Period
	Writer                                   string
	BatchEntries, BatchBytes                 int
	BatchAge                                 time.Duration
	Heartbeat                                Heartbeat
	GiveUpAfter                              time.Duration
	Compression                              archive.Compression
	SSE, KMSKeyID                            string
	EnforceWORM                              bool
	TLSRequired                              TLSRule
	TLSMinVersion                            uint16 // as crypto/tls numbers them
}

// Setting is one row of the table that flags, environment, YAML and `wormlog config` are all made from.
type Setting struct {
	Name    string // in YAML; --name with '-' for '_', and WORMLOG_NAME in capitals
	Group   Group
	Default string
	Help    string
	set     func(*Config, string) error
}

// Group says which commands a setting has a flag on.
type Group string

// The groups.
const (
	GroupBucket Group = "bucket" // where the archive is
	GroupCopies Group = "copies" // what HMACs are checked with
	GroupKeys   Group = "keys"   // how keys are looked after
	GroupInit   Group = "init"   // what a new log is like
	GroupWriter Group = "writer" // who writes, and what objects are like
	GroupWrite  Group = "write"  // how entries are batched
)

// Settings returns the table, in the order in which it is shown.
func Settings() []Setting { return slices.Clone(settings) }

var settings = []Setting{
	{"bucket", GroupBucket, "", "name of the bucket", text(func(c *Config) *string { return &c.Bucket })},
	{"prefix", GroupBucket, "", "the archive's place in the bucket; empty for its root", text(func(c *Config) *string { return &c.Prefix })},
	{"region", GroupBucket, "", "the bucket's region; empty for that of the AWS configuration", setRegion},
	{"endpoint", GroupBucket, "", "an S3 server that is not AWS, named on purpose", endpoint(func(c *Config) *string { return &c.Endpoint })},
	{"secrets_endpoint", GroupBucket, "", "a Secrets Manager that is not AWS; empty for a loopback endpoint's own, else AWS", endpoint(func(c *Config) *string { return &c.SecretsEndpoint })},
	{"log_id", GroupBucket, "", "the log's ID, pinned: what init printed", setLogID},
	{"tls_required", GroupBucket, "auto", "true, false (loopback endpoints only), or auto: all but loopback endpoints", setTLSRequired},
	{"tls_min_version", GroupBucket, "1.2", "1.2 or 1.3", setTLSVersion},
	{"enforce_worm", GroupBucket, "true", "refuse a bucket without Object Lock; false on loopback endpoints only", boolean(func(c *Config) *bool { return &c.EnforceWORM })},

	{"signing_secret", GroupWriter, "", "secret with the signing key; empty for wormlog/<origin>/<writer>", text(func(c *Config) *string { return &c.SigningSecret })},
	{"verification_secrets", GroupCopies, "", "prefix of the secrets with the verification copies; empty for wormlog/<origin>/verification", text(func(c *Config) *string { return &c.VerificationSecrets })},
	{"signing_key_env", GroupWrite, "", "environment variable that holds the signing key itself; loopback endpoints only", text(func(c *Config) *string { return &c.SigningKeyEnv })},

	{"origin", GroupInit, "", "the log's name, a URL without scheme such as example.com/payments-audit", setOrigin},
	{"authority_secret", GroupInit, "", "secret with the online authority's key; empty for wormlog/<origin>/authority", text(func(c *Config) *string { return &c.AuthoritySecret })},
	{"acts_secret", GroupInit, "", "secret with the key of role authority, which signs acts; empty for wormlog/<origin>/acts", text(func(c *Config) *string { return &c.ActsSecret })},
	{"signature_algorithm", GroupInit, "hmac-sha256", "how entries are signed: hmac-sha256 or ed25519", setAlgorithm},
	{"max_retention", GroupInit, "", "the longest retention ever asked for, a guard against typing errors; log.json is locked for so long; empty for twice the retention, at least 180d more than it", setPeriod(func(c *Config) *Period { return &c.MaxRetention })},

	{"key_rotation_days", GroupKeys, "90", "a writer's key is to be replaced when it is so many days old, 1 to 1000; none: its age is not judged", setRotationDays},

	{"writer", GroupWriter, "main", "first part of the stream names: whoever writes", setWriter},
	{"retention", GroupWriter, "", "how long entries are kept, such as 2557d, or until which date; empty for 2557d in init, and as the log says in write", setPeriod(func(c *Config) *Period { return &c.Retention })},
	{"heartbeat_interval", GroupWriter, "", "how often an idle stream shows that it is alive, or none; empty for 1h in init, and as the log says in write", setHeartbeat},
	{"batch_entries", GroupWrite, "10000", "a batch is sealed at so many entries", integer(func(c *Config) *int { return &c.BatchEntries })},
	{"batch_bytes", GroupWrite, "4MiB", "… or at so many bytes", setBytes(func(c *Config) *int { return &c.BatchBytes })},
	{"batch_age", GroupWrite, "2s", "… or when its first entry is so old", duration(func(c *Config) *time.Duration { return &c.BatchAge })},
	{"give_up_after", GroupWrite, "15m", "end with an error if one object could not be written for so long; 0 for never", duration(func(c *Config) *time.Duration { return &c.GiveUpAfter })},
	{"durability", GroupWrite, "archived", "what an acknowledgement promises; only archived so far", setDurability},
	{"compression", GroupWrite, "fastest", "fastest, default or better", setCompression},
	{"sse", GroupWriter, "", "encryption: AES256, aws:kms or aws:kms:dsse; empty for the bucket's own", text(func(c *Config) *string { return &c.SSE })},
	{"kms_key_id", GroupWriter, "", "key for aws:kms", text(func(c *Config) *string { return &c.KMSKeyID })},
}

// later are names that the design knows and this release does not have: refused, with the reason.
var later = map[string]string{
	"spool_dir": "this release has no spool: an acknowledgement always means archived; leave it out",
}

func (s Setting) flag() string { return strings.ReplaceAll(s.Name, "_", "-") }

func text(at func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error { *at(c) = v; return nil }
}

func integer(at func(*Config) *int) func(*Config, string) error {
	return func(c *Config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n <= 0 {
			return errors.New("it is a whole number above 0")
		}
		*at(c) = n
		return nil
	}
}

func boolean(at func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v != "true" && v != "false" {
			return errors.New("it is true or false")
		}
		*at(c) = v == "true"
		return nil
	}
}

func duration(at func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return errors.New("it is a time such as 500ms, 2s or 15m")
		}
		*at(c) = d
		return nil
	}
}

// setBytes takes 8388608, 8MiB, 512KiB.
func setBytes(at func(*Config) *int) func(*Config, string) error {
	return func(c *Config, v string) error {
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

func endpoint(at func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
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
		case u.Scheme == "http" && !Loopback(v):
			return errors.New("plain http is for loopback endpoints; use https")
		}
		return nil
	}
}

// Loopback says whether the endpoint, a URL, is on this machine.
func Loopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func setRegion(c *Config, v string) error {
	c.Region = v
	if strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return errors.New("it is the name of a region, such as eu-central-1")
	}
	return nil
}

func setLogID(c *Config, v string) error {
	c.LogID = keys.LogID(v)
	if v == "" {
		return nil
	}
	return c.LogID.Valid()
}

func setOrigin(c *Config, v string) error {
	c.Origin = v
	if v == "" {
		return nil
	}
	if strings.Contains(v, "://") {
		return errors.New("it is a URL without its scheme, such as example.com/payments-audit")
	}
	return archive.CheckOrigin(v)
}

func setWriter(c *Config, v string) error {
	c.Writer = v
	name, err := archive.ParseStreamName(v + ".01ARZ3NDEKTSV4RRFFQ69G5FAV")
	if v == string(keys.RoleOnline) {
		return fmt.Errorf("the name %s is reserved; choose another", v)
	}
	if err != nil {
		return errors.New("it is 1 to 63 of a-z, 0-9 and '-', and does not begin with '-'")
	}
	if role := name.Role(); role != keys.RoleWriter {
		return fmt.Errorf("streams of %s belong to the role of that name; choose another", role)
	}
	return nil
}

func setAlgorithm(c *Config, v string) error {
	c.SignatureAlgorithm = keys.Algorithm(v)
	if c.SignatureAlgorithm != keys.AlgorithmHMACSHA256 && c.SignatureAlgorithm != keys.AlgorithmEd25519 {
		return errors.New("it is hmac-sha256 or ed25519")
	}
	return nil
}

// maxRotationDays is the longest period of Secrets Manager's own schedule (API Reference, RotationRulesType,
// AutomaticallyAfterDays).
const maxRotationDays = 1000

func setRotationDays(c *Config, v string) error {
	c.KeyRotationDays = 0
	if v == "none" {
		return nil
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil || n < 1 || n > maxRotationDays {
		return fmt.Errorf("it is a number of days from 1 to %d, or none", maxRotationDays)
	}
	c.KeyRotationDays = n
	return nil
}

func setDurability(_ *Config, v string) error {
	if v != string(archive.Archived) {
		return errors.New("this release acknowledges entries that are in the archive only; it is archived")
	}
	return nil
}

func setCompression(c *Config, v string) error {
	c.Compression = archive.Compression(v)
	switch c.Compression {
	case archive.CompressionFastest, archive.CompressionDefault, archive.CompressionBetter:
		return nil
	}
	return errors.New("it is fastest, default or better")
}

// TLSRule says when connections must be encrypted: "true", "false", or "auto": with all but loopback endpoints.
type TLSRule string

func setTLSRequired(c *Config, v string) error {
	c.TLSRequired = TLSRule(v)
	if v != "auto" && v != "true" && v != "false" {
		return errors.New("it is auto, true or false")
	}
	return nil
}

func setTLSVersion(c *Config, v string) error {
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
