package archive

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// Genesis is line 1 of log.json: what a log is, who its authorities are, and the policy it began with.
type Genesis struct {
	Format           string            `json:"format"`
	Origin           string            `json:"origin"`
	Nonce            string            `json:"nonce"` // 32 hex digits
	Created          Instant           `json:"created"`
	Home             Home              `json:"home"`
	Authorities      []keys.Authority  `json:"authorities"`
	Retention        RetentionPolicy   `json:"retention"`
	HeartbeatSeconds uint64            `json:"heartbeat_seconds"` // 0: streams declare no liveness by default
	Ext              map[string]string `json:"ext,omitempty"`
}

// RetentionPolicy is how long a log keeps what it is given.
type RetentionPolicy struct {
	Days    uint64 `json:"days"`     // kept at least this long
	MaxDays uint64 `json:"max_days"` // no lock may be longer than this: a guard against typing errors
}

// Names of the two authorities.
const (
	OnlineAuthority   = "online"
	RecoveryAuthority = "recovery"
)

// MaxRetentionDays is S3's own bound on a retention period: 100 years.
const MaxRetentionDays = 36500

const maxGenesisBytes = 64 << 10

// Log is a genesis together with its identity.
type Log struct {
	Genesis
	ID keys.LogID
	// Bytes is log.json as stored: two lines.
	Bytes []byte
}

// NewNonce returns a fresh nonce for a genesis.
func NewNonce() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// NewLog signs g with the online authority's key and returns the log. Format is filled in.
func NewLog(g Genesis, online *keys.AuthorityKey) (*Log, error) {
	g.Format = Format
	if err := g.check(); err != nil {
		return nil, err
	}
	line, err := lineobject.Marshal(g)
	if err != nil {
		return nil, err
	}
	b, err := signLine(keys.KindGenesis, keys.LogID(lineobject.HexDigest(line)), online.Signer(), g)
	if err != nil {
		return nil, err
	}
	return ParseLog(b)
}

// ParseLog parses log.json and checks the online authority's signature. The caller compares the ID with the one it has
// pinned: a log.json proves nothing by itself. Errors wrap ErrMalformed, ErrUnknownFormat or keys.ErrBadSignature.
func ParseLog(b []byte) (*Log, error) {
	if len(b) > maxGenesisBytes {
		return nil, fmt.Errorf("%w: log.json has %d bytes, over %d", ErrMalformed, len(b), maxGenesisBytes)
	}
	l := &Log{Bytes: b}
	o, err := parseLineObject(b, &l.Genesis)
	if err != nil {
		return nil, fmt.Errorf("log.json: %w", err)
	}
	if err := l.Genesis.check(); err != nil {
		return nil, fmt.Errorf("log.json: %w: %w", ErrMalformed, err)
	}
	l.ID = keys.LogID(lineobject.HexDigest(o.Line))
	online, _ := l.Authority(OnlineAuthority)
	if err := keys.VerifyLine(keys.KindGenesis, l.ID, online.ID(), online.PublicKey, o); err != nil {
		return nil, fmt.Errorf("log.json: %w", err)
	}
	return l, nil
}

func (g *Genesis) check() error {
	if err := CheckOrigin(g.Origin); err != nil {
		return err
	}
	if _, err := hex.DecodeString(g.Nonce); err != nil || len(g.Nonce) != 32 || !lowerHex(g.Nonce) {
		return fmt.Errorf("the nonce %q is not 32 lower-case hex digits", g.Nonce)
	}
	if err := errors.Join(g.Home.check(), g.Retention.check(), checkMap("ext", g.Ext)); err != nil {
		return err
	}
	if g.HeartbeatSeconds > 366*24*3600 {
		return fmt.Errorf("the heartbeat of %d seconds is over a year", g.HeartbeatSeconds)
	}
	return g.checkAuthorities()
}

func (p RetentionPolicy) check() error {
	if p.Days < 1 || p.Days > p.MaxDays || p.MaxDays > MaxRetentionDays {
		return fmt.Errorf("the retention of %d days, at most %d, is not within 1 to %d days", p.Days, p.MaxDays, MaxRetentionDays)
	}
	return nil
}

// check accepts what may name a bucket, without knowing the rules of every S3 server.
func (h Home) check() error {
	if err := checkText("the home's bucket", h.Bucket, 255); err != nil {
		return err
	}
	if h.Prefix != "" {
		if err := checkText("the home's prefix", h.Prefix, 512); err != nil {
			return err
		}
		if h.Prefix[0] == '/' || h.Prefix[len(h.Prefix)-1] == '/' {
			return fmt.Errorf("the home's prefix %q begins or ends with a slash", h.Prefix)
		}
	}
	if h.Region == "" {
		return nil
	}
	return checkText("the home's region", h.Region, 64)
}

func (g *Genesis) checkAuthorities() error {
	if len(g.Authorities) != 2 || g.Authorities[0].Name != OnlineAuthority || g.Authorities[1].Name != RecoveryAuthority {
		return errors.New("the authorities are not exactly online and recovery, in this order")
	}
	for _, a := range g.Authorities {
		if err := a.Valid(); err != nil {
			return err
		}
	}
	if g.Authorities[0].ID() == g.Authorities[1].ID() {
		return errors.New("both authorities have the same key")
	}
	return nil
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// CheckOrigin says whether s may name a log: 1 to 255 printable ASCII characters without space and '+', no scheme.
func CheckOrigin(s string) error {
	if len(s) < 1 || len(s) > 255 {
		return fmt.Errorf("the origin %q does not have 1 to 255 characters", s)
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '+' {
			return fmt.Errorf("the origin %q has a character other than printable ASCII without space and '+'", s)
		}
	}
	return nil
}

// Authority returns the authority of that name.
func (g *Genesis) Authority(name string) (keys.Authority, bool) {
	for _, a := range g.Authorities {
		if a.Name == name {
			return a, true
		}
	}
	return keys.Authority{}, false
}

// Retain returns the retain-until of something that is written when the store's clock shows now: the first midnight UTC
// not before now + days.
func Retain(now time.Time, days uint64) time.Time {
	t := now.UTC().Add(time.Duration(days) * 24 * time.Hour)
	day := t.Truncate(24 * time.Hour)
	if day.Before(t) {
		day = day.Add(24 * time.Hour)
	}
	return day
}

// Create writes log.json, locked to the policy's cap, and reads it back when another write was there first. ErrExists:
// the prefix holds a different log already.
func (l *Log) Create(ctx context.Context, s Store) (Placed, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return Placed{}, err
	}
	return put(ctx, s, GenesisKey, l.Bytes, "application/x-ndjson", Retain(now, l.Retention.MaxDays))
}

// OpenLog reads log.json, checks it and compares it with the pinned log ID; an empty pin skips the comparison, and the
// caller then has to say so. What somebody put over the pinned log.json is passed by: [Verify] reports it. ErrNotFound:
// there is no log under this prefix. ErrWrongLog: there is one, but none of its versions is the pinned one.
func OpenLog(ctx context.Context, s Store, pin keys.LogID) (*Log, error) {
	if pin == "" {
		b, _, err := s.Get(ctx, GenesisKey, "", maxGenesisBytes)
		if err != nil {
			return nil, fmt.Errorf("reading log.json: %w", err)
		}
		return ParseLog(b)
	}
	// The pin comes before the parser: an edited log.json must not pass for one of a later release.
	b, err := findVersion(ctx, s, GenesisKey, func(b []byte) bool { return lineobject.HexDigest(lineobject.FirstLine(b)) == string(pin) })
	if errors.Is(err, errNoVersion) {
		if other, parseErr := ParseLog(b); parseErr == nil {
			return nil, fmt.Errorf("%w: log.json is that of log %s, pinned is %s", ErrWrongLog, other.ID, pin)
		}
		return nil, fmt.Errorf("%w: no version of log.json is that of the pinned log %s", ErrWrongLog, pin)
	}
	if err != nil {
		return nil, fmt.Errorf("reading log.json: %w", err)
	}
	return ParseLog(b)
}

var errNoVersion = errors.New("no version is the one that is asked for")

// findVersion returns the bytes of the current version of a key, or if those are not the right ones, of the oldest that
// is: whoever may write can lay others over it. With errNoVersion the current version's bytes are returned.
func findVersion(ctx context.Context, s Store, key string, right func([]byte) bool) ([]byte, error) {
	b, _, err := s.Get(ctx, key, "", maxGenesisBytes)
	if err == nil && right(b) {
		return b, nil
	}
	if err != nil && !errors.Is(err, ErrDeleteMarker) && !errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	for g, listErr := range groups(ctx, s, key, "") {
		if listErr != nil || g.key != key {
			break // without a listing the current version is all there is to go by
		}
		for _, v := range g.originals() {
			if older, _, getErr := s.Get(ctx, key, v.VersionID, maxGenesisBytes); getErr == nil && right(older) {
				return older, nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return b, errNoVersion
}

// ErrWrongLog: something belongs to another log than the one pinned.
var ErrWrongLog = errors.New("wrong log")
