package archive

import (
	"fmt"
	"slices"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// keyUse is one use of a record key: a signature under a manifest, or those of the entries of a segment.
type keyUse struct {
	id   keys.ID
	ref  *SegmentRef // nil: the manifest itself
	date time.Time   // the store's, by which the use is judged
	// dated: the store's date is that of the writing. first: it is also that of the first writing, and not of a version that
	// took the place of the pinned one.
	dated, first bool
}

// judgeKeyAge takes note of what each key signed, and judges the use of retired and compromised keys. What counts is the
// store's own date of the manifest that commits, and for manifests signed by a stream key that of sequence 0.
func (v *verifier) judgeKeyAge(s *streamState, c *candidate) {
	if v.collecting != nil {
		return // acts are not known yet; the second pass comes here again
	}
	dated := v.dated(c.object)
	u := keyUse{id: keys.ID(c.line.KeyID), date: c.date(), dated: dated, first: dated && !c.redated}
	if c.manifest.Sequence == 0 {
		s.opening = u
	}
	if s.streamKey != nil {
		u = s.opening
	}
	v.judgeUse(s, c, u)
	for i := range c.manifest.Segments {
		ref := &c.manifest.Segments[i]
		for _, id := range ref.KeyIDs {
			v.judgeUse(s, c, keyUse{id, ref, c.date(), dated, dated && !c.redated})
		}
	}
	v.dropCountersigned(s, c)
	v.passScopes(s, c)
}

func (v *verifier) judgeUse(s *streamState, c *candidate, u keyUse) {
	affected := v.judgeCompromised(s, c, u)
	if u.first {
		v.judgeRetired(c, u)
	}
	v.noteUse(s, c, u, affected)
}

// place is the object that a key was used for.
func (u *keyUse) place(c *candidate) (key, version string) {
	if u.ref != nil {
		return u.ref.Key, u.ref.VersionID
	}
	return c.object.Key, c.version.VersionID
}

// judgeCompromised says whether a use of a key has to be doubted, and keeps the finding until it is known whether a
// countersignature covers it.
func (v *verifier) judgeCompromised(s *streamState, c *candidate, u keyUse) (affected bool) {
	since, ok := v.acts.compromised[u.id]
	if !ok || u.dated && u.date.Before(since) {
		return false
	}
	key, version := u.place(c)
	counts := "counts as"
	if v.isSupposed(u.id) {
		counts = "is supposed to be"
	}
	if !slices.Contains(s.doubted, u.id) {
		s.doubted = append(s.doubted, u.id)
	}
	s.suspects = append(s.suspects, suspect{
		key: u.id,
		finding: Finding{
			Code: CodeKeyCompromised, Verdict: codes[CodeKeyCompromised], Key: key, VersionID: version,
			Detail: fmt.Sprintf("the key %s %s compromised since %s, and this was archived %s; no countersignature covers it",
				u.id, counts, since.UTC().Format(secondLayout), u.date.UTC().Format(secondLayout)),
		},
	})
	return true
}

// dropCountersigned drops the suspects that a countersignature of this manifest covers.
func (v *verifier) dropCountersigned(s *streamState, c *candidate) {
	for i := 0; i < len(s.doubted); i++ {
		if id := s.doubted[i]; v.countersigned(id, s, c) {
			s.suspects = slices.DeleteFunc(s.suspects, func(x suspect) bool { return x.key == id })
			s.doubted = slices.Delete(s.doubted, i, i+1)
			i--
		}
	}
}

// countersigned says whether a countersignature in force names this manifest for the key.
func (v *verifier) countersigned(id keys.ID, s *streamState, c *candidate) bool {
	return v.acts.countersigns(id, s.name.String(), c.manifest.Sequence, c.hash)
}

// judgeRetired reports a retired key that went on signing: for a day that is a cached bundle.
func (v *verifier) judgeRetired(c *candidate, u keyUse) {
	since, ok := v.acts.retired[u.id]
	if !ok || !u.date.After(since) {
		return
	}
	verdict := Information
	if u.date.Sub(since) > grace {
		verdict = Attention
	}
	key, version := u.place(c)
	v.findAs(verdict, CodeKeyRetired, key, version, "the key %s was retired %s and signed this %s",
		u.id, since.UTC().Format(secondLayout), u.date.UTC().Format(secondLayout))
}
