package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"sort"
	"strings"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// errReadOnly is why these stores write nothing.
var errReadOnly = fmt.Errorf("%w: a trust file is only read, and what it is laid over as well", ErrRefused)

// trustStore is the objects of a trust file as they were at home, as a store. What S3 said of their locks is not kept.
type trustStore struct {
	file *TrustFile
	home Home
}

func (t *trustStore) find(key string) *TrustObject {
	i := sort.Search(len(t.file.Objects), func(i int) bool { return t.file.Objects[i].Key >= key })
	if i < len(t.file.Objects) && t.file.Objects[i].Key == key {
		return &t.file.Objects[i]
	}
	return nil
}

func (o *TrustObject) version() Version {
	return Version{Key: o.Key, VersionID: o.VersionID, IsLatest: true, Size: int64(len(o.Body)), LastModified: o.Date.Time}
}

func (o *TrustObject) object() Object {
	return Object{
		Key: o.Key, VersionID: o.VersionID, Size: int64(len(o.Body)), SHA256: sha256.Sum256(o.Body), HasSHA256: true,
		LastModified: o.Date.Time, RetentionHidden: true, HoldHidden: true,
		stated: !o.Date.IsZero(), Replica: o.Date.IsZero(),
	}
}

func (t *trustStore) Get(ctx context.Context, key, versionID string, limit int64) ([]byte, Object, error) {
	o := t.find(key)
	switch {
	case ctx.Err() != nil:
		return nil, Object{}, ctx.Err()
	case o == nil || versionID != "" && versionID != o.VersionID:
		return nil, Object{}, fmt.Errorf("get %q from the trust file: %w", key, ErrNotFound)
	case int64(len(o.Body)) > limit:
		return nil, Object{}, fmt.Errorf("get %q from the trust file: %w: %d bytes, at most %d wanted", key, ErrTooLarge, len(o.Body), limit)
	}
	return o.Body, o.object(), nil
}

func (t *trustStore) Head(ctx context.Context, key, versionID string) (Object, error) {
	_, o, err := t.Get(ctx, key, versionID, maxStoredSegment)
	return o, err
}

// behind returns the objects that a listing is about.
func (t *trustStore) behind(prefix, startAfter string) (out []*TrustObject) {
	for i := range t.file.Objects {
		if o := &t.file.Objects[i]; strings.HasPrefix(o.Key, prefix) && o.Key > startAfter {
			out = append(out, o)
		}
	}
	return out
}

func (t *trustStore) Versions(ctx context.Context, prefix, startAfter string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		for _, o := range t.behind(prefix, startAfter) {
			if ctx.Err() != nil {
				yield(Version{}, ctx.Err())
				return
			}
			if !yield(o.version(), nil) {
				return
			}
		}
	}
}

func (t *trustStore) Create(context.Context, string, []byte, CreateOptions) (Created, error) {
	return Created{}, errReadOnly
}

func (t *trustStore) ExtendRetention(context.Context, string, string, time.Time) error {
	return errReadOnly
}

func (t *trustStore) SetLegalHold(context.Context, string, string, bool) error { return errReadOnly }

func (t *trustStore) Settings(context.Context) (Settings, error) {
	return Settings{}, errors.New("a trust file says nothing of the bucket's settings")
}

func (t *trustStore) Now(context.Context) (time.Time, error) { return t.file.Exported.Time, nil }

func (t *trustStore) Home() Home { return t.home }

// overlay is a store with the objects of a trust file beside its own.
type overlay struct {
	Store
	trust *trustStore
}

// trustVersion begins the version IDs of a trust file's objects, which are never those of the store beneath: what that
// holds under the same version ID may be something else.
const trustVersion = "trust-file:"

// Overlay lays the trust file over a copy of the archive. The file's objects are there even if the copy lacks them; where
// the copy holds something under the same key, both are there, and the file's is the one that counts as the original. It
// hides nothing: newer key records and acts of the copy are read and judged as ever. It does not write.
//
// [Verify] knows such a store: the file's log ID is the pin, its acts are in force whatever the copy holds, what the copy
// holds under their keys is compared with them, and the report names the file's date. It refuses the log's home, where
// what is missing must be seen to be missing.
func (f TrustFile) Overlay(store Store) Store {
	home := Home{}
	if l, err := f.Log(); err == nil {
		home = l.Home
	}
	return &overlay{Store: store, trust: &trustStore{file: &f, home: home}}
}

// own returns the trust file's object that a read is about, nil if it is about one of the store beneath.
func (o *overlay) own(key, versionID string) *TrustObject {
	t := o.trust.find(key)
	if t == nil || versionID != "" && versionID != trustVersion+t.VersionID {
		return nil
	}
	return t
}

func (o *overlay) Get(ctx context.Context, key, versionID string, limit int64) ([]byte, Object, error) {
	t := o.own(key, versionID)
	if t == nil {
		return o.Store.Get(ctx, key, versionID, limit)
	}
	b, object, err := o.trust.Get(ctx, key, t.VersionID, limit)
	object.VersionID = trustVersion + t.VersionID
	return b, object, err
}

func (o *overlay) Head(ctx context.Context, key, versionID string) (Object, error) {
	t := o.own(key, versionID)
	if t == nil {
		return o.Store.Head(ctx, key, versionID)
	}
	object, err := o.trust.Head(ctx, key, t.VersionID)
	object.VersionID = trustVersion + t.VersionID
	return object, err
}

// Versions puts each object of the trust file behind what the store beneath lists under its key, as the oldest version. A
// copy's own dates mean nothing, so those before are moved up.
func (o *overlay) Versions(ctx context.Context, prefix, startAfter string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		pending := o.trust.behind(prefix, startAfter)
		covered := "" // the key that was listed last
		next := func() bool {
			v := pending[0].version()
			v.VersionID = trustVersion + v.VersionID
			v.IsLatest = v.Key != covered
			pending = pending[1:]
			return yield(v, nil)
		}
		for v, err := range o.Store.Versions(ctx, prefix, startAfter) {
			if err != nil {
				yield(v, err)
				return
			}
			for len(pending) > 0 && pending[0].Key < v.Key {
				if !next() {
					return
				}
			}
			if covered = v.Key; len(pending) > 0 && pending[0].Key == v.Key && v.LastModified.Before(pending[0].Date.Time) {
				v.LastModified = pending[0].Date.Time
			}
			if !yield(v, nil) {
				return
			}
		}
		for len(pending) > 0 && next() {
		}
	}
}

func (o *overlay) Create(context.Context, string, []byte, CreateOptions) (Created, error) {
	return Created{}, errReadOnly
}

func (o *overlay) ExtendRetention(context.Context, string, string, time.Time) error {
	return errReadOnly
}

func (o *overlay) SetLegalHold(context.Context, string, string, bool) error { return errReadOnly }

// pinTrust makes the log ID of a trust file the pin.
func (c *VerifyConfig) pinTrust() error {
	o, ok := c.Store.(*overlay)
	if !ok {
		return nil
	}
	id := o.trust.file.LogID
	if c.LogID != "" && c.LogID != id {
		return fmt.Errorf("verify: the trust file is of the log %s, pinned is %s", id, c.LogID)
	}
	c.LogID = keys.LogID(id)
	return nil
}
