package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// streamState is how far the judgement of one stream has come. It belongs to the walking goroutine.
type streamState struct {
	name StreamName
	next uint64 // the sequence that must come now

	last      *candidate // the last manifest that was believed
	chained   bool       // last is the one right before next, so that the chain can be judged
	tree      Range      // after last; known while chained
	latest    time.Time  // of the last entry
	open      *Open      // of sequence 0
	opener    keys.ID    // the record key that signed sequence 0
	streamKey *StreamKey
	opened    time.Time // the store's date of sequence 0
	final     bool

	gaps     []gap    // not reported yet
	noZero   bool     // sequence 0 is not there, or not to be believed: nothing after it can be verified
	saidSo   bool     // that it cannot be verified
	cut      bool     // the listing broke off in it, so where it ends is not known
	unread   bool     // something of it could not be read
	failed   *refusal // why the last manifest was not believed, if so; to be reported yet
	whole    bool     // every manifest so far was believed
	pinnedOK bool     // a pinned head was met
	pinSeen  bool     // a pinned head is there, believed or not

	// shortest is the manifest whose lock ends first: it must outlive every later promise of the stream.
	shortest Object
	promise  time.Time

	unheld   []Object  // manifests without a legal hold, until a segment shows that they need one
	suspects []suspect // uses of compromised keys that a countersignature may still cover
}

type suspect struct {
	finding  Finding
	sequence uint64
	key      keys.ID
}

// silence is a stream with a heartbeat that has stopped, unless another one turns out to continue it.
type silence struct {
	stream  string
	finding Finding
}

func (v *verifier) beginStream(name StreamName) *streamState {
	v.count(func(c *Counts) { c.Streams++ })
	return &streamState{name: name, whole: true, chained: true}
}

// judgeManifest judges everything found under one manifest key. next is the group of the sequence right behind it, nil
// if that is not there: what it says about its predecessor pins this one.
func (v *verifier) judgeManifest(ctx context.Context, s *streamState, g, next *manifestGroup) {
	v.count(func(c *Counts) { c.Manifests++ })
	v.tellFailed(s)
	v.noteGap(s, g)
	v.learnKeys(ctx, g)
	if len(g.candidates) == 0 {
		v.judgeGaps(s)
		var until time.Time
		if p := v.pinOf(next); p != nil {
			until = p.RetainUntil.Time
		}
		v.gone(CodeManifestMissing, s.name.String(), g.key, g.versions[0].VersionID, until, "the manifest is deleted: only delete markers are left of it")
		v.lose(s)
		return
	}
	pin := v.pinOf(next)
	c, failure := v.choose(ctx, s, g, pin)
	if c == nil {
		v.pins.see(s, g)
		v.judgeFailed(ctx, s, failure, pin)
		return
	}
	v.judgeGaps(s)
	v.believe(ctx, s, c)
	v.judgePlacement(s, g, c, v.trusted(ctx, s, next))
	v.judgeHolds(s, c)
	v.judgeKeyAge(s, c)
}

// gap is a run of sequences that are not there.
type gap struct{ from, to uint64 }

// noteGap sees the sequences between the last manifest and this one. They are missing only if something believable comes
// after them: a forged manifest far ahead proves nothing.
func (v *verifier) noteGap(s *streamState, g *manifestGroup) {
	if g.sequence > s.next {
		s.gaps = append(s.gaps, gap{s.next, g.sequence - 1})
		s.noZero = s.noZero || s.next == 0
		v.lose(s)
	}
	s.next = g.sequence + 1
}

// maxGapFindings bounds the findings on one gap. Each missing sequence has its own, so that acknowledging one covers no
// other that is lost later.
const maxGapFindings = 1000

// judgeGaps reports the sequences that are not there, now that what follows them is believed.
func (v *verifier) judgeGaps(s *streamState) {
	for _, g := range s.gaps {
		until := min(g.to, g.from+maxGapFindings-1)
		for seq := g.from; seq <= until; seq++ {
			v.gone(CodeManifestMissing, s.name.String(), s.name.ManifestKey(seq), "", time.Time{}, "sequence %d is missing", seq)
		}
		if until < g.to {
			v.gone(CodeManifestMissing, s.name.String(), s.name.ManifestKey(until+1), "", time.Time{}, "%d more sequences are missing, %d to %d", g.to-until, until+1, g.to)
		}
	}
	s.gaps = nil
}

// lose notes that the manifest before the next one is not to be had: the chain cannot be judged there, and what it
// described is no orphan.
func (v *verifier) lose(s *streamState) {
	s.chained, s.whole = false, false
	v.refs.excuse(s.name.String())
}

// unverifiable notes once that the signatures of a stream cannot be judged.
func (v *verifier) unverifiable(s *streamState, why string) {
	s.noZero = true
	if !s.saidSo {
		s.saidSo = true
		verdict := codes[CodeStreamUnverified]
		switch {
		case v.acts.expired(s.name.String()):
			verdict = Information
		case s.unread:
			verdict = NotChecked
		}
		v.findAs(verdict, CodeStreamUnverified, s.name.ManifestPrefix(), "", "the stream cannot be verified: %s", why)
	}
}

// pinOf returns what the next manifest says about this one, believable or not: a hint at which of several versions is
// meant, and at what one that fails should have been.
func (v *verifier) pinOf(next *manifestGroup) *Previous {
	if next == nil {
		return nil
	}
	for i := range next.candidates {
		if p := next.candidates[i].previous(); p != nil {
			return p
		}
	}
	return nil
}

// trusted returns what the next manifest says about the one that was just believed, if its signature holds.
func (v *verifier) trusted(ctx context.Context, s *streamState, next *manifestGroup) *Previous {
	if next == nil {
		return nil
	}
	for i := range next.candidates {
		c := &next.candidates[i]
		ahead := !c.unread
		v.fetch(ctx, c)
		if code, _ := v.judgeIdentity(next.stream, next.sequence, c); code == "" && c.previous() != nil {
			if v.Level == LevelLocks || s.noZero {
				return c.previous()
			}
			if code, _ := v.judgeSignature(s, c); code == "" {
				return c.previous()
			}
		}
		if !ahead {
			c.release()
			c.unread = true
		}
	}
	return nil
}

// refusal says why a candidate cannot be believed.
type refusal struct {
	candidate *candidate
	code      Code
	reason    string
}

// choose returns the version to believe: among those that verify, the pinned one, else the oldest. Two different ones
// that verify are a fork.
func (v *verifier) choose(ctx context.Context, s *streamState, g *manifestGroup, pin *Previous) (*candidate, *refusal) {
	var chosen *candidate
	var failed *refusal
	for i := range g.candidates {
		c := &g.candidates[i]
		v.fetch(ctx, c)
		code, reason := v.judgeCandidate(s, g, c, pin)
		c.code = code
		switch {
		case code != "" && failed == nil:
			failed = &refusal{c, code, reason} // its segments may have to be followed
		case code != "":
			c.release()
		case chosen == nil:
			chosen = c
		case better(c, chosen, pin):
			chosen.release()
			chosen = c
		default:
			c.release()
		}
	}
	if chosen != nil {
		v.judgeFork(s, g, chosen)
	}
	return chosen, failed
}

// better says whether c is to be preferred to chosen, which is older.
func better(c, chosen *candidate, pin *Previous) bool {
	if pin == nil {
		return false
	}
	if (c.hash == pin.SHA256) != (chosen.hash == pin.SHA256) {
		return c.hash == pin.SHA256
	}
	return c.version.VersionID == pin.VersionID
}

func (v *verifier) judgeFork(s *streamState, g *manifestGroup, chosen *candidate) {
	if s.noZero {
		return
	}
	for i := range g.candidates {
		c := &g.candidates[i]
		if c.hash != chosen.hash && c.code == "" {
			v.find(CodeFork, g.key, c.version.VersionID, "two different manifests of this sequence verify: this one and version %s", chosen.version.VersionID)
		}
	}
}

// judgeCandidate says why a version cannot be believed; an empty code means that it can. Order of judgement: pinned hash,
// format, form, signature, meaning (docs/format.md). At the level locks signatures are judged only where they decide which
// of several versions is the original.
func (v *verifier) judgeCandidate(s *streamState, g *manifestGroup, c *candidate, pin *Previous) (Code, string) {
	pinned := pin == nil || c.hash == pin.SHA256
	if code, reason := v.judgeIdentity(g.stream, g.sequence, c); code != "" {
		if !pinned && code != CodeReadFailed {
			return CodeManifestAltered, fmt.Sprintf("its SHA-256 is %s, but the next manifest names %s; %s", c.hash, pin.SHA256, reason)
		}
		return code, reason
	}
	if v.Level == LevelLocks && len(g.candidates) < 2 || s.noZero {
		return "", ""
	}
	code, reason := v.judgeSignature(s, c)
	switch {
	case code == CodeManifestSignature && !pinned:
		return CodeManifestAltered, fmt.Sprintf("its SHA-256 is %s, but the next manifest names %s; %s", c.hash, pin.SHA256, reason)
	case code != "":
		return code, reason
	}
	return v.judgeChain(s, c)
}

// judgeIdentity judges what one manifest is by itself: readable, of the known form, of this log, stream and sequence.
func (v *verifier) judgeIdentity(name StreamName, sequence uint64, c *candidate) (Code, string) {
	switch {
	case errors.Is(c.err, ErrUnknownFormat):
		return CodeFormat, c.err.Error()
	case errors.Is(c.err, ErrMalformed):
		return CodeManifestMalformed, c.err.Error()
	case c.err != nil:
		return CodeReadFailed, fmt.Sprintf("it could not be read: %v", c.err)
	case c.manifest.LogID != v.log.ID:
		return CodeManifestForeign, fmt.Sprintf("it belongs to the log %s", c.manifest.LogID)
	case c.manifest.Stream != name.String() || c.manifest.Sequence != sequence:
		return CodeManifestForeign, fmt.Sprintf("it is sequence %d of the stream %s", c.manifest.Sequence, c.manifest.Stream)
	}
	return "", ""
}

// judgeSignature judges by whom and whether rightly a manifest is signed.
func (v *verifier) judgeSignature(s *streamState, c *candidate) (Code, string) {
	id := keys.ID(c.line.KeyID)
	if s.streamKey != nil && c.manifest.Sequence > 0 {
		if id != s.streamKey.ID() {
			return CodeStreamKey, fmt.Sprintf("key %s signed it, but sequence 0 introduced the stream key %s", id, s.streamKey.ID())
		}
		return signatureHolds(v.log.ID, id, s.streamKey.PublicKey, c)
	}
	k, code, reason := v.usableKey(id, use{s.name, c.date(), c.object.Key, c.version.VersionID})
	if code == CodeKeyEarly || code == "" {
		if badCode, bad := signatureHolds(v.log.ID, id, k0(v, id), c); badCode != "" {
			return badCode, bad
		}
	}
	if k == nil {
		return code, reason
	}
	return "", ""
}

// k0 is the public key of a record that is known.
func k0(v *verifier, id keys.ID) keys.PublicKey { return v.knownKey(id).record.PublicKey }

func signatureHolds(log keys.LogID, id keys.ID, pub keys.PublicKey, c *candidate) (Code, string) {
	if err := keys.VerifyLine(keys.KindManifest, log, id, pub, c.line); err != nil {
		return CodeManifestSignature, err.Error()
	}
	return "", ""
}

// judgeChain judges how a manifest follows the one before.
func (v *verifier) judgeChain(s *streamState, c *candidate) (Code, string) {
	m := c.manifest
	if s.final {
		return CodeAfterFinal, "the manifest before it said that nothing follows"
	}
	if code, reason := v.judgeEntryKeys(s, c); code != "" {
		return code, reason
	}
	if !s.chained {
		return v.judgeTree(Range{Begin: 0, End: m.Begin()}, m, false)
	}
	if s.last != nil && len(m.Segments) > 0 && m.Segments[0].FirstTimestamp.Before(s.latest) {
		return CodeChain, fmt.Sprintf("its first entry is of %s, before the last one of the manifests before it, %s",
			m.Segments[0].FirstTimestamp, Instant{s.latest})
	}
	if s.last != nil && m.Previous.SHA256 != s.last.hash {
		return CodeChain, fmt.Sprintf("it follows the manifest %s, but the one before it is %s", m.Previous.SHA256, s.last.hash)
	}
	return v.judgeTree(s.tree, m, true)
}

// judgeTree merges the segments' ranges into the tree before and compares it with the one that the manifest states.
// Without the tree before, only what the segments' own ranges say can be compared: nothing.
func (v *verifier) judgeTree(before Range, m *Manifest, known bool) (Code, string) {
	if !known {
		return "", ""
	}
	if m.Begin() != before.End {
		return CodeTree, fmt.Sprintf("its segments begin at entry %d, but %d entries came before", m.Begin(), before.End)
	}
	tree := before.Clone()
	for i := range m.Segments {
		if err := tree.Merge(m.Segments[i].Leaves()); err != nil {
			return CodeTree, err.Error()
		}
	}
	if !tree.Equal(m.Range()) {
		return CodeTree, "the tree before it and the ranges of its segments do not give the tree that it states"
	}
	return "", ""
}

// judgeEntryKeys judges the keys that segments say their entries are signed with.
func (v *verifier) judgeEntryKeys(s *streamState, c *candidate) (Code, string) {
	for i := range c.manifest.Segments {
		for _, id := range c.manifest.Segments[i].KeyIDs {
			u := use{s.name, c.date(), c.manifest.Segments[i].Key, c.manifest.Segments[i].VersionID}
			if _, code, reason := v.usableKey(id, u); code != "" {
				return code, "entries: " + reason
			}
		}
	}
	return "", ""
}

// judgeFailed reports a manifest of which no version can be believed, and looks at its segments where that still means
// something.
func (v *verifier) judgeFailed(ctx context.Context, s *streamState, r *refusal, pin *Previous) {
	c := r.candidate
	s.unread = s.unread || r.code == CodeReadFailed
	if r.code == CodeStreamUnverified || r.code == CodeReadFailed && c.err == nil { // its key could not be had
		v.unverifiable(s, r.reason)
	} else {
		s.failed = r
	}
	if c.manifest != nil && r.code != CodeManifestForeign {
		v.followFailed(ctx, s, c, r.code, pin)
	}
	v.lose(s)
	s.noZero = s.noZero || s.next == 1
}

// tellFailed reports the manifest that was not believed, once it is known what follows it.
func (v *verifier) tellFailed(s *streamState) {
	if r := s.failed; r != nil {
		v.find(r.code, r.candidate.version.Key, r.candidate.version.VersionID, "%s", r.reason)
	}
	s.failed = nil
}

// followFailed has the segments judged by hash if what the manifest says can be believed although it fails: it is the
// one that its successor names, or it is only its key that is wanting.
func (v *verifier) followFailed(ctx context.Context, s *streamState, c *candidate, code Code, pin *Previous) {
	byHash := pin != nil && c.hash == pin.SHA256 || code == CodeStreamUnverified || code == CodeKeyUnknown || code == CodeKeyEarly
	for i := range c.manifest.Segments {
		ref := &c.manifest.Segments[i]
		v.refs.addRefuted(ref.Key, ref.VersionID)
		if byHash && v.wanted(ref) {
			// What else a wrong manifest says of a segment may be what is wrong with it.
			v.segments.add(ctx, &segmentTask{stream: s.name, ref: *ref, date: c.date(), byHash: true, hashOnly: codes[code] == Tampered})
		}
	}
}

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

// believe takes a manifest as the stream's newest: what it says is followed.
func (v *verifier) believe(ctx context.Context, s *streamState, c *candidate) {
	m := c.manifest
	v.judgeExt(c.object.Key, c.version.VersionID, m.Ext)
	if s.noZero {
		v.unverifiable(s, "its sequence 0, which says how it is signed, is missing or cannot be believed")
	} else if m.Sequence == 0 {
		v.believeOpen(s, c)
	}
	s.last, s.chained, s.tree, s.final = c, true, m.Range(), m.Final
	v.judgePromises(s, c)
	v.pins.meet(v, s, c)
	for i := range m.Segments {
		s.latest = m.Segments[i].LastTimestamp.Time
		v.follow(ctx, s, c, &m.Segments[i])
	}
}

func (v *verifier) believeOpen(s *streamState, c *candidate) {
	s.open, s.opened, s.opener = c.manifest.Open, c.date(), keys.ID(c.line.KeyID)
	s.streamKey = s.open.StreamKey
	if s.open.Continues != nil {
		v.continues = append(v.continues, continuation{*s.open.Continues, s.name.String()})
		v.continued[s.open.Continues.Stream] = true
	}
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

// follow has a segment judged.
func (v *verifier) follow(ctx context.Context, s *streamState, c *candidate, ref *SegmentRef) {
	v.refs.add(ref.Key, ref.VersionID)
	interests := v.pins.interests(s.name.String(), ref)
	if !v.wanted(ref) && len(interests) == 0 {
		return
	}
	v.segments.add(ctx, &segmentTask{
		stream: s.name, ref: *ref, date: c.date(), interests: interests, byHash: s.noZero,
		held: v.acts.held(s.name.String(), ref, v.now), promise: v.acts.promise(s.name.String(), ref),
	})
}

// wanted says whether a segment has entries that were asked for.
func (v *verifier) wanted(ref *SegmentRef) bool { return overlaps(ref, v.From, v.To) }

// endStream judges what only the end of a stream shows.
func (v *verifier) endStream(s *streamState) {
	for _, x := range s.suspects {
		v.add(x.finding)
	}
	rolledBack := v.pins.leave(v, s)
	v.tellFailed(s)
	v.noteEnd(s)
	if s.last == nil {
		return
	}
	m := s.last.manifest
	head := Head{Stream: s.name.String(), Size: m.Tree.Size, Root: m.Range().Root(), Manifest: s.last.hash, State: StateOpen}
	if s.final {
		head.State = StateFinal
	}
	v.report.Heads = append(v.report.Heads, head)
	if !s.final && !s.cut && !s.unread && !rolledBack {
		v.judgeUnclosed(s)
	}
}

// judgeUnclosed looks at a stream without a clean end. With a heartbeat it must not be silent for long; without one,
// silence means nothing.
func (v *verifier) judgeUnclosed(s *streamState) {
	if s.open == nil || v.placement == PlacementCopy {
		return
	}
	every, _ := s.open.Heartbeat()
	if every == 0 {
		if v.now.Sub(s.name.Opened()) > maxStreamAge+grace {
			v.find(CodeUnclosed, s.last.object.Key, s.last.version.VersionID, "the stream ended without saying so; it declared no heartbeat, so this tells nothing")
		}
		return
	}
	if quiet := v.now.Sub(s.last.date()); quiet > 2*every {
		v.silent = append(v.silent, silence{s.name.String(), Finding{
			Code: CodeSilent, Verdict: codes[CodeSilent], Key: s.last.object.Key, VersionID: s.last.version.VersionID,
			Detail: fmt.Sprintf("the stream promised a sign of life every %v, has been silent since %s and was not closed",
				every, s.last.date().UTC().Format(secondLayout)),
		}})
	}
}

// judgeSilent reports the silent streams that no other one continues.
func (v *verifier) judgeSilent() {
	for _, x := range v.silent {
		if !v.continued[x.stream] {
			v.add(x.finding)
		}
	}
}
