package archive

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/wormlog/wormlog/keys"
)

// streamUse is what one record key did in the stream that is walked.
type streamUse struct {
	KeyUse
	scope *scope // nil unless the key is compromised
}

// scope is what of a stream is affected by one compromised key, as far as it was walked.
type scope struct {
	Affected
	used    *candidate // the last manifest with a use of the key
	covered int        // so many of the objects are countersigned
}

// noteUse counts a use of a key, and keeps it if it has to be doubted.
func (v *verifier) noteUse(s *streamState, c *candidate, u keyUse, affected bool) {
	if s.noZero {
		return // the stream cannot be verified: what its manifests say of keys is hearsay
	}
	use := s.uses[u.id]
	if use == nil {
		use = v.beginUse(s, u.id)
	}
	if u.ref == nil {
		use.Manifests++
	} else {
		use.Segments++
		use.Entries += u.ref.Count
	}
	if v.dated(c.object) {
		use.date(c.date())
	}
	if use.scope != nil {
		use.scope.used = c
		if affected {
			use.scope.add(c, u, v.dated(c.object))
		}
	}
}

func (v *verifier) beginUse(s *streamState, id keys.ID) *streamUse {
	use := &streamUse{KeyUse: KeyUse{Streams: 1}}
	if since, ok := v.acts.compromised[id]; ok {
		use.scope = &scope{Affected: Affected{
			KeyID: id, Since: Second{since}, Supposed: v.isSupposed(id), Because: v.acts.inherited[id], Stream: s.name.String(),
			Objects: []AffectedObject{},
		}}
		s.scopes = append(s.scopes, use.scope)
	}
	if s.uses == nil {
		s.uses = map[keys.ID]*streamUse{}
	}
	s.uses[id] = use
	return use
}

func (a *scope) add(c *candidate, u keyUse, dated bool) {
	key, version := u.place(c)
	o := AffectedObject{Kind: "manifest", Key: key, VersionID: version, Sequence: c.manifest.Sequence}
	if dated {
		o.Date = Second{c.date()}
	}
	if ref := u.ref; ref != nil {
		o.Kind, o.FirstIndex, o.Count, o.First, o.Last = "segment", ref.FirstIndex, ref.Count, ref.FirstTimestamp, ref.LastTimestamp
		a.Entries += ref.Count
		widen(&a.First.Time, &a.Last.Time, ref.FirstTimestamp.Time)
		widen(&a.First.Time, &a.Last.Time, ref.LastTimestamp.Time)
	}
	a.Objects = append(a.Objects, o)
}

// passScopes takes note of a manifest once all that it uses keys for is known.
func (v *verifier) passScopes(s *streamState, c *candidate) {
	for _, a := range s.scopes {
		head := &CountersignedHead{Stream: a.Stream, Sequence: c.manifest.Sequence, SHA256: c.hash}
		if a.used == c {
			a.Head = head
			if len(a.Objects) == 0 {
				a.Before = head
			}
		}
		if h, ok := v.pins.heads[a.Stream]; ok && h.Manifest == c.hash {
			a.Pinned = head
		}
		if !v.countersigned(a.KeyID, s, c) {
			continue
		}
		a.Signed = head
		for ; a.covered < len(a.Objects); a.covered++ {
			a.Objects[a.covered].Countersigned = true
		}
	}
}

// endUses adds what the keys did in a stream to what they did elsewhere, and hands out what is affected.
func (v *verifier) endUses(s *streamState) {
	for id, use := range s.uses {
		if k := v.knownKey(id); k != nil {
			k.use.add(use.KeyUse)
		}
	}
	slices.SortFunc(s.scopes, func(a, b *scope) int { return cmp.Compare(a.KeyID, b.KeyID) })
	for _, a := range s.scopes {
		a.Countersigned = len(a.Objects) > 0 && a.covered == len(a.Objects)
		a.Keys = slices.Sorted(maps.Keys(s.uses))
		v.compromised(a.KeyID).add(&a.Affected)
		if v.OnAffected != nil {
			v.OnAffected(a.Affected)
		}
	}
}

// compromised is where what a key affects is summed up.
func (v *verifier) compromised(id keys.ID) *CompromisedKey {
	if v.scopes[id] == nil {
		v.scopes[id] = &CompromisedKey{
			KeyID: id, Since: Second{v.acts.compromised[id]}, Supposed: v.isSupposed(id), Because: v.acts.inherited[id],
		}
	}
	return v.scopes[id]
}

// compromisedKeys tells of every key that counts as compromised, also of those that signed nothing, ascending by key ID.
func (v *verifier) compromisedKeys() (list []CompromisedKey) {
	for _, id := range slices.Sorted(maps.Keys(v.acts.compromised)) {
		list = append(list, *v.compromised(id))
	}
	return list
}

// suppose adds what the caller assumes to what the acts say, as if an act said so too.
func (v *verifier) suppose(taken *takenActs) error {
	if len(v.Suppose) == 0 {
		return nil
	}
	for i := range v.Suppose {
		act := v.Suppose[i]
		if _, authority := v.log.authorityNamed(act.KeyID); !authority && v.keyring[act.KeyID] == nil && !v.keysCut {
			return fmt.Errorf("verify: key %s is to be supposed compromised, but there is no record of it and it is no authority of the log", act.KeyID)
		}
		taken.add(takenAct{act: &act, entryType: ActKeyCompromised, date: v.now})
	}
	known := v.acts.compromised
	v.acts = v.inForce(taken)
	for id, since := range v.acts.compromised {
		if t, ok := known[id]; !ok || since.Before(t) {
			v.supposed[id] = true
		}
	}
	v.report.Supposed = v.Suppose
	return nil
}

// isSupposed says whether a key counts as compromised only because the caller supposes so, of it or of its authority: its
// record may have been met only after that was settled.
func (v *verifier) isSupposed(id keys.ID) bool {
	return v.supposed[id] || v.supposed[v.acts.inherited[id]]
}
