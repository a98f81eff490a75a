package archivetest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// Tamperer does to a store what no [archive.Store] can: what an insider with every right, a broken server or a bug in the
// provider could do. No lock stops it. Keys are relative to the home prefix. A method that names a version which does
// not exist returns an error that wraps [archive.ErrNotFound].
//
// Instead of an empty version ID the key's newest version is taken, delete marker or not.
type Tamperer interface {
	// All yields every version and delete marker, keys ascending, newest first. It is a snapshot, and the caller's own.
	All() iter.Seq[RawVersion]

	// PutVersion stacks a new current version on key. A zero modified means now.
	PutVersion(key string, body []byte, lock archive.Lock, modified time.Time) (versionID string, err error)

	// InsertVersion puts v among the versions of its key: at place 0 ([Newest]) it becomes the current one, at place n it
	// stands behind n others, beyond the end ([Oldest]) it is the first ever. An empty v.VersionID is replaced by a new
	// one, a zero v.LastModified by now; everything else is taken as it is, the checksum included.
	InsertVersion(v RawVersion, place int) (versionID string, err error)

	// ReplaceBody changes a version's bytes in place. fixChecksum says whether the stored SHA-256 follows.
	ReplaceBody(key, versionID string, body []byte, fixChecksum bool) error

	// SetLock sets a version's lock to anything; the zero Lock removes it.
	SetLock(key, versionID string, lock archive.Lock) error

	// SetLastModified re-dates a version.
	SetLastModified(key, versionID string, modified time.Time) error

	// DeleteVersion removes one version or marker for good.
	DeleteVersion(key, versionID string) error

	// RemoveKey removes all versions and markers of a key.
	RemoveKey(key string) error

	// DeleteMarker does what a DELETE without version ID does.
	DeleteMarker(key string) (versionID string, err error)

	// SetSettings changes the bucket's settings. It fails for what the store cannot be set to.
	SetSettings(archive.Settings) error

	// Deny takes a permission away for all keys (for listings: all listed prefixes) that start with prefix; AllowAll gives
	// all of them back.
	Deny(action Action, prefix string)
	AllowAll()

	// Misorder has version listings come in a wrong order from now on. Each version still comes exactly once.
	Misorder(Misorder)
}

// Misorder is an order of version listings.
type Misorder int

// The orders.
const (
	InOrder       Misorder = iota // by key, then newest first, as the contract says
	PagesReversed                 // each page from its last version to its first
	OldestFirst                   // by key, then oldest first
)

// Places for [Tamperer.InsertVersion].
const (
	Newest = 0
	Oldest = math.MaxInt
)

// RawVersion is one version or delete marker with all that the store keeps of it.
type RawVersion struct {
	Key          string
	VersionID    string
	DeleteMarker bool
	Body         []byte
	SHA256       [32]byte
	HasSHA256    bool
	ContentType  string
	LastModified time.Time // whole seconds
	Lock         archive.Lock
	Encryption   string
	Replica      bool
}

func (v *RawVersion) listed(latest bool) archive.Version {
	return archive.Version{
		Key: v.Key, VersionID: v.VersionID, IsLatest: latest, DeleteMarker: v.DeleteMarker,
		Size: int64(len(v.Body)), LastModified: v.LastModified,
	}
}

// Copy gives dst all versions of src as they are, version IDs and dates included. A dst that was empty is then what src
// is, which makes one archive serve for many tampers.
func Copy(dst, src Tamperer) error {
	for v := range src.All() {
		if _, err := dst.InsertVersion(v, Oldest); err != nil {
			return fmt.Errorf("copy %q version %s: %w", v.Key, v.VersionID, err)
		}
	}
	return nil
}

// Raw returns the view on m that passes every lock. Nothing done through it fails the test.
func (m *Memory) Raw() Tamperer { return rawMemory{m} }

type rawMemory struct{ m *Memory }

func (r rawMemory) All() iter.Seq[RawVersion] {
	return func(yield func(RawVersion) bool) {
		for _, v := range r.snapshot() {
			if !yield(v) {
				return
			}
		}
	}
}

func (r rawMemory) snapshot() []RawVersion {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	var all []RawVersion
	for _, key := range r.m.keys {
		for _, v := range r.m.objects[key].versions {
			c := *v
			c.Body = bytes.Clone(v.Body)
			all = append(all, c)
		}
	}
	return all
}

func (r rawMemory) PutVersion(key string, body []byte, lock archive.Lock, modified time.Time) (string, error) {
	return r.InsertVersion(RawVersion{
		Key: key, Body: body, SHA256: sha256.Sum256(body), HasSHA256: true, Lock: lock, LastModified: modified,
		Encryption: "AES256",
	}, Newest)
}

func (r rawMemory) DeleteMarker(key string) (string, error) {
	return r.InsertVersion(RawVersion{Key: key, DeleteMarker: true}, Newest)
}

func (r rawMemory) InsertVersion(v RawVersion, place int) (string, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if _, old := r.m.version(v.Key, v.VersionID); old != nil {
		return "", fmt.Errorf("insert %s: %w", naming(v.Key, v.VersionID), archive.ErrExists)
	}
	if v.LastModified.IsZero() {
		v.LastModified = r.m.now()
	}
	v.LastModified = v.LastModified.UTC().Truncate(time.Second)
	v.Lock = storedLock(v.Lock)
	return r.m.insert(v, place).VersionID, nil
}

func (r rawMemory) ReplaceBody(key, versionID string, body []byte, fixChecksum bool) error {
	return r.update("replace the body of", key, versionID, func(v *RawVersion) {
		v.Body = bytes.Clone(body)
		if fixChecksum {
			v.SHA256 = sha256.Sum256(body)
		}
	})
}

func (r rawMemory) SetLock(key, versionID string, lock archive.Lock) error {
	return r.update("set the lock of", key, versionID, func(v *RawVersion) { v.Lock = storedLock(lock) })
}

// storedLock is a lock as S3 shows it: in whole seconds and UTC.
func storedLock(l archive.Lock) archive.Lock {
	l.RetainUntil = l.RetainUntil.UTC().Truncate(time.Second)
	return l
}

func (r rawMemory) SetLastModified(key, versionID string, modified time.Time) error {
	return r.update("re-date", key, versionID, func(v *RawVersion) {
		v.LastModified = modified.UTC().Truncate(time.Second)
	})
}

func (r rawMemory) update(what, key, versionID string, change func(*RawVersion)) error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	_, v, err := r.named(what, key, versionID)
	if err == nil {
		change(v)
	}
	return err
}

func (r rawMemory) named(what, key, versionID string) (int, *RawVersion, error) {
	i, v := r.m.version(key, versionID)
	if versionID == "" {
		i, v = 0, r.m.latest(key)
	}
	if v == nil {
		return 0, nil, fmt.Errorf("%s %s: %w", what, naming(key, versionID), archive.ErrNotFound)
	}
	return i, v, nil
}

func (r rawMemory) DeleteVersion(key, versionID string) error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	i, _, err := r.named("delete", key, versionID)
	if err != nil {
		return err
	}
	h := r.m.objects[key]
	h.versions = slices.Delete(h.versions, i, i+1)
	if len(h.versions) == 0 {
		r.unlist(key)
	}
	return nil
}

func (r rawMemory) RemoveKey(key string) error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if _, _, err := r.named("remove", key, ""); err != nil {
		return err
	}
	r.m.objects[key].versions = nil
	r.unlist(key)
	return nil
}

func (r rawMemory) unlist(key string) {
	i, _ := slices.BinarySearch(r.m.keys, key)
	r.m.keys = slices.Delete(r.m.keys, i, i+1)
}

func (r rawMemory) SetSettings(s archive.Settings) error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.settings = s
	return nil
}

func (r rawMemory) Misorder(order Misorder) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.misorder = order
}

func (r rawMemory) Deny(action Action, prefix string) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.denied = append(r.m.denied, denial{action, prefix})
}

func (r rawMemory) AllowAll() {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.denied = nil
}
