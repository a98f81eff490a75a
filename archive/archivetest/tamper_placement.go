package archivetest

import (
	"time"

	"github.com/wormlog/wormlog/archive"
)

// placementClasses put versions and markers beside what is there.
var placementClasses = []Class{
	{"segment-overlaid", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		return overlay(t, p.Ref.Key, []byte("other"), Newest, archive.Lock{})
	}},
	{"segment-underlaid", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		return overlay(t, p.Ref.Key, []byte("other"), Oldest, p.Lock)
	}},
	{"segment-overlaid-with-equal-bytes", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		return overlay(t, p.Ref.Key, p.Bytes, Newest, p.Lock)
	}},
	{"manifest-overlaid", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsA, 1)
		return overlay(t, m.Key, []byte("other"), Newest, archive.Lock{})
	}},
	{"manifest-underlaid", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsA, 1)
		return overlay(t, m.Key, flip(m.Bytes), Oldest, m.Lock)
	}},
	{"manifest-at-tail-overlaid", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 2)
		return overlay(t, m.Key, flip(m.Bytes), Newest, archive.Lock{})
	}},
	{"manifest-at-tail-underlaid", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 2)
		return overlay(t, m.Key, flip(m.Bytes), Oldest, m.Lock)
	}},
	{"manifest-overlaid-with-equal-bytes", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsA, 1)
		return overlay(t, m.Key, m.Bytes, Newest, m.Lock)
	}},
	{"segment-under-delete-marker", func(t Tamperer, a *Archive) (string, string, error) {
		key, _ := a.Segment(PaymentsA, 1, 0).place()
		version, err := t.DeleteMarker(key)
		return key, version, err
	}},
	{"manifest-under-delete-marker", func(t Tamperer, a *Archive) (string, string, error) {
		key, _ := a.Manifest(PaymentsA, 1).place()
		version, err := t.DeleteMarker(key)
		return key, version, err
	}},
	{"manifest-at-tail-under-delete-marker", func(t Tamperer, a *Archive) (string, string, error) {
		key, _ := a.Manifest(PaymentsC, 2).place()
		version, err := t.DeleteMarker(key)
		return key, version, err
	}},
	{"segment-under-delete-marker-and-other-bytes", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		if _, err := t.DeleteMarker(p.Ref.Key); err != nil {
			return "", "", err
		}
		return overlay(t, p.Ref.Key, []byte("other"), Newest, p.Lock)
	}},
	{"manifest-under-delete-marker-and-other-bytes", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsA, 1)
		if _, err := t.DeleteMarker(m.Key); err != nil {
			return "", "", err
		}
		return overlay(t, m.Key, []byte("other"), Newest, m.Lock)
	}},
	{"manifest-gone-but-for-a-delete-marker", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsA, 1)
		version, err := t.DeleteMarker(m.Key)
		if err != nil {
			return "", "", err
		}
		return m.Key, version, t.DeleteVersion(m.Key, m.VersionID)
	}},
	{"segment-gone-but-for-a-delete-marker", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		version, err := t.DeleteMarker(p.Ref.Key)
		if err != nil {
			return "", "", err
		}
		return p.Ref.Key, version, t.DeleteVersion(p.Ref.Key, p.VersionID)
	}},
	{"segment-replaced-by-equal-bytes", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		if err := t.DeleteVersion(p.Ref.Key, p.VersionID); err != nil {
			return "", "", err
		}
		return overlay(t, p.Ref.Key, p.Bytes, Newest, p.Lock)
	}},
	{"segment-replaced-by-other-bytes", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		if err := t.DeleteVersion(p.Ref.Key, p.VersionID); err != nil {
			return "", "", err
		}
		return overlay(t, p.Ref.Key, flip(p.Bytes), Newest, p.Lock)
	}},
	{"manifest-replaced-by-equal-bytes", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsA, 1)
		if err := t.DeleteVersion(m.Key, m.VersionID); err != nil {
			return "", "", err
		}
		return overlay(t, m.Key, m.Bytes, Newest, m.Lock)
	}},
	{"foreign-object-fresh", stranger("notes.txt", at("11-22 11:00"))},
	{"foreign-object-old", stranger("notes.txt", at("11-20 11:00"))},
	{"foreign-object-among-keys", stranger("keys/notes.txt", at("11-20 11:00"))},
	{"foreign-object-among-manifests", stranger("manifests/2026-11-20/notes.txt", at("11-20 11:00"))},
	{"foreign-object-among-segments", stranger("segments/notes.txt", at("11-20 11:00"))},
	{"foreign-object-in-control", stranger("control/auditor/notes.txt", at("11-20 11:00"))},
	{"canary", stranger("canary/01KAMXHCG0ZZZZZZZZZZZZZZZZ", at("11-20 11:00"))},
	{"orphan-segment-fresh", orphan(at("11-22 11:50"))},
	{"orphan-segment-old", orphan(at("11-20 12:00"))},
	{"copied-to-another-bucket", copied},
	{"segment-changed-in-copy", func(t Tamperer, a *Archive) (string, string, error) {
		if _, _, err := copied(t, a); err != nil {
			return "", "", err
		}
		key, _ := a.Segment(PaymentsA, 1, 0).place()
		return key, "", t.ReplaceBody(key, "", flip(a.Segment(PaymentsA, 1, 0).Bytes), true)
	}},
	{"segment-removed-from-copy", func(t Tamperer, a *Archive) (string, string, error) {
		if _, _, err := copied(t, a); err != nil {
			return "", "", err
		}
		key, version := a.Segment(PaymentsA, 1, 0).place()
		return key, version, t.RemoveKey(key)
	}},
	{"manifest-changed-in-copy", func(t Tamperer, a *Archive) (string, string, error) {
		if _, _, err := copied(t, a); err != nil {
			return "", "", err
		}
		key, _ := a.Manifest(PaymentsA, 1).place()
		return key, "", t.ReplaceBody(key, "", flip(a.Manifest(PaymentsA, 1).Bytes), true)
	}},
}

func stranger(key string, date time.Time) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		version, err := t.PutVersion(key, []byte("hello"), archive.Lock{}, date)
		return key, version, err
	}
}

// orphan puts a segment there that no manifest refers to, as a writer does that is killed before it commits.
func orphan(date time.Time) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsC, 1, 0)
		key := a.Streams[PaymentsC].Name.SegmentKey(5, date)
		version, err := t.PutVersion(key, p.Bytes, p.Lock, date)
		return key, version, err
	}
}

// copied gives every object a new version ID and a new date and takes its lock, as a copy to another bucket does.
func copied(t Tamperer, a *Archive) (string, string, error) {
	for _, o := range a.Objects() {
		if err := t.DeleteVersion(o.Key, o.VersionID); err != nil {
			return "", "", err
		}
		if _, err := t.PutVersion(o.Key, o.Body, archive.Lock{}, ArchiveNow); err != nil {
			return "", "", err
		}
	}
	return "", "", nil
}

// lockClasses loosen locks, or the bucket's own settings.
var lockClasses = []Class{
	{"segment-unlocked", lock(segmentPart(PaymentsB, 0, 0), archive.Lock{})},
	{"segment-in-governance-mode", lock(segmentPart(PaymentsB, 0, 0), archive.Lock{Mode: archive.Governance, RetainUntil: at("12-01 00:00").AddDate(1, 0, 0)})},
	{"segment-lock-shortened", lock(segmentPart(PaymentsB, 0, 0), locked(at("12-01 00:00")))},
	{"segment-lock-short-of-extension", lock(segmentPart(GatewayA, 0, 0), locked(at("11-19 00:00").AddDate(1, 0, 0)))},
	{"segment-hold-missing", lock(segmentPart(PaymentsA, 1, 1), locked(at("11-20 00:00").AddDate(1, 0, 0)))},
	{"manifest-hold-missing", func(t Tamperer, a *Archive) (string, string, error) {
		key, version := manifestPart(PaymentsA, 0)(a)
		l := a.Streams[PaymentsA].Manifests[0].Lock
		l.LegalHold = false
		return key, version, t.SetLock(key, version, l)
	}},
	{"genesis-hold-missing", releaseAnchor(genesisAnchor)},
	{"key-record-hold-missing", releaseAnchor(recordAnchor(Payments1))},
	{"manifest-unlocked", lock(manifestPart(PaymentsB, 0), archive.Lock{})},
	{"manifest-at-tail-unlocked", lock(manifestPart(PaymentsC, 2), archive.Lock{})},
	{"manifest-in-governance-mode", lock(manifestPart(PaymentsB, 0), archive.Lock{Mode: archive.Governance, RetainUntil: at("12-01 00:00").AddDate(1, 0, 0)})},
	{"manifest-lock-shortened", lock(manifestPart(PaymentsB, 0), locked(at("12-01 00:00")))},
	{"manifest-at-tail-lock-shortened", lock(manifestPart(GatewayB, 1), locked(at("12-01 00:00")))},
	{"manifest-lock-short-of-extension", lock(manifestPart(GatewayA, 1), locked(at("11-27 00:00").AddDate(1, 0, 0)))},
	{"genesis-unlocked", lockAnchor(genesisAnchor, archive.Lock{})},
	{"genesis-lock-due", lockAnchor(genesisAnchor, locked(at("12-01 00:00")))},
	{"genesis-lock-lapsed", lockAnchor(genesisAnchor, locked(at("11-01 00:00")))},
	{"key-record-unlocked", lockAnchor(recordAnchor(Payments2), archive.Lock{})},
	{"key-record-in-governance-mode", lockAnchor(recordAnchor(Payments2), archive.Lock{Mode: archive.Governance, RetainUntil: at("12-01 00:00").AddDate(3, 0, 0)})},
	{"key-record-lock-due", lockAnchor(recordAnchor(Payments2), locked(at("12-01 00:00")))},
	{"key-record-lock-lapsed", lockAnchor(recordAnchor(Payments2), locked(at("11-21 00:00")))},
	{"bucket-lock-off", settings(func(s *archive.Settings) { s.ObjectLock.Value = false })},
	{"bucket-versioning-suspended", settings(func(s *archive.Settings) { s.Versioning.Value = "Suspended" })},
	{"bucket-lifecycle-rule", settings(func(s *archive.Settings) { s.LifecycleExpires.Value = []string{"tidy-up"} })},
}

func segmentPart(stream string, m, n int) func(a *Archive) (string, string) {
	return func(a *Archive) (string, string) { return a.Segment(stream, m, n).place() }
}

func manifestPart(stream string, m int) func(a *Archive) (string, string) {
	return func(a *Archive) (string, string) { return a.Manifest(stream, m).place() }
}

func lock(part func(a *Archive) (string, string), l archive.Lock) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		key, version := part(a)
		return key, version, t.SetLock(key, version, l)
	}
}

func genesisAnchor(a *Archive) string { return archive.GenesisKey }

func recordAnchor(name string) func(a *Archive) string {
	return func(a *Archive) string { return archive.RecordKey(a.Keys[name].ID) }
}

// lockAnchor changes the lock of genesis or of a key record, and leaves its legal hold.
func lockAnchor(key func(a *Archive) string, l archive.Lock) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		o := a.anchors[key(a)]
		l := l
		l.LegalHold = o.Lock.LegalHold
		return o.Key, o.VersionID, t.SetLock(o.Key, o.VersionID, l)
	}
}

// releaseAnchor switches the legal hold of genesis or of a key record off.
func releaseAnchor(key func(a *Archive) string) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		o := a.anchors[key(a)]
		l := o.Lock
		l.LegalHold = false
		return o.Key, o.VersionID, t.SetLock(o.Key, o.VersionID, l)
	}
}

func settings(change func(*archive.Settings)) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, _ *Archive) (string, string, error) {
		s := goodSettings()
		change(&s)
		return "", "", t.SetSettings(s)
	}
}
