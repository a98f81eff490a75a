package archive

import (
	"slices"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// judgePlacement judges where the believed manifest lies: the pinned version, whatever lies beside it, its lock.
func (v *verifier) judgePlacement(s *streamState, g *manifestGroup, c *candidate, pin *Previous) {
	if v.placement == PlacementCopy {
		return
	}
	if pin != nil && pin.SHA256 == c.hash && pin.VersionID != c.version.VersionID {
		c.redated = true
		v.find(CodeVersionReplaced, g.key, c.version.VersionID, "the pinned version %s is gone; this one has equal bytes", pin.VersionID)
	}
	for _, ver := range g.versions {
		if !ver.DeleteMarker && ver.VersionID != c.version.VersionID && v.isFork(g, ver.VersionID) {
			continue
		}
		v.judgeOthers(group{g.key, []Version{ver}}, c.version.VersionID)
	}
	var promise time.Time
	if pin != nil && pin.SHA256 == c.hash {
		promise = pin.RetainUntil.Time
	}
	if !v.judgeLock(c.object, promise, false) || c.object.Lock.RetainUntil.Before(promise) {
		return // said already
	}
	v.judgeOutliving(s, c.object)
}

// isFork says whether a version was reported as a fork already.
func (v *verifier) isFork(g *manifestGroup, version string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(v.report.Findings, func(f Finding) bool {
		return f.Code == CodeFork && f.Key == g.key && f.VersionID == version
	})
}

// judgePromises takes note of what a manifest promises, and compares it with the policy.
func (v *verifier) judgePromises(s *streamState, c *candidate) {
	if v.placement == PlacementCopy {
		return
	}
	for i := range c.manifest.Segments {
		ref := &c.manifest.Segments[i]
		if until := v.acts.promise(s.name.String(), ref); until.After(s.promise) {
			s.promise = until
		}
		for _, id := range ref.KeyIDs {
			v.vouches(id, s.promise)
		}
		v.judgePolicy(ref)
	}
	v.vouches(s.opener, s.promise)
}

// judgeOutliving compares the lock of a manifest, and of the one before it that ends first, with the latest promise so far.
func (v *verifier) judgeOutliving(s *streamState, o Object) {
	if s.shortest.Key == "" || o.Lock.RetainUntil.Before(s.shortest.Lock.RetainUntil) {
		s.shortest = o
	}
	if s.shortest.Lock.RetainUntil.Before(s.promise) {
		v.find(CodeRetentionShort, s.shortest.Key, s.shortest.VersionID, "it is locked until %s, but describes evidence retained until %s",
			s.shortest.Lock.RetainUntil.UTC().Format(secondLayout), s.promise.UTC().Format(secondLayout))
		s.shortest = Object{}
	}
}

// judgeHolds reports the manifests that an open case holds, with a segment of theirs or of a later one of the stream, and
// that are not held. The keys that vouch for them must be held, too.
func (v *verifier) judgeHolds(s *streamState, c *candidate) {
	if len(v.acts.holds) == 0 || v.placement == PlacementCopy {
		return
	}
	if !c.object.Lock.LegalHold {
		s.unheld = append(s.unheld, c.object)
	}
	for i := range c.manifest.Segments {
		ref := &c.manifest.Segments[i]
		if !v.acts.held(s.name.String(), ref, v.now) {
			continue
		}
		for _, o := range s.unheld {
			v.judgeHold(o)
		}
		s.unheld = nil
		for _, id := range append([]keys.ID{s.opener}, ref.KeyIDs...) {
			if k := v.keyring[id]; k != nil && id != genesisAnchor {
				k.hold()
			}
		}
	}
}

func (v *verifier) vouches(id keys.ID, until time.Time) {
	if k := v.keyring[id]; k != nil && id != genesisAnchor {
		k.vouches(until)
	}
}

// judgePolicy reports a promise that is below the policy in force when the segment's last entry was written. The date is
// the entry's own because an unreachable archive may delay the write, whose retention is fixed at the first attempt.
func (v *verifier) judgePolicy(ref *SegmentRef) {
	p := v.policy(ref.LastTimestamp.Time)
	if need := ref.LastTimestamp.Add(time.Duration(p.Days)*24*time.Hour - clockSkew); ref.RetainUntil.Before(need) {
		v.find(CodePromiseShort, ref.Key, ref.VersionID, "its manifest promises %s, but the policy of %d days asks for %s",
			day(ref.RetainUntil.Time), p.Days, day(need))
	}
}

// clockSkew is how far a writer's clock may be from the store's.
const clockSkew = 5 * time.Minute
