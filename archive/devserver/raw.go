package devserver

import (
	"fmt"
	"io"
	"maps"
	"time"
)

// Lock is the Object Lock state of one version.
type Lock struct {
	Mode        string    `json:"mode,omitempty"` // "COMPLIANCE", "GOVERNANCE", or "" for no retention
	RetainUntil time.Time `json:"retain_until,omitzero"`
	LegalHold   string    `json:"legal_hold,omitempty"` // "ON", "OFF", or "" if it was never set
}

// Version is one version of an object, or a delete marker, as the back door
// shows and takes it.
type Version struct {
	Key          string
	VersionID    string            // "" in PutVersion: chosen by the server
	Marker       bool              // a delete marker; it has no body and no lock
	LastModified time.Time         // zero in PutVersion: now
	Size         int64             // not read by PutVersion
	Metadata     map[string]string // x-amz-meta-*, without that prefix
	Checksums    map[string]string // base64 by algorithm ("SHA256"); nil in PutVersion: SHA256 of Body
	Lock         Lock
	Body         []byte // not set by Versions
}

// Raw is the back door: what an insider at the provider, or the closing of the
// account, could do beyond the interface. It obeys no lock. Every method fails
// if the bucket, and where named the version, does not exist.
type Raw struct{ s *Server }

// Raw returns the back door.
func (s *Server) Raw() Raw { return Raw{s} }

// Versions returns the versions and markers under prefix, without bodies, by key
// and then newest first.
func (r Raw) Versions(bucket, prefix string) ([]Version, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	b, err := r.bucket(bucket)
	if err != nil {
		return nil, err
	}
	var all []Version
	for _, v := range b.versionsUnder(prefix) {
		all = append(all, v.exported())
	}
	return all, nil
}

// Body returns the bytes that are stored for the version.
func (r Raw) Body(bucket, key, versionID string) ([]byte, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	_, v, err := r.version(bucket, key, versionID)
	if err != nil {
		return nil, err
	}
	body, err := r.s.bodies.open(v)
	if err != nil {
		return nil, fmt.Errorf("devserver: %w", err)
	}
	defer body.Close()
	return io.ReadAll(body)
}

// PutVersion stores a version or marker as given and returns its version ID. It
// takes its place among the key's versions by LastModified, after those of the
// same second; one with the same ID is replaced where it stands.
func (r Raw) PutVersion(bucket string, v Version) (versionID string, err error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if _, err := r.bucket(bucket); err != nil {
		return "", err
	}
	stored := &version{
		Key: v.Key, ID: v.VersionID, Marker: v.Marker,
		Modified: v.LastModified.UTC().Truncate(time.Second),
		Lock:     v.Lock, Checksums: maps.Clone(v.Checksums), Header: map[string]string{},
	}
	if stored.ID == "" {
		stored.ID = newVersionID()
	}
	if v.LastModified.IsZero() {
		stored.Modified = r.s.now()
	}
	for name, value := range v.Metadata {
		stored.Header[metaHeader(name)] = value
	}
	if !v.Marker {
		if err := r.s.fill(stored, v.Body); err != nil {
			return "", err
		}
	}
	return stored.ID, r.s.commit(record{Version: &versionRecord{Bucket: bucket, ByTime: true, Version: stored}})
}

// DeleteVersion removes a version or marker for good.
func (r Raw) DeleteVersion(bucket, key, versionID string) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if _, _, err := r.version(bucket, key, versionID); err != nil {
		return err
	}
	return r.s.commit(record{Remove: &removal{bucket, key, versionID}})
}

// ReplaceBody gives the version other bytes, with checksums and ETag to match;
// its ID, its date and its lock stay.
func (r Raw) ReplaceBody(bucket, key, versionID string, body []byte) error {
	return r.edit(bucket, key, versionID, func(v *version) error {
		v.Checksums = nil
		return r.s.fill(v, body)
	})
}

// CorruptBody gives the version other bytes and leaves the checksums and ETag of
// the old ones, as rotten media would.
func (r Raw) CorruptBody(bucket, key, versionID string, body []byte) error {
	return r.edit(bucket, key, versionID, func(v *version) error {
		etag := v.ETag
		err := r.s.fill(v, body)
		v.ETag = etag
		return err
	})
}

// SetLock sets the version's lock, or lifts it with the zero Lock.
func (r Raw) SetLock(bucket, key, versionID string, lock Lock) error {
	return r.edit(bucket, key, versionID, func(v *version) error {
		v.Lock = lock
		return nil
	})
}

// SetLastModified changes the version's date and nothing else, its place among
// the versions neither.
func (r Raw) SetLastModified(bucket, key, versionID string, at time.Time) error {
	return r.edit(bucket, key, versionID, func(v *version) error {
		v.Modified = at.UTC().Truncate(time.Second)
		return nil
	})
}

// SetVersioning sets the bucket's versioning to "Enabled", "Suspended" or "".
func (r Raw) SetVersioning(bucket, status string) error {
	return r.editBucket(bucket, func(b *bucketSettings) { b.Versioning = status })
}

// SetObjectLock switches the bucket's Object Lock on or off. Off also forgets
// the default retention; what is locked stays locked.
func (r Raw) SetObjectLock(bucket string, on bool) error {
	return r.editBucket(bucket, func(b *bucketSettings) {
		b.Lock = on
		if !on {
			b.Default = nil
		}
	})
}

// DropBucket removes the bucket and all that is in it, as the end of an account
// would.
func (r Raw) DropBucket(bucket string) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if _, err := r.bucket(bucket); err != nil {
		return err
	}
	return r.s.commit(record{DropBucket: bucket})
}

func (r Raw) bucket(name string) (*bucket, error) {
	if b := r.s.buckets[name]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("devserver: no bucket %q", name)
}

func (r Raw) version(bucketName, key, versionID string) (*bucket, *version, error) {
	b, err := r.bucket(bucketName)
	if err != nil {
		return nil, nil, err
	}
	if v := b.version(key, versionID); v != nil {
		return b, v, nil
	}
	return nil, nil, fmt.Errorf("devserver: no version %q of %q in bucket %q", versionID, key, bucketName)
}

// edit replaces a version by a changed copy.
func (r Raw) edit(bucket, key, versionID string, change func(*version) error) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	_, v, err := r.version(bucket, key, versionID)
	if err != nil {
		return err
	}
	edited := *v
	if err := change(&edited); err != nil {
		return err
	}
	return r.s.commit(record{Version: &versionRecord{Bucket: bucket, Version: &edited}})
}

func (r Raw) editBucket(name string, change func(*bucketSettings)) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	b, err := r.bucket(name)
	if err != nil {
		return err
	}
	settings := b.settings()
	change(&settings)
	return r.s.commit(record{Bucket: &settings})
}

// exported is the version as the back door shows it.
func (v *version) exported() Version {
	out := Version{
		Key: v.Key, VersionID: v.ID, Marker: v.Marker, LastModified: v.Modified,
		Size: v.Size, Lock: v.Lock, Checksums: maps.Clone(v.Checksums), Metadata: map[string]string{},
	}
	for name, value := range v.Header {
		if meta, ok := metaName(name); ok {
			out.Metadata[meta] = value
		}
	}
	return out
}
