package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// keyState is what a run knows of one key record (and, under the empty ID, of genesis).
type keyState struct {
	key     string // the object's key
	object  Object
	record  keys.Record
	signer  keys.ID   // that signed the record, once its signature holds
	voucher *keyState // the record of that key; nil if genesis names it
	usable  bool      // signed by whoever may sign such records in this log
	unread  bool      // not usable because it, or what vouches for it, could not be read
	refused string    // why it is not usable

	mu       sync.Mutex
	promise  time.Time // the latest retain-until of anything that this key vouches for
	held     bool      // an open case holds something that this key vouches for
	loaded   bool
	copy     *keys.VerificationCopy
	copyErr  error
	reported bool

	use KeyUse // what it signed; of the walking goroutine
}

// hold records that an open case holds evidence that needs this key, and with it the one that vouches for it.
func (k *keyState) hold() {
	for ; k != nil; k = k.voucher {
		k.mu.Lock()
		k.held = true
		k.mu.Unlock()
	}
}

// vouches records that evidence retained until t needs this key, and with it the one that vouches for it.
func (k *keyState) vouches(t time.Time) {
	for ; k != nil; k = k.voucher {
		k.mu.Lock()
		if t.After(k.promise) {
			k.promise = t
		}
		k.mu.Unlock()
	}
}

// loadKeys reads and judges every key record: first those that genesis's authorities signed, and when all keys of role
// online are known, in whatever order they were listed, the rest.
func (v *verifier) loadKeys(ctx context.Context) {
	type recordGroup struct {
		id keys.ID
		group
	}
	var vouched []recordGroup
	l := &keyLoader{verifier: v, waiting: map[keys.ID]bool{}}
	v.keysCut = !v.list(ctx, keysPrefix, "", func(g group) bool {
		name, ok := strings.CutSuffix(strings.TrimPrefix(g.key, keysPrefix), ".json")
		id := keys.ID(name)
		if !ok || id.Valid() != nil {
			v.judgeStranger(g)
			return true
		}
		if !l.load(ctx, id, g) {
			l.waiting[id] = true
			vouched = append(vouched, recordGroup{id, g})
		}
		return ctx.Err() == nil
	})
	l.last = true
	for _, r := range vouched {
		if ctx.Err() == nil {
			l.load(ctx, r.id, r.group)
		}
	}
}

// learnKeys loads the records of the keys of a manifest that was written while this run was under way: they may be as new.
func (v *verifier) learnKeys(ctx context.Context, g *manifestGroup) {
	if v.collecting != nil {
		return // the second pass does, and keeps what is found
	}
	for i := range g.candidates {
		c := &g.candidates[i]
		if c.manifest == nil || !v.isNew(c.date()) {
			continue
		}
		ids := []keys.ID{keys.ID(c.line.KeyID)}
		for j := range c.manifest.Segments {
			ids = append(ids, c.manifest.Segments[j].KeyIDs...)
		}
		for _, id := range ids {
			v.learnKey(ctx, id)
		}
	}
}

func (v *verifier) learnKey(ctx context.Context, id keys.ID) {
	if id.Valid() != nil || v.knownKey(id) != nil || v.sought[id] {
		return
	}
	v.sought[id] = true
	v.list(ctx, RecordKey(id), "", func(g group) bool {
		if g.key == RecordKey(id) {
			(&keyLoader{verifier: v, last: true}).load(ctx, id, g)
		}
		return false
	})
}

// knownKey is what is known of a key, nil if there is no record.
func (v *verifier) knownKey(id keys.ID) *keyState {
	v.keysMu.RLock()
	defer v.keysMu.RUnlock()
	return v.keyring[id]
}

// use is how a key is about to be used: by which stream, when by S3's own date, on which object.
type use struct {
	stream       StreamName
	date         time.Time
	key, version string
}

// usableKey returns the key if it may sign for that stream. If not, the code and the reason say why.
func (v *verifier) usableKey(id keys.ID, u use) (k *keyState, code Code, reason string) {
	k = v.knownKey(id)
	switch {
	case k == nil:
		code, reason = v.absentKey(id)
		return nil, code, reason
	case k.unread:
		return nil, CodeReadFailed, fmt.Sprintf("the key record %s could not be read: %s", id, k.refused)
	case !k.usable:
		return nil, CodeStreamUnverified, fmt.Sprintf("the key record %s could not be used: %s", id, k.refused)
	case k.record.Role != u.stream.Role():
		return nil, CodeKeyRole, fmt.Sprintf("the key %s has the role %s, but the stream is for the role %s", id, k.record.Role, u.stream.Role())
	case !k.record.Covers(u.stream.String()):
		return nil, CodeKeyRole, fmt.Sprintf("the key %s is for %s, not for this stream", id, k.record.Streams)
	case v.placement == PlacementHome && v.dated(k.object) && u.date.Add(clockSkew).Before(k.object.LastModified):
		return nil, CodeKeyEarly, fmt.Sprintf("the key record %s was published %s, after this was written %s",
			id, k.object.LastModified.UTC().Format(secondLayout), u.date.UTC().Format(secondLayout))
	case v.vouchedEarly(k):
		return nil, CodeKeyEarly, fmt.Sprintf("the key record %s was published %s, before the record of the key %s, which signed it, was on %s",
			id, k.object.LastModified.UTC().Format(secondLayout), k.signer, k.voucher.object.LastModified.UTC().Format(secondLayout))
	}
	return k, "", ""
}

// absentKey says what it means that there is no record of a key.
func (v *verifier) absentKey(id keys.ID) (code Code, reason string) {
	if a, ok := v.log.authorityNamed(id); ok {
		return CodeKeyRole, fmt.Sprintf("the key %s is that of the %s authority, which signs genesis and key records only", id, a.Name)
	}
	switch {
	case v.keysCut:
		return CodeReadFailed, fmt.Sprintf("the key record %s was not found, and not all could be listed", id)
	case v.acts.names(id):
		return CodeStreamUnverified, fmt.Sprintf("the key record %s is gone", id)
	}
	return CodeKeyUnknown, fmt.Sprintf("there is no key record %s", id)
}

// judgeLostKeys reports the key records that are not there although the authority's acts prove that they were, or although
// they ought to vouch for others that are. Authorities that genesis names have none.
func (v *verifier) judgeLostKeys() {
	for id := range v.acts.named {
		if _, authority := v.log.authorityNamed(id); !authority && v.knownKey(id) == nil && !v.keysCut {
			v.find(CodeRecordMissing, RecordKey(id), "", "the key record is gone; an act of the authority names it")
		}
	}
}

// dated says whether an object's date is S3's own of its writing: not so in a copy, unless a trust file states it, and not
// of a replica.
func (v *verifier) dated(o Object) bool {
	return o.stated || v.placement == PlacementHome && !o.Replica
}

// judgeUnvouched reports the keys of which no record was found although they signed others. It may have been lost, or the
// others are forged: that cannot be told apart.
func (v *verifier) judgeUnvouched() {
	for signer, records := range v.unvouched {
		if v.knownKey(signer) == nil && v.acts.names(signer) {
			continue // reported as lost
		}
		v.find(CodeKeyUnknown, RecordKey(signer), "", "there was no record of this key, which signed %s, one of %d key records: they cannot be believed", RecordKey(slices.Min(records)), len(records))
	}
}

// verificationCopy returns what the HMACs of a key are checked with, nil if they cannot be. It asks once a run.
func (v *verifier) verificationCopy(ctx context.Context, id keys.ID, k *keyState) *keys.VerificationCopy {
	if !k.record.EntryAlgorithm.Symmetric() {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.loaded {
		k.loaded = true
		if v.Copies == nil {
			k.copyErr = errors.New("no verification copies were given")
		} else {
			k.copy, k.copyErr = v.Copies.EntryKey(ctx, id)
		}
	}
	return k.copy
}

// uncheckedHMAC reports once a key that its HMACs were not checked.
func (v *verifier) uncheckedHMAC(k *keyState, id keys.ID, reason error) {
	k.mu.Lock()
	said := k.reported
	k.reported = true
	k.mu.Unlock()
	if said {
		return
	}
	verdict := Information
	if v.RequireHMAC {
		verdict = NotChecked
	}
	if errors.Is(reason, keys.ErrMismatch) {
		verdict = Unverifiable
	}
	v.findAs(verdict, CodeHMACUnchecked, k.key, k.object.VersionID, "the HMACs of key %s were not checked: %v", id, reason)
}

// anchorNotice is how long before an anchor falls short somebody should extend it.
const anchorNotice = 365 * 24 * time.Hour

// judgeAnchors compares the locks of genesis and of key records with what they vouch for. They are renewed on schedule,
// so one that will fall short counts only once that is due.
func (v *verifier) judgeAnchors() {
	if v.placement == PlacementCopy || v.log == nil {
		return
	}
	genesis := v.keyring[genesisAnchor]
	for id, k := range v.keyring {
		if id != genesisAnchor {
			genesis.vouches(k.promise)
			genesis.held = genesis.held || k.held
		}
	}
	for id, k := range v.keyring {
		if k.usable || id == genesisAnchor {
			v.judgeAnchor(k)
		}
	}
}

func (v *verifier) judgeAnchor(k *keyState) {
	if !v.judgeLock(k.object, time.Time{}, k.held) {
		return
	}
	until := k.object.Lock.RetainUntil
	if !until.Before(k.promise) {
		return
	}
	switch {
	case !v.now.Before(until):
		v.find(CodeAnchorLapsed, k.key, k.object.VersionID, "its lock ended %s, but evidence that it vouches for is retained until %s", day(until), day(k.promise))
	case v.now.After(until.Add(-anchorNotice)):
		v.find(CodeAnchorDue, k.key, k.object.VersionID, "its lock ends %s, but evidence that it vouches for is retained until %s; extend it", day(until), day(k.promise))
	}
}

func day(t time.Time) string { return t.UTC().Format(dayLayout) }

// judgeLock reports a version that is not locked in COMPLIANCE mode at least until promise, or not held. It says whether
// the lock could be seen and is one. In a copy nothing is judged.
func (v *verifier) judgeLock(o Object, promise time.Time, held bool) bool {
	if v.placement == PlacementCopy {
		return false
	}
	if held {
		v.judgeHold(o)
	}
	switch {
	case o.RetentionHidden:
		v.find(CodeLockHidden, o.Key, o.VersionID, "its retention may not be read; give the verifier s3:GetObjectRetention")
		return false
	case o.Lock.Mode == "":
		v.find(CodeUnlocked, o.Key, o.VersionID, "it is not locked")
		return false
	case o.Lock.Mode != Compliance:
		v.find(CodeGovernance, o.Key, o.VersionID, "it is locked in mode %s until %s, not in COMPLIANCE", o.Lock.Mode, day(o.Lock.RetainUntil))
		return false
	case o.Lock.RetainUntil.Before(promise):
		v.find(CodeRetentionShort, o.Key, o.VersionID, "it is locked until %s, but %s was promised",
			o.Lock.RetainUntil.UTC().Format(secondLayout), promise.UTC().Format(secondLayout))
	}
	return true
}

func (v *verifier) judgeHold(o Object) {
	if o.HoldHidden {
		v.find(CodeLockHidden, o.Key, o.VersionID, "its legal hold may not be read; give the verifier s3:GetObjectLegalHold")
	} else if !o.Lock.LegalHold {
		v.find(CodeHoldMissing, o.Key, o.VersionID, "an open case holds it, but its legal hold is off")
	}
}

// genesisAnchor is the keyring's entry for genesis, which is an anchor as key records are.
const genesisAnchor = keys.ID("")
