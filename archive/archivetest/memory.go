package archivetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/leaks"
	"github.com/wormlog/wormlog/keys"
)

// TB is what [Memory] needs of a *testing.T.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Memory is an [archive.Store] in memory. It answers as S3 does, and besides fails the test at once when its caller
// breaks a rule that no caller may break:
//   - a create whose retain-until is zero, past or not in whole seconds, or whose SHA-256 is not the body's
//   - a retention made shorter, or a lock change that names no version
//
// Creating a key that exists is no such break, since a lost reply makes every writer do it once; creates of other bytes
// than the key holds are counted, see [Memory.Overwrites].
//
// All methods may be called concurrently. Version IDs are a function of bucket, key and the number of the version within
// the key, so a run is repeatable.
type Memory struct {
	tb   TB
	home archive.Home
	now  func() time.Time

	mu         sync.Mutex
	keys       []string // ascending
	objects    map[string]*history
	settings   archive.Settings
	pageSize   int
	misorder   Misorder
	denied     []denial
	overwrites []string
}

// history is what has happened to one key. It stays when its last version is gone, so that no version ID comes twice.
type history struct {
	versions []*RawVersion // newest first
	made     int           // version IDs given out
}

// NewMemory returns an empty store. now is the store's clock; it must not go backwards. Broken rules are reported to tb,
// which must not be nil.
func NewMemory(tb TB, home archive.Home, now func() time.Time) *Memory {
	return &Memory{
		tb:       tb,
		home:     home,
		now:      now,
		objects:  make(map[string]*history),
		settings: goodSettings(),
		pageSize: 1000,
	}
}

// goodSettings are those of a bucket as wormlog wants it.
func goodSettings() archive.Settings {
	return archive.Settings{
		ObjectLock:          archive.Known[bool]{Value: true},
		Versioning:          archive.Known[string]{Value: "Enabled"},
		Encryption:          archive.Known[string]{Value: "AES256"},
		PublicAccessBlocked: archive.Known[bool]{Value: true},
	}
}

// Home implements [archive.Store].
func (m *Memory) Home() archive.Home { return m.home }

// SetPageSize sets how many versions a listing takes from the store at a time; at first 1,000, as S3. Between two pages
// other calls may change what is listed.
func (m *Memory) SetPageSize(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pageSize = max(n, 1)
}

// Overwrites returns the keys of the creates that were refused with ErrExists while they carried other bytes than the
// key's current version, in the order of the attempts.
func (m *Memory) Overwrites() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.overwrites)
}

// Now implements [archive.Store]: whole seconds, as in S3's Date header.
func (m *Memory) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, fmt.Errorf("ask for the time: %w", err)
	}
	return m.date(), nil
}

func (m *Memory) date() time.Time { return m.now().UTC().Truncate(time.Second) }

// Settings implements [archive.Store]. The settings are those of a good bucket unless [Tamperer.SetSettings] changed them.
func (m *Memory) Settings(ctx context.Context) (archive.Settings, error) {
	if err := ctx.Err(); err != nil {
		return archive.Settings{}, fmt.Errorf("read the bucket's settings: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.visibleSettings(), nil
}

// Create implements [archive.Store].
func (m *Memory) Create(ctx context.Context, key string, body []byte, o archive.CreateOptions) (archive.Created, error) {
	m.tb.Helper()
	fail := func(err error) (archive.Created, error) {
		return archive.Created{}, fmt.Errorf("create %q: %w", key, err)
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	date := m.date()
	if err := m.checkCreate(key, body, o, date); err != nil {
		return fail(err)
	}
	if m.isDenied(PutObject, key) || m.isDenied(PutObjectRetention, key) {
		return fail(archive.ErrDenied)
	}
	if v := m.latest(key); v != nil && !v.DeleteMarker {
		if !bytes.Equal(v.Body, body) {
			m.overwrites = append(m.overwrites, key)
		}
		return fail(archive.ErrExists)
	}
	v := m.insert(RawVersion{
		Key: key, Body: body, SHA256: o.SHA256, HasSHA256: true, ContentType: o.ContentType, LastModified: date,
		Encryption: m.settings.Encryption.Value,
		Lock:       archive.Lock{Mode: archive.Compliance, RetainUntil: o.RetainUntil.UTC()},
	}, Newest)
	return archive.Created{VersionID: v.VersionID, Date: date}, nil
}

// checkCreate refuses what S3 refuses with 400, and fails the test.
func (m *Memory) checkCreate(key string, body []byte, o archive.CreateOptions, date time.Time) error {
	m.tb.Helper()
	if keys.SeedMark != "" {
		if found := leaks.Find(body); len(found) > 0 {
			return m.broken("create %q: there is a secret in it: %v", key, found)
		}
	}
	switch {
	case key == "" || len(key) > 1024:
		return m.broken("create %q: a key has 1 to 1,024 bytes", key)
	case o.RetainUntil.IsZero():
		return m.broken("create %q: no retain-until, so the object would not be locked", key)
	case o.RetainUntil.Nanosecond() != 0:
		return m.broken("create %q: retain-until %s is not in whole seconds", key, o.RetainUntil.Format(time.RFC3339Nano))
	case !o.RetainUntil.After(date):
		return m.broken("create %q: retain-until %s is not in the future, it is %s", key,
			o.RetainUntil.Format(time.RFC3339), date.Format(time.RFC3339))
	case sha256.Sum256(body) != o.SHA256:
		return m.broken("create %q: the SHA-256 is not that of the body", key)
	}
	return nil
}

// broken fails the test and returns what S3 answers to a request that is wrong.
func (m *Memory) broken(format string, args ...any) error {
	m.tb.Helper()
	m.tb.Errorf("archivetest: rule broken: "+format, args...)
	return archive.ErrRefused
}

// Head implements [archive.Store].
func (m *Memory) Head(ctx context.Context, key, versionID string) (archive.Object, error) {
	_, o, err := m.read(ctx, key, versionID)
	if err != nil {
		return archive.Object{}, fmt.Errorf("head %s: %w", naming(key, versionID), err)
	}
	return o, nil
}

// Get implements [archive.Store].
func (m *Memory) Get(ctx context.Context, key, versionID string, limit int64) ([]byte, archive.Object, error) {
	body, o, err := m.read(ctx, key, versionID)
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("%w: %d bytes, at most %d wanted", archive.ErrTooLarge, len(body), limit)
	}
	if err != nil {
		return nil, archive.Object{}, fmt.Errorf("get %s: %w", naming(key, versionID), err)
	}
	return bytes.Clone(body), o, nil
}

func naming(key, versionID string) string {
	if versionID == "" {
		return fmt.Sprintf("%q", key)
	}
	return fmt.Sprintf("%q version %s", key, versionID)
}

// read finds a version that may be read. The body is the store's own: it is replaced, never changed.
func (m *Memory) read(ctx context.Context, key, versionID string) ([]byte, archive.Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, archive.Object{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isDenied(GetObject, key) {
		return nil, archive.Object{}, archive.ErrDenied
	}
	v, err := m.find(key, versionID)
	if err != nil {
		return nil, archive.Object{}, err
	}
	return v.Body, m.visibleObject(v), nil
}

// find returns a version that is not a delete marker. Who may not list may not know either that a key is missing.
func (m *Memory) find(key, versionID string) (*RawVersion, error) {
	v := m.latest(key)
	if versionID != "" {
		_, v = m.version(key, versionID)
	}
	switch {
	case v == nil && m.isDenied(ListBucket, key):
		return nil, archive.ErrDenied
	case v == nil:
		return nil, archive.ErrNotFound
	case v.DeleteMarker:
		return nil, archive.ErrDeleteMarker
	}
	return v, nil
}

// ExtendRetention implements [archive.Store].
func (m *Memory) ExtendRetention(ctx context.Context, key, versionID string, until time.Time) error {
	m.tb.Helper()
	return m.changeLock(ctx, "extend retention of", PutObjectRetention, key, versionID, func(l *archive.Lock) error {
		m.tb.Helper()
		switch {
		case until.Nanosecond() != 0:
			return m.broken("extend retention of %q: %s is not in whole seconds", key, until.Format(time.RFC3339Nano))
		case !until.After(m.date()):
			return m.broken("extend retention of %q: %s is not in the future", key, until.Format(time.RFC3339))
		case l.Mode == archive.Compliance && until.Before(l.RetainUntil):
			_ = m.broken("extend retention of %q: %s is earlier than %s", key,
				until.Format(time.RFC3339), l.RetainUntil.Format(time.RFC3339))
			return archive.ErrDenied
		}
		l.Mode, l.RetainUntil = archive.Compliance, until.UTC()
		return nil
	})
}

// SetLegalHold implements [archive.Store].
func (m *Memory) SetLegalHold(ctx context.Context, key, versionID string, on bool) error {
	m.tb.Helper()
	return m.changeLock(ctx, "set legal hold of", PutObjectLegalHold, key, versionID, func(l *archive.Lock) error {
		l.LegalHold = on
		return nil
	})
}

func (m *Memory) changeLock(ctx context.Context, what string, action Action, key, versionID string,
	change func(*archive.Lock) error,
) error {
	m.tb.Helper()
	fail := func(err error) error { return fmt.Errorf("%s %s: %w", what, naming(key, versionID), err) }
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if versionID == "" {
		return fail(m.broken("%s %q: no version named, so a newer one could be locked instead", what, key))
	}
	if m.isDenied(action, key) {
		return fail(archive.ErrDenied)
	}
	v, err := m.find(key, versionID)
	if err != nil {
		return fail(err)
	}
	if err := change(&v.Lock); err != nil {
		return fail(err)
	}
	return nil
}

// latest returns the key's newest version, a delete marker included, or nil.
func (m *Memory) latest(key string) *RawVersion {
	if h := m.objects[key]; h != nil && len(h.versions) > 0 {
		return h.versions[0]
	}
	return nil
}

// version returns a version of the key and its place, or nil.
func (m *Memory) version(key, versionID string) (int, *RawVersion) {
	if h := m.objects[key]; h != nil {
		for i, v := range h.versions {
			if v.VersionID == versionID {
				return i, v
			}
		}
	}
	return -1, nil
}

// insert puts a version at its place among the key's versions, counted from the newest.
func (m *Memory) insert(v RawVersion, place int) *RawVersion {
	h := m.objects[v.Key]
	if h == nil {
		h = new(history)
		m.objects[v.Key] = h
	}
	if len(h.versions) == 0 {
		i, _ := slices.BinarySearch(m.keys, v.Key)
		m.keys = slices.Insert(m.keys, i, v.Key)
	}
	h.made++
	if v.VersionID == "" {
		v.VersionID = versionID(m.home.Bucket, v.Key, h.made)
	}
	v.Body = bytes.Clone(v.Body)
	h.versions = slices.Insert(h.versions, min(max(place, Newest), len(h.versions)), &v)
	return &v
}

// versionID makes 32 characters from S3's alphabet for version IDs.
func versionID(bucket, key string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", bucket, key, n))
	return strings.NewReplacer("-", ".", "_", ".").Replace(base64.RawURLEncoding.EncodeToString(sum[:24]))
}
