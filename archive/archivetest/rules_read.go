package archivetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// readRules are what Head, Get, Now, Settings and Home promise, and every method of a context that has ended.
var readRules = []rule{
	{"head-describes-the-object", 0, headDescribes},
	{"read-by-version", aVersion, readByVersion},
	{"read-missing-key-not-found", 0, readMissingKey},
	{"read-missing-version-not-found", 0, readMissingVersion},
	{"read-delete-marker", aMarker, readMarker},
	{"read-delete-marker-by-version", aMarker, readMarkerByVersion},
	{"read-behind-delete-marker", aMarker, readBehindMarker},
	{"get-too-large", 0, getTooLarge},
	{"now-is-the-clock-of-its-dates", 0, nowIsTheClock},
	{"settings-tell-lock-and-versioning", 0, settingsTell},
	{"home-has-a-bucket", 0, homeHasBucket},
	{"context-ended", 0, contextEnded},
}

func headDescribes(c *checker) {
	body := []byte("described")
	created := c.put("described/object", body)
	head := c.head("described/object", "")
	_, got, err := c.Store.Get(c.ctx, "described/object", created.VersionID, int64(len(body)))
	c.prepared("get", err)
	for _, o := range []archive.Object{head, got} {
		if o.Key != "described/object" || o.VersionID != created.VersionID || o.Size != int64(len(body)) {
			c.fail("object is described as %q version %s, %d bytes", o.Key, o.VersionID, o.Size)
		}
		if o.Replica {
			c.fail("an original is described as a replica")
		}
		c.near("the object's LastModified", o.LastModified, created.Date)
		c.near("the reply's date", o.Date, created.Date)
		c.wholeSecondsUTC("LastModified", o.LastModified)
	}
	head.Date, got.Date = time.Time{}, time.Time{}
	if head != got {
		c.fail("head says %+v, get says %+v", head, got)
	}
}

func readByVersion(c *checker) {
	first := c.put("two", []byte("first"))
	second, err := c.PutVersion(c.ctx, "two", []byte("second one"))
	c.prepared("put a version", err)
	c.holds("two", first.VersionID, []byte("first"))
	c.holds("two", second, []byte("second one"))
	if o := c.head("two", ""); o.VersionID != second {
		c.fail("the current version is %s, but head shows %s", second, o.VersionID)
	}
}

func readMissingKey(c *checker) {
	c.put("there", nil)
	c.absent("not-there")
	_, _, err := c.Store.Get(c.ctx, "not-there", "", 100)
	c.wantErr("get of a missing key", err, archive.ErrNotFound)
}

func readMissingVersion(c *checker) {
	c.put("there", nil)
	other := c.put("elsewhere", nil)
	_, err := c.Store.Head(c.ctx, "there", other.VersionID)
	c.wantErr("head of a missing version", err, archive.ErrNotFound)
	_, _, err = c.Store.Get(c.ctx, "there", other.VersionID, 100)
	c.wantErr("get of a missing version", err, archive.ErrNotFound)
}

func readMarker(c *checker) {
	c.put("marked", []byte("original"))
	_, err := c.DeleteMarker(c.ctx, "marked")
	c.prepared("delete marker", err)
	c.readsMarker("")
}

func readMarkerByVersion(c *checker) {
	c.put("marked", []byte("original"))
	marker, err := c.DeleteMarker(c.ctx, "marked")
	c.prepared("delete marker", err)
	c.readsMarker(marker)
}

func (c *checker) readsMarker(versionID string) {
	_, err := c.Store.Head(c.ctx, "marked", versionID)
	c.wantErr("head of a delete marker", err, archive.ErrDeleteMarker)
	_, _, err = c.Store.Get(c.ctx, "marked", versionID, 100)
	c.wantErr("get of a delete marker", err, archive.ErrDeleteMarker)
}

func readBehindMarker(c *checker) {
	created := c.put("marked", []byte("original"))
	_, err := c.DeleteMarker(c.ctx, "marked")
	c.prepared("delete marker", err)
	c.holds("marked", created.VersionID, []byte("original"))
}

func getTooLarge(c *checker) {
	c.put("ten", []byte("0123456789"))
	for _, limit := range []int64{0, 9} {
		body, _, err := c.Store.Get(c.ctx, "ten", "", limit)
		c.wantErr("get beyond the limit", err, archive.ErrTooLarge)
		if len(body) > 0 {
			c.fail("get beyond the limit returned %d bytes", len(body))
		}
	}
	if _, _, err := c.Store.Get(c.ctx, "ten", "", 10); err != nil {
		c.fail("get of exactly the limit failed: %v", err)
	}
}

func nowIsTheClock(c *checker) {
	created := c.put("dated", nil)
	now := c.now()
	c.near("the date of create", created.Date, now)
	c.near("the object's LastModified", c.head("dated", "").LastModified, now)
	if created.Date.IsZero() {
		c.fail("create answered no date")
	}
}

func settingsTell(c *checker) {
	s, err := c.Store.Settings(c.ctx)
	if err != nil {
		c.stop("settings failed: %v", err)
	}
	if s.ObjectLock.Err != nil || !s.ObjectLock.Value {
		c.fail("Object Lock is on, but the settings say %v (%v)", s.ObjectLock.Value, s.ObjectLock.Err)
	}
	if s.Versioning.Err != nil || s.Versioning.Value != "Enabled" {
		c.fail("versioning is Enabled, but the settings say %q (%v)", s.Versioning.Value, s.Versioning.Err)
	}
}

func homeHasBucket(c *checker) {
	if h := c.Store.Home(); h.Bucket == "" || h != c.Store.Home() {
		c.fail("home is %+v", h)
	}
}

func contextEnded(c *checker) {
	created := c.put("there", nil)
	until := c.until()
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	calls := map[Op]func() error{
		OpCreate:          func() error { _, err := c.createUntil(ctx, "not-there", nil, until); return err },
		OpHead:            func() error { _, err := c.Store.Head(ctx, "there", ""); return err },
		OpGet:             func() error { _, _, err := c.Store.Get(ctx, "there", "", 1); return err },
		OpExtendRetention: func() error { return c.Store.ExtendRetention(ctx, "there", created.VersionID, until.Add(time.Hour)) },
		OpSetLegalHold:    func() error { return c.Store.SetLegalHold(ctx, "there", created.VersionID, true) },
		OpSettings:        func() error { _, err := c.Store.Settings(ctx); return err },
		OpNow:             func() error { _, err := c.Store.Now(ctx); return err },
		OpVersions: func() error {
			for _, err := range c.Store.Versions(ctx, "", "") {
				return err
			}
			return nil
		},
	}
	for _, op := range Ops {
		c.wantErr(string(op)+" under a context that has ended", calls[op](), context.Canceled)
	}
	c.absent("not-there")
	if o := c.head("there", ""); o.Lock.LegalHold || o.Lock.RetainUntil.After(until) {
		c.fail("a call under a context that has ended changed a lock: %+v", o.Lock)
	}
}

// head describes a version that must be there.
func (c *checker) head(key, versionID string) archive.Object {
	o, err := c.Store.Head(c.ctx, key, versionID)
	if err != nil {
		c.stop("head %s failed: %v", naming(key, versionID), err)
	}
	return o
}

// holds checks a version's bytes and checksum.
func (c *checker) holds(key, versionID string, want []byte) {
	body, o, err := c.Store.Get(c.ctx, key, versionID, int64(len(want)))
	switch {
	case err != nil:
		c.fail("get %s failed: %v", naming(key, versionID), err)
	case !bytes.Equal(body, want):
		c.fail("get %s returned other bytes than were written (%d bytes, %d written)", naming(key, versionID), len(body), len(want))
	case !o.HasSHA256 || o.SHA256 != sha256.Sum256(want):
		c.fail("get %s returned checksum %x (present: %v)", naming(key, versionID), o.SHA256, o.HasSHA256)
	}
}

// absent checks that nothing can be read at key.
func (c *checker) absent(key string) {
	_, err := c.Store.Head(c.ctx, key, "")
	c.wantErr("head of the missing key "+key, err, archive.ErrNotFound)
}
