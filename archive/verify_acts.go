package archive

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// acts is what the authority and the custodian have recorded, as far as it bears on a verification. It is complete
// before data streams are judged.
type acts struct {
	compromised   map[keys.ID]time.Time // since, the earliest if there are several; of authorities too
	inherited     map[keys.ID]keys.ID   // the compromised authority because of which alone a key counts as compromised
	retired       map[keys.ID]time.Time
	countersigned map[countersign]Hash
	covering      map[string][]countersign // those of countersigned, by control stream
	acknowledged  map[Acknowledged]bool    // without reason
	policies      []datedPolicy            // ascending
	holds         map[string]hold
	extended      []RetentionExtended
	disposed      map[string]disposal
	home          *Home            // where the log was moved to, nil if it never was
	named         map[keys.ID]bool // key records that are known to have been there
}

type countersign struct {
	key      keys.ID
	stream   string
	sequence uint64
}

type datedPolicy struct {
	since  time.Time
	policy RetentionPolicy
}

type hold struct {
	HoldPlaced
	since time.Time
}

type disposal struct {
	Disposed
	date time.Time // by the store's clock
}

// refusal says why the disposal does not account for the absence of a stream that had the pinned head; empty if it does.
func (d disposal) refusal(h Head) string {
	for _, o := range d.Objects {
		if o.RetainUntil.After(d.date) {
			return fmt.Sprintf("the disposal recorded %s covers %s, which was promised until %s", day(d.date), o.Key, day(o.RetainUntil.Time))
		}
	}
	if d.Size < h.Size || d.Size == h.Size && d.Root != h.Root {
		return fmt.Sprintf("the disposal recorded %s is of %d entries with the root %s", day(d.date), d.Size, d.Root)
	}
	return ""
}

func newActs() *acts {
	return &acts{
		compromised: map[keys.ID]time.Time{}, inherited: map[keys.ID]keys.ID{}, retired: map[keys.ID]time.Time{},
		countersigned: map[countersign]Hash{}, covering: map[string][]countersign{},
		acknowledged: map[Acknowledged]bool{}, holds: map[string]hold{}, disposed: map[string]disposal{}, named: map[keys.ID]bool{},
	}
}

// collectActs reads the control streams of authority and custodian a first time, for what their acts say; their findings
// come when they are judged like every stream. Whatever the run's level and range are, acts count if and only if all of
// their signatures hold.
func (v *verifier) collectActs(ctx context.Context) error {
	trusted, err := v.trustedActs(ctx)
	if err != nil {
		return err
	}
	c := v.VerifyConfig
	c.Level, c.Streams, c.From, c.To = LevelFull, nil, time.Time{}, time.Time{}
	noPins, _ := newPins(&VerifyConfig{})
	first := &verifier{
		VerifyConfig: c, log: v.log, now: v.now, placement: v.placement, keyring: v.keyring, refs: newRefs(),
		acts: newActs(), collecting: newTakenActs(), reported: map[reportedKey]bool{}, report: &Report{}, pins: noPins,
		unlisted: map[string]bool{}, continued: map[string]bool{}, keysCut: v.keysCut,
	}
	first.Progress, first.OnAffected = nil, nil
	first.onFinding = func(f Finding) {
		if f.hidesEvidence() && len(v.hidden) < defaultMaxFindings {
			v.hidden = append(v.hidden, f)
		}
	}
	first.segments = newSegmentPool(ctx, first)
	for _, area := range areas[:2] {
		first.walk(ctx, area)
	}
	first.segments.wait()
	first.collecting.list = append(first.collecting.list, trusted...)
	v.acts = v.inForce(first.collecting)
	return v.suppose(first.collecting)
}

// tellHidden reports what kept acts from being known, as far as nothing else has said it. The second pass passes by what is
// out of range, and what could be read a moment later.
func (v *verifier) tellHidden() {
	for _, f := range v.hidden {
		stream := findingStream(f.Key)
		name, err := ParseStreamName(stream)
		switch {
		case f.Verdict == NotChecked && f.Code == CodeStreamUnverified: // for want of what is reported by itself
			continue
		case f.Verdict != NotChecked && (!v.scoped || v.acts.expired(stream) || err == nil && v.isNew(name.Opened())):
			continue // its key may be as new as the stream
		}
		if !slices.ContainsFunc(v.findingsOn(f.Key), func(known Finding) bool { return known.Code == f.Code }) {
			v.add(f)
		}
	}
}

// takenAct is one act of a verified entry.
type takenAct struct {
	act       any
	entryType string
	key       keys.ID   // that signed the entry
	date      time.Time // of the manifest that committed it, by the store's clock
	dated     bool      // that clock counts
	timestamp string    // of the entry
	stream    string
	sequence  uint64 // of the manifest
}

// takenActs are the acts of the control streams, as workers come upon them, and the hashes of the manifests of those
// streams, as far as none is missing.
type takenActs struct {
	mu        sync.Mutex
	list      []takenAct
	kept      *keptObjects           // the believed objects themselves, for a trust file; nil if they are not wanted
	manifests map[manifestPlace]Hash // of the walking goroutine
}

func newTakenActs() *takenActs { return &takenActs{manifests: map[manifestPlace]Hash{}} }

type manifestPlace struct {
	stream   string
	sequence uint64
}

// holds says whether a manifest is there as it was countersigned, and all before it are.
func (t *takenActs) holds(c countersign, h Hash) bool {
	known, ok := t.manifests[manifestPlace{c.stream, c.sequence}]
	return ok && known == h
}

func (t *takenActs) add(a takenAct) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, a)
}

// inForce puts the acts together in the order of their entries. Those that a key signed after it was compromised, or not
// provably before, have no force unless they are countersigned, but for the compromises themselves: declaring one can only
// lessen what is believed.
func (v *verifier) inForce(t *takenActs) *acts {
	slices.SortStableFunc(t.list, func(a, b takenAct) int {
		return cmp.Or(strings.Compare(a.timestamp, b.timestamp), strings.Compare(a.stream, b.stream), cmp.Compare(a.sequence, b.sequence))
	})
	a := newActs()
	for _, x := range t.list {
		if x.entryType == ActKeyCompromised {
			a.apply(x)
		}
	}
	for id := range v.keyring {
		a.inherit(v, id)
	}
	a.applyCountersignatures(t)
	for _, x := range t.list {
		switch {
		case x.entryType == ActCountersigned || !a.believes(t, x):
		case x.entryType == ActKeyCompromised: // applied, but a thief's is no proof that there was such a key
			a.named[x.act.(*KeyAct).KeyID] = true
		default:
			a.apply(x)
		}
	}
	return a
}

// applyCountersignatures applies those that are in force, again and again: one may give force to others.
func (a *acts) applyCountersignatures(t *takenActs) {
	var waiting []takenAct
	for _, x := range t.list {
		if x.entryType == ActCountersigned {
			waiting = append(waiting, x)
		}
	}
	for before := -1; len(waiting) != before; {
		before = len(waiting)
		waiting = slices.DeleteFunc(waiting, func(x takenAct) bool {
			ok := a.believes(t, x)
			if ok {
				a.apply(x)
			}
			return ok
		})
	}
}

// believes says whether an act was signed by a key that was not compromised then, or is countersigned. Where the store's
// dates do not count, nothing was signed before.
func (a *acts) believes(t *takenActs, x takenAct) bool {
	since, bad := a.compromised[x.key]
	if !bad || x.dated && x.date.Before(since) {
		return true
	}
	return slices.ContainsFunc(a.covering[x.stream], func(c countersign) bool {
		return a.answers(c.key, x.key) && c.sequence >= x.sequence && t.holds(c, a.countersigned[c])
	})
}

// answers says whether a countersignature for the key named settles the compromise of another: the same key, or one that
// is doubted only because the key named signed its record.
func (a *acts) answers(named, key keys.ID) bool { return named == key || a.inherited[key] == named }

// countersigns says whether a manifest is countersigned for a key.
func (a *acts) countersigns(key keys.ID, stream string, sequence uint64, h Hash) bool {
	for _, id := range []keys.ID{key, a.inherited[key]} {
		if known, ok := a.countersigned[countersign{id, stream, sequence}]; ok && known == h {
			return true
		}
	}
	return false
}

// inherit has a key count as compromised if the authority that signed its record does, and S3 does not date the record
// before that. Authorities come first, as they are two deep at most: recovery, and a key of role online.
func (a *acts) inherit(v *verifier, id keys.ID) {
	k := v.knownKey(id)
	if k == nil || k.signer == "" {
		return
	}
	if k.voucher != nil {
		a.inherit(v, k.signer)
	}
	since, bad := a.compromised[k.signer]
	if !bad || v.dated(k.object) && k.object.LastModified.Before(since) {
		return
	}
	known, already := a.compromised[id]
	if already && !since.Before(known) {
		return
	}
	a.compromised[id] = since
	if already && a.inherited[id] == "" {
		return // an act names the key itself, and must be answered
	}
	a.inherited[id] = k.signer
	if cause := a.inherited[k.signer]; cause != "" {
		a.inherited[id] = cause
	}
}

func (a *acts) apply(x takenAct) {
	switch act := x.act.(type) {
	case *KeyAct:
		since := a.retired
		if x.entryType == ActKeyCompromised {
			since = a.compromised
		} else {
			a.named[act.KeyID] = true
		}
		if t, ok := since[act.KeyID]; !ok || act.Since.Before(t) {
			since[act.KeyID] = act.Since.Time
		}
	case *Countersigned:
		a.named[act.KeyID] = true
		for _, h := range act.Heads {
			c := countersign{act.KeyID, h.Stream, h.Sequence}
			a.countersigned[c] = h.SHA256
			if n, err := ParseStreamName(h.Stream); err == nil && n.Role() != keys.RoleWriter {
				a.covering[h.Stream] = append(a.covering[h.Stream], c)
			}
		}
	case *Acknowledged:
		a.acknowledged[Acknowledged{Code: act.Code, Key: act.Key, VersionID: act.VersionID}] = true
	case *PolicyChanged:
		a.policies = append(a.policies, datedPolicy{x.date, act.Retention})
	case *HomeChanged:
		a.home = &act.Home
	case *HoldPlaced:
		a.holds[act.Case] = hold{*act, x.date}
	case *HoldReleased:
		delete(a.holds, act.Case)
	case *RetentionExtended:
		a.extended = append(a.extended, *act)
	case *Disposed:
		a.disposed[act.Stream] = disposal{*act, x.date}
	}
}

// acknowledges says whether the authority has acknowledged a finding. That something was not looked at at all, which no
// version tells, cannot be acknowledged for all time to come.
func (a *acts) acknowledges(f Finding) bool {
	return a != nil && f.CanBeAcknowledged() && a.acknowledged[Acknowledged{Code: string(f.Code), Key: f.Key, VersionID: f.VersionID}]
}

// names says whether an act of the authority is about a key.
func (a *acts) names(id keys.ID) bool { return a.named[id] }

// expired says whether a stream is recorded as disposed of, rightly: then what is missing of it may be.
func (a *acts) expired(stream string) bool {
	d, ok := a.disposed[stream]
	return ok && d.refusal(Head{Size: d.Size, Root: d.Root}) == ""
}

// gone reports an object that is not there: missing, or lawfully disposed of. until is the date that was promised for it,
// zero if that is not known: no disposal before it is lawful.
func (v *verifier) gone(code Code, stream, key, version string, until time.Time, format string, args ...any) {
	if v.acts.expired(stream) && !until.After(v.acts.disposed[stream].date) {
		v.find(CodeExpired, key, version, "it is absent, and its stream is recorded as disposed")
		return
	}
	v.find(code, key, version, format, args...)
}

// policy is the retention policy in force at t.
func (v *verifier) policy(t time.Time) RetentionPolicy {
	p := v.log.Retention
	for _, changed := range v.acts.policies {
		if !changed.since.After(t) {
			p = changed.policy
		}
	}
	return p
}

// promise is until when a segment must be locked: what its manifest promised, plus recorded extensions.
func (a *acts) promise(stream string, s *SegmentRef) time.Time {
	until := s.RetainUntil.Time
	for _, e := range a.extended {
		if e.RetainUntil.After(until) && covers(e.Streams, stream) && overlaps(s, e.From.Time, e.To.Time) {
			until = e.RetainUntil.Time
		}
	}
	return until
}

// held says whether an open case, placed long enough ago to have been carried out, holds a segment.
func (a *acts) held(stream string, s *SegmentRef, now time.Time) bool {
	for _, h := range a.holds {
		if now.Sub(h.since) > grace && covers(h.Streams, stream) && overlaps(s, h.From.Time, h.To.Time) {
			return true
		}
	}
	return false
}

// covers says whether one of the patterns, names or <writer>.*, matches the stream.
func covers(patterns []string, stream string) bool {
	for _, p := range patterns {
		if writer, ok := strings.CutSuffix(p, "*"); p == stream || ok && strings.HasPrefix(stream, writer) {
			return true
		}
	}
	return false
}

// overlaps says whether a segment has entries from from to before to; zero is open.
func overlaps(s *SegmentRef, from, to time.Time) bool {
	return (from.IsZero() || !s.LastTimestamp.Before(from)) && (to.IsZero() || s.FirstTimestamp.Before(to))
}
