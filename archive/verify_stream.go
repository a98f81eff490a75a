package archive

import (
	"context"
	"fmt"
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
	doubted  []keys.ID // the keys of suspects, each once

	opening keyUse                 // of the record key for sequence 0
	uses    map[keys.ID]*streamUse // what each record key did
	scopes  []*scope               // what is affected by those that are compromised
}

type suspect struct {
	finding Finding
	key     keys.ID
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

// believe takes a manifest as the stream's newest: what it says is followed.
func (v *verifier) believe(ctx context.Context, s *streamState, c *candidate) {
	m := c.manifest
	v.judgeExt(c.object.Key, c.version.VersionID, m.Ext)
	v.keep(c.object, c.line.Bytes())
	if s.noZero {
		v.unverifiable(s, "its sequence 0, which says how it is signed, is missing or cannot be believed")
	} else if m.Sequence == 0 {
		v.believeOpen(s, c)
	}
	s.last, s.chained, s.tree, s.final = c, true, m.Range(), m.Final
	v.judgePromises(s, c)
	v.pins.meet(v, s, c)
	if v.collecting != nil && s.whole {
		v.collecting.manifests[manifestPlace{s.name.String(), m.Sequence}] = c.hash
	}
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

// follow has a segment judged.
func (v *verifier) follow(ctx context.Context, s *streamState, c *candidate, ref *SegmentRef) {
	v.refs.add(ref.Key, ref.VersionID)
	interests := v.pins.interests(s.name.String(), ref)
	if !v.wanted(ref) && len(interests) == 0 {
		return
	}
	v.segments.add(ctx, &segmentTask{
		stream: s.name, ref: *ref, date: c.date(), dated: v.dated(c.object) && !c.redated, sequence: c.manifest.Sequence, interests: interests, byHash: s.noZero,
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
	v.endUses(s)
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
