package archivetest

import (
	"time"

	"github.com/wormlog/wormlog/archive"
)

// lockRules are what is promised about retention and legal holds.
var lockRules = []rule{
	{"lock-as-asked", 0, lockAsAsked},
	{"retention-extended", 0, retentionExtended},
	{"retention-shortening-refused", 0, retentionShorteningRefused},
	{"legal-hold-on-and-off", 0, legalHoldOnAndOff},
	{"lock-of-one-version-only", aVersion, lockOfOneVersionOnly},
	{"lock-unchanged-by-delete-marker", aMarker, lockUnchangedByMarker},
	{"lock-change-of-missing-key-not-found", 0, lockChangeOfMissing},
}

func lockAsAsked(c *checker) {
	until := c.until()
	created, err := c.createUntil(c.ctx, "locked", []byte("locked"), until)
	c.prepared("create", err)
	c.hasLock("locked", created.VersionID, archive.Lock{Mode: archive.Compliance, RetainUntil: until})
	c.hasLock("locked", "", archive.Lock{Mode: archive.Compliance, RetainUntil: until})
	// The same instant in another zone, which a client may well hold.
	zone := time.FixedZone("UTC+5", 5*60*60)
	_, err = c.createUntil(c.ctx, "zoned", nil, until.In(zone))
	c.prepared("create", err)
	c.hasLock("zoned", "", archive.Lock{Mode: archive.Compliance, RetainUntil: until})
}

func retentionExtended(c *checker) {
	until := c.until()
	created, err := c.createUntil(c.ctx, "extended", nil, until)
	c.prepared("create", err)
	later := until.Add(time.Minute)
	if err := c.Store.ExtendRetention(c.ctx, "extended", created.VersionID, later); err != nil {
		c.stop("extending failed: %v", err)
	}
	c.hasLock("extended", created.VersionID, archive.Lock{Mode: archive.Compliance, RetainUntil: later})
	if err := c.Store.ExtendRetention(c.ctx, "extended", created.VersionID, later); err != nil {
		c.fail("extending to the same date, as a resumed run does, failed: %v", err)
	}
}

func retentionShorteningRefused(c *checker) {
	until := c.until()
	created, err := c.createUntil(c.ctx, "kept", nil, until)
	c.prepared("create", err)
	err = c.Store.ExtendRetention(c.ctx, "kept", created.VersionID, until.Add(-time.Minute))
	c.wantErr("shortening a COMPLIANCE retention", err, archive.ErrDenied)
	c.hasLock("kept", created.VersionID, archive.Lock{Mode: archive.Compliance, RetainUntil: until})
}

func legalHoldOnAndOff(c *checker) {
	until := c.until()
	created, err := c.createUntil(c.ctx, "held", nil, until)
	c.prepared("create", err)
	for _, on := range []bool{true, true, false, false} {
		if err := c.Store.SetLegalHold(c.ctx, "held", created.VersionID, on); err != nil {
			c.stop("setting the legal hold to %v failed: %v", on, err)
		}
		c.hasLock("held", created.VersionID, archive.Lock{Mode: archive.Compliance, RetainUntil: until, LegalHold: on})
	}
}

func lockOfOneVersionOnly(c *checker) {
	until := c.until()
	first, err := c.createUntil(c.ctx, "two", []byte("first"), until)
	c.prepared("create", err)
	second, err := c.PutVersion(c.ctx, "two", []byte("second"))
	c.prepared("put a version", err)
	newer := c.head("two", second).Lock
	c.hasLock("two", first.VersionID, archive.Lock{Mode: archive.Compliance, RetainUntil: until})
	later := until.Add(time.Minute)
	if err := c.Store.ExtendRetention(c.ctx, "two", first.VersionID, later); err != nil {
		c.fail("extending an older version failed: %v", err)
	}
	if err := c.Store.SetLegalHold(c.ctx, "two", first.VersionID, true); err != nil {
		c.fail("a legal hold on an older version failed: %v", err)
	}
	c.hasLock("two", first.VersionID, archive.Lock{Mode: archive.Compliance, RetainUntil: later, LegalHold: true})
	c.hasLock("two", second, newer)
}

func lockUnchangedByMarker(c *checker) {
	until := c.until()
	created, err := c.createUntil(c.ctx, "marked", nil, until)
	c.prepared("create", err)
	_, err = c.DeleteMarker(c.ctx, "marked")
	c.prepared("delete marker", err)
	c.hasLock("marked", created.VersionID, archive.Lock{Mode: archive.Compliance, RetainUntil: until})
}

func lockChangeOfMissing(c *checker) {
	other := c.put("there", nil)
	err := c.Store.ExtendRetention(c.ctx, "not-there", other.VersionID, c.until())
	c.wantErr("extending a missing key", err, archive.ErrNotFound)
	err = c.Store.SetLegalHold(c.ctx, "not-there", other.VersionID, true)
	c.wantErr("a legal hold on a missing key", err, archive.ErrNotFound)
}

// hasLock checks a version's lock, to the second.
func (c *checker) hasLock(key, versionID string, want archive.Lock) {
	o := c.head(key, versionID)
	if o.RetentionHidden || o.HoldHidden {
		c.fail("the lock of %s is hidden (retention %v, hold %v)", naming(key, versionID), o.RetentionHidden, o.HoldHidden)
	}
	if o.Lock != want {
		c.fail("the lock of %s is %+v, not %+v", naming(key, versionID), o.Lock, want)
	}
}
