package archive

import (
	"cmp"
	"slices"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// KeyStatus says what a key record counts as.
type KeyStatus string

// What a key record may count as. Of those that fit the last one holds.
const (
	KeyActive      KeyStatus = "active"
	KeySuperseded  KeyStatus = "superseded"   // another record of its role and streams names it as the one before
	KeyRetired     KeyStatus = "retired"      // an act says so
	KeyCompromised KeyStatus = "compromised"  // an act says so, of it or of the authority that signed its record
	KeyNotBelieved KeyStatus = "not believed" // the record counts as absent
)

// KeyReport is what a verification has to say of one key record. Dates are the store's; there are none in a copy.
type KeyReport struct {
	KeyID keys.ID `json:"key_id"`
	// Role to SignedBy are as the record says, and empty if it is not believed.
	Role           keys.Role      `json:"role,omitempty"`
	Streams        string         `json:"streams,omitempty"`
	EntryAlgorithm keys.Algorithm `json:"entry_algorithm,omitempty"`
	Previous       keys.ID        `json:"previous,omitempty"`
	SignedBy       keys.ID        `json:"signed_by,omitempty"` // the authority: one that genesis names, or a key of role online
	Published      Second         `json:"published,omitzero"`
	// RetainedUntil is when its lock ends; zero if there is none or it may not be seen. VouchesUntil is the latest date that
	// was promised for anything in range that needs the record; zero if nothing does.
	RetainedUntil Second    `json:"retained_until,omitzero"`
	VouchesUntil  Second    `json:"vouches_until,omitzero"`
	State         KeyStatus `json:"state"`
	// Since is from when on it is compromised or else retired. Until a date of retirement has come, the state is another.
	Since  Second `json:"since,omitzero"`
	Signed KeyUse `json:"signed"`
	// Error says why the record is not believed.
	Error string `json:"error,omitempty"`
}

// KeyUse counts what a key signed, as those manifests in range say that are believed. At [LevelLocks] nobody has looked at
// their signatures, so the numbers are what is written there and no more.
type KeyUse struct {
	Streams uint64 `json:"streams"`
	// Manifests are those that it signed itself, or that a stream key signed which it introduced.
	Manifests uint64 `json:"manifests"`
	Segments  uint64 `json:"segments"` // with entries of it
	// Entries are those of its segments. One with entries of several keys counts for each of them with all.
	Entries uint64 `json:"entries"`
	// First and Last are the store's dates of the first and of the last of these manifests.
	First Second `json:"first,omitzero"`
	Last  Second `json:"last,omitzero"`
}

// add takes in what the key did elsewhere.
func (u *KeyUse) add(o KeyUse) {
	u.Streams += o.Streams
	u.Manifests += o.Manifests
	u.Segments += o.Segments
	u.Entries += o.Entries
	u.date(o.First.Time)
	u.date(o.Last.Time)
}

func (u *KeyUse) date(t time.Time) { widen(&u.First.Time, &u.Last.Time, t) }

// widen makes the span from first to last take in t. Zero is no time.
func widen(first, last *time.Time, t time.Time) {
	if t.IsZero() {
		return
	}
	if first.IsZero() || t.Before(*first) {
		*first = t
	}
	if t.After(*last) {
		*last = t
	}
}

// keyReports tells of every key record, ascending by key ID, once everything was judged.
func (v *verifier) keyReports() []KeyReport {
	superseded, against := v.superseded(), v.againstRecords()
	list := make([]KeyReport, 0, len(v.keyring))
	for id, k := range v.keyring {
		if id == genesisAnchor {
			continue
		}
		r := v.keyReport(id, k, superseded[id] != nil)
		if !k.usable {
			r.State, r.Error = KeyNotBelieved, cmp.Or(against[k.key], "it counts as absent: "+k.refused)
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b KeyReport) int { return cmp.Compare(a.KeyID, b.KeyID) })
	return list
}

func (v *verifier) keyReport(id keys.ID, k *keyState, superseded bool) KeyReport {
	r := KeyReport{KeyID: id, State: KeyActive, Signed: k.use, VouchesUntil: Second{k.promise}}
	if v.placement == PlacementHome {
		r.RetainedUntil = Second{k.object.Lock.RetainUntil}
	}
	if v.dated(k.object) {
		r.Published = Second{k.object.LastModified}
	}
	if k.usable {
		r.Role, r.Streams, r.EntryAlgorithm, r.Previous = k.record.Role, k.record.Streams, k.record.EntryAlgorithm, k.record.Previous
		r.SignedBy = k.signer
	}
	if superseded {
		r.State = KeySuperseded
	}
	if since, ok := v.acts.retired[id]; ok {
		r.Since = Second{since}
		if v.retired(id) {
			r.State = KeyRetired
		}
	}
	if since, ok := v.acts.compromised[id]; ok {
		r.State, r.Since = KeyCompromised, Second{since}
	}
	return r
}

// againstRecords is what was found against key records, by the object: there may be any number of either.
func (v *verifier) againstRecords() map[string]string {
	codes := []Code{CodeRecordMissing, CodeRecordAltered, CodeRecordUnsigned, CodeFormat, CodeCritical, CodeReadFailed}
	against := map[string]string{}
	for _, f := range v.report.Findings {
		if slices.Contains(codes, f.Code) && against[f.Key] == "" {
			against[f.Key] = f.Detail
		}
	}
	return against
}

// retired says whether a key has been retired by now.
func (v *verifier) retired(id keys.ID) bool {
	since, ok := v.acts.retired[id]
	return ok && !since.After(v.now)
}

// superseded finds the keys that a believed record of the same role and streams names as the one before, with that record.
// Of several it is the one that was published last: a rotation that was given up may have left another. A key that counts as compromised since before its record was
// published is a thief's: it takes nobody's place.
func (v *verifier) superseded() map[keys.ID]*keyState {
	by := map[keys.ID]*keyState{}
	for id, k := range v.keyring {
		before := v.keyring[k.record.Previous]
		if !k.usable || k.record.Previous == "" || before == nil || !before.usable || !sameUse(before.record, k.record) || v.bornCompromised(id, k) {
			continue
		}
		if other := by[k.record.Previous]; other == nil || k.object.LastModified.After(other.object.LastModified) {
			by[k.record.Previous] = k
		}
	}
	return by
}

// bornCompromised says whether a key counts as compromised since before its record was published, by the store's dates, or
// because of whoever signed that.
func (v *verifier) bornCompromised(id keys.ID, k *keyState) bool {
	since, bad := v.acts.compromised[id]
	return bad && (v.acts.inherited[id] != "" || v.dated(k.object) && !k.object.LastModified.Before(since))
}

// sameUse says whether two records are of keys for the same.
func sameUse(a, b keys.Record) bool { return a.Role == b.Role && a.Streams == b.Streams }

// judgeRotation reports the writers whose newest key is older than it may be. A key that was superseded, retired or
// compromised is not the newest; if none is left, nobody writes and nothing is overdue.
func (v *verifier) judgeRotation() {
	if v.RotationDays == 0 || v.log == nil || v.placement == PlacementCopy || v.keysCut {
		return
	}
	newest := map[string]*keyState{} // by pattern
	superseded := v.superseded()
	for id, k := range v.keyring {
		_, compromised := v.acts.compromised[id]
		switch {
		case k.unread:
			return // it may be the newest of any writer; that it is not known is said already
		case id == genesisAnchor, !k.usable, k.record.Role != keys.RoleWriter, compromised, v.retired(id), superseded[id] != nil:
			continue
		}
		if other := newest[k.record.Streams]; other == nil || k.object.LastModified.After(other.object.LastModified) {
			newest[k.record.Streams] = k
		}
	}
	for pattern, k := range newest {
		age := v.now.Sub(k.object.LastModified)
		if v.dated(k.object) && age > time.Duration(v.RotationDays+1)*24*time.Hour {
			v.find(CodeRotationOverdue, k.key, k.object.VersionID, "the newest key for %s was published %s and is %d days old, over the %d days after which keys rotate",
				pattern, day(k.object.LastModified), age/(24*time.Hour), v.RotationDays)
		}
	}
}
