package devserver

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
)

// maxPage is the most entries of a listing page on AWS.
const maxPage = 1000

// Versioning states of a bucket; a bucket that never had versioning has "".
const (
	versioningEnabled   = "Enabled"
	versioningSuspended = "Suspended"
)

// bucketSettings is all of a bucket but its objects.
type bucketSettings struct {
	Name       string            `json:"name"`
	Created    time.Time         `json:"created"`
	Versioning string            `json:"versioning,omitempty"`
	Lock       bool              `json:"lock,omitempty"`
	Default    *retentionRule    `json:"default,omitempty"`
	Documents  map[string]string `json:"documents,omitempty"` // as put, by sub-resource
}

// retentionRule is a bucket's default retention; one of Days and Years is set.
type retentionRule struct {
	Mode  string `json:"mode"`
	Days  int    `json:"days,omitempty"`
	Years int    `json:"years,omitempty"`
}

// until is the end of a retention that begins now. A year is 365 days, as AWS
// documents it for event holds.
func (r *retentionRule) until(now time.Time) time.Time {
	return now.AddDate(0, 0, r.Days+365*r.Years)
}

// bucket is a bucket with its objects.
type bucket struct {
	bucketSettings
	objects map[string][]*version // by key, oldest first; never empty
	keys    []string              // ascending, but for those in fresh
	fresh   []string              // keys not yet sorted in
}

// version is one version of an object or a delete marker. A stored version is
// never changed, only replaced by a changed copy.
type version struct {
	Key       string            `json:"key"`
	ID        string            `json:"id"`
	Marker    bool              `json:"marker,omitempty"`
	Modified  time.Time         `json:"modified"`
	ETag      string            `json:"etag,omitempty"` // without quotes
	Size      int64             `json:"size"`
	Checksums map[string]string `json:"checksums,omitempty"`
	Header    map[string]string `json:"header,omitempty"` // reply headers kept from the request
	Lock      Lock              `json:"lock,omitzero"`
	File      string            `json:"file,omitempty"` // of the body, if there is a directory

	data []byte // the body, if there is none
}

// nullVersion is the ID of what was written while versioning was not enabled.
const nullVersion = "null"

const versionAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// newVersionID returns 32 random characters, as AWS's version IDs are.
func newVersionID() string {
	id := make([]byte, 32)
	rand.Read(id)
	for i, b := range id {
		id[i] = versionAlphabet[int(b)%len(versionAlphabet)]
	}
	return string(id)
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// addBucket is CreateBucket with the lock held.
func (s *Server) addBucket(name string, lock bool) error {
	if !bucketName.MatchString(name) {
		return invalid("InvalidBucketName", "The specified bucket is not valid.", "BucketName", name)
	}
	if s.buckets[name] != nil {
		return &apiError{Status: 409, Code: "BucketAlreadyOwnedByYou",
			Message: "Your previous request to create the named bucket succeeded and you already own it.",
			Details: []string{"BucketName", name}}
	}
	settings := bucketSettings{Name: name, Created: s.now(), Lock: lock, Documents: map[string]string{}}
	maps.Copy(settings.Documents, newBucketDocuments)
	if lock {
		settings.Versioning = versioningEnabled
	}
	return s.commit(record{Bucket: &settings})
}

// settings returns a copy to change and commit.
func (b *bucket) settings() bucketSettings {
	settings := b.bucketSettings
	settings.Documents = maps.Clone(b.Documents)
	return settings
}

// latest is the current version of the key, which may be a marker, or nil.
func (b *bucket) latest(key string) *version {
	versions := b.objects[key]
	if len(versions) == 0 {
		return nil
	}
	return versions[len(versions)-1]
}

// version is the version with that ID, or nil.
func (b *bucket) version(key, id string) *version {
	for _, v := range b.objects[key] {
		if v.ID == id {
			return v
		}
	}
	return nil
}

// insert adds the version as the latest, or by its date; one with the same ID is
// replaced where it stands and returned.
func (b *bucket) insert(v *version, byTime bool) (replaced *version) {
	versions := b.objects[v.Key]
	if len(versions) == 0 {
		b.fresh = append(b.fresh, v.Key)
	}
	for i, old := range versions {
		if old.ID == v.ID {
			versions[i] = v
			return old
		}
	}
	at := len(versions)
	if byTime {
		at = sort.Search(len(versions), func(i int) bool { return versions[i].Modified.After(v.Modified) })
	}
	b.objects[v.Key] = slices.Insert(versions, at, v)
	return nil
}

// remove takes the version out and returns it, or nil.
func (b *bucket) remove(key, id string) *version {
	versions := b.objects[key]
	i := slices.IndexFunc(versions, func(v *version) bool { return v.ID == id })
	if i < 0 {
		return nil
	}
	removed := versions[i]
	if len(versions) > 1 {
		b.objects[key] = slices.Delete(versions, i, i+1)
		return removed
	}
	delete(b.objects, key)
	keys := b.sortedKeys()
	at, _ := slices.BinarySearch(keys, key)
	b.keys = slices.Delete(keys, at, at+1)
	return removed
}

// sortedKeys sorts in what is fresh; one sort serves all writes since the last.
func (b *bucket) sortedKeys() []string {
	if len(b.fresh) > 0 {
		b.keys = append(b.keys, b.fresh...)
		slices.Sort(b.keys)
		b.fresh = nil
	}
	return b.keys
}

// keysFrom returns the keys with the prefix that are not below from.
func (b *bucket) keysFrom(prefix, from string) []string {
	keys := b.sortedKeys()
	first, _ := slices.BinarySearch(keys, max(prefix, from))
	rest := keys[first:]
	end := sort.Search(len(rest), func(i int) bool { return !strings.HasPrefix(rest[i], prefix) })
	return rest[:end]
}

// versionsUnder returns every version with the prefix, by key and newest first.
func (b *bucket) versionsUnder(prefix string) []*version {
	var all []*version
	for _, key := range b.keysFrom(prefix, prefix) {
		for _, v := range slices.Backward(b.objects[key]) {
			all = append(all, v)
		}
	}
	return all
}

// fill stores the body and sets what follows from it: size, ETag, and SHA-256 if
// there is no checksum yet.
func (s *Server) fill(v *version, body []byte) error {
	if err := s.bodies.keep(v, body); err != nil {
		return fmt.Errorf("devserver: keep body of %q: %w", v.Key, err)
	}
	sum := md5.Sum(body)
	v.ETag, v.Size = hex.EncodeToString(sum[:]), int64(len(body))
	if v.Checksums == nil {
		digest := sha256.Sum256(body)
		v.Checksums = map[string]string{"SHA256": base64.StdEncoding.EncodeToString(digest[:])}
	}
	return nil
}
