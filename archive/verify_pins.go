package archive

import (
	"context"
	"fmt"
	"slices"

	"github.com/wormlog/wormlog/keys"
)

// pins is what the caller knows from outside the bucket: heads, receipts, single lines.
type pins struct {
	heads    map[string]Head
	met      map[string]bool // streams whose pinned head was found in their chain
	entries  map[string][]interest
	found    map[string]int // how many of a stream's interests a segment was found for
	only     []string       // the streams that receipts and lines name, if they narrow the run
	receipts []*checkedReceipt
}

// interest is an entry that somebody has proof of.
type interest struct {
	index            uint64
	leaf             Hash
	what             string // "receipt 2", "line 1"
	id, timestamp    string // of a receipt, which states them beside the leaf
	missing, differs Code
}

type checkedReceipt struct {
	number int
	*Receipt
	keyID  keys.ID
	verify func(keys.LogID, keys.PublicKey) error
}

func newPins(c *VerifyConfig) (*pins, error) {
	p := &pins{heads: map[string]Head{}, met: map[string]bool{}, entries: map[string][]interest{}, found: map[string]int{}}
	if c.Heads != nil {
		if c.LogID != "" && c.Heads.LogID != string(c.LogID) {
			return nil, fmt.Errorf("verify: the head file is of the log %s, pinned is %s", c.Heads.LogID, c.LogID)
		}
		for _, h := range c.Heads.Heads {
			p.heads[h.Stream] = h
		}
	}
	if err := p.addReceipts(c.Receipts); err != nil {
		return nil, err
	}
	if err := p.addLines(c.Lines); err != nil {
		return nil, err
	}
	for stream, list := range p.entries {
		slices.SortFunc(list, func(a, b interest) int { return int(int64(a.index) - int64(b.index)) })
		if len(c.Streams) == 0 {
			p.only = append(p.only, stream)
		}
	}
	slices.Sort(p.only)
	return p, nil
}

func (p *pins) addReceipts(receipts [][]byte) error {
	for i, b := range receipts {
		r, o, err := ParseReceipt(b)
		if err != nil {
			return fmt.Errorf("verify: receipt %d: %w", i+1, err)
		}
		p.receipts = append(p.receipts, &checkedReceipt{i + 1, r, keys.ID(o.KeyID), func(log keys.LogID, pub keys.PublicKey) error {
			return keys.VerifyLine(keys.KindReceipt, log, keys.ID(o.KeyID), pub, o)
		}})
		for _, item := range r.Receipts {
			p.entries[r.Stream] = append(p.entries[r.Stream], interest{
				item.Index, item.Leaf, fmt.Sprintf("receipt %d", i+1), item.ID, item.Timestamp.String(), CodeReceiptMissing, CodeReceiptDiffers})
		}
	}
	return nil
}

func (p *pins) addLines(lines [][]byte) error {
	for i, b := range lines {
		l, err := ParseLine(b)
		if err != nil {
			return fmt.Errorf("verify: line %d: %w", i+1, err)
		}
		p.entries[string(l.Stream)] = append(p.entries[string(l.Stream)], interest{
			l.Index, leafHash(b), fmt.Sprintf("line %d", i+1), string(l.ID), string(l.Timestamp), CodeLineMissing, CodeLineDiffers})
	}
	return nil
}

// drop forgets what somebody asked for.
func (p *pins) drop(stream, what string) {
	p.entries[stream] = slices.DeleteFunc(p.entries[stream], func(in interest) bool { return in.what == what })
}

// judgeReceipts judges the receipts themselves. One that does not hold is no evidence, neither for nor against.
func (v *verifier) judgeReceipts() {
	for _, r := range v.pins.receipts {
		if reason := v.receiptRefusal(r); reason != "" {
			v.find(CodeReceiptInvalid, "", "", "receipt %d: %s", r.number, reason)
			v.pins.drop(r.Stream, fmt.Sprintf("receipt %d", r.number))
		}
	}
}

func (v *verifier) receiptRefusal(r *checkedReceipt) string {
	if r.LogID != v.log.ID {
		return fmt.Sprintf("it is of the log %s", r.LogID)
	}
	k := v.keyring[r.keyID]
	switch {
	case k == nil || !k.usable || r.keyID == genesisAnchor:
		return fmt.Sprintf("there is no usable key record %s", r.keyID)
	case !v.acts.compromised[r.keyID].IsZero():
		return fmt.Sprintf("the key %s is compromised, and a receipt carries no date of the store's", r.keyID)
	case !k.record.Covers(r.Stream):
		return fmt.Sprintf("the key %s is for %s, not for the stream %s", r.keyID, k.record.Streams, r.Stream)
	}
	if err := r.verify(v.log.ID, k.record.PublicKey); err != nil {
		return err.Error()
	}
	return ""
}

// interests returns those entries of a segment that somebody asks for, ascending.
func (p *pins) interests(stream string, ref *SegmentRef) (in []interest) {
	for _, x := range p.entries[stream] {
		if x.index >= ref.FirstIndex && x.index < ref.FirstIndex+ref.Count {
			in = append(in, x)
		}
	}
	p.found[stream] += len(in)
	return in
}

// meet notes that a manifest is the pinned head of its stream.
// A head that names it and says something else of it than it says itself contradicts itself: it was edited.
func (p *pins) meet(v *verifier, s *streamState, c *candidate) {
	h, ok := p.heads[s.name.String()]
	if !ok || h.Manifest != c.hash {
		return
	}
	s.pinnedOK = true
	m := c.manifest
	if h.Size != m.Tree.Size || h.Root != m.Range().Root() || h.State != StateDisposed && (h.State == StateFinal) != m.Final {
		v.findAs(Unverifiable, CodeDiverged, c.object.Key, c.version.VersionID,
			"the head file names this manifest with %d entries, root %s, %s; it has %d entries, root %s: the head file was edited",
			h.Size, h.Root, h.State, m.Tree.Size, m.Range().Root())
	}
}

// see notes that the pinned head is under a manifest key of which nothing is believed.
func (p *pins) see(s *streamState, g *manifestGroup) {
	h, ok := p.heads[s.name.String()]
	for i := range g.candidates {
		s.pinSeen = s.pinSeen || ok && g.candidates[i].hash == h.Manifest
	}
}

// leave judges a stream that was walked to its end. It says whether the pinned head is gone from it: what else its early
// end shows is no damage of its own.
func (p *pins) leave(v *verifier, s *streamState) (rolledBack bool) {
	name := s.name.String()
	h, ok := p.heads[name]
	if !ok {
		return false
	}
	p.met[name] = true
	if s.pinnedOK || s.pinSeen || s.cut || h.State == StateDisposed {
		return false
	}
	v.refs.excuse(name)
	p.judgeLostHead(v, s, h)
	return true
}

// judgeLostHead reports a pinned head that is not in its stream, unless that was said already: of a manifest that could
// not be read, of one that lies in its place, or of a gap.
func (p *pins) judgeLostHead(v *verifier, s *streamState, h Head) {
	switch {
	case s.unread:
	case s.failed != nil:
		if codes[s.failed.code] != Tampered {
			s.failed.code, s.failed.reason = CodeManifestAltered, fmt.Sprintf("the pinned head, manifest %s, is not in its place: %s", h.Manifest, s.failed.reason)
		}
	case v.forgedTail(s):
		v.find(CodeManifestAltered, s.last.object.Key, s.last.version.VersionID, "the pinned head, manifest %s, is not in its place: this one's signature does not hold", h.Manifest)
	case v.acts.expired(h.Stream):
		v.find(CodeExpired, s.name.ManifestPrefix(), "", "the pinned head is absent, and the stream is recorded as disposed")
	case !s.whole && s.last != nil && s.last.manifest.Tree.Size >= h.Size:
		// The pinned manifest may be one of those that are reported as missing.
	case s.last == nil || s.last.manifest.Tree.Size < h.Size:
		v.find(CodeRolledBack, s.name.ManifestPrefix(), "", "the pinned head has %d entries (manifest %s), but the stream now ends before it", h.Size, h.Manifest)
	case s.whole && v.pinnedMayFollow(s, h):
		v.find(CodeRolledBack, s.name.ManifestPrefix(), "", "the pinned head, manifest %s, is gone; the stream ends with the same %d entries before it", h.Manifest, h.Size)
	default:
		v.find(CodeDiverged, s.name.ManifestPrefix(), "", "the pinned head, manifest %s with %d entries, is not in the stream's chain", h.Manifest, h.Size)
	}
}

// forgedTail says whether the last manifest, believed without looking at its signature, should not have been.
func (v *verifier) forgedTail(s *streamState) bool {
	if v.Level != LevelLocks || s.last == nil || s.noZero {
		return false
	}
	code, _ := v.judgeSignature(s, s.last)
	return code == CodeManifestSignature
}

// pinnedMayFollow says whether the stream's end is the same tree as the pinned head's: then only manifests without
// entries, heartbeats or the final one, are gone.
func (v *verifier) pinnedMayFollow(s *streamState, h Head) bool {
	m := s.last.manifest
	return m.Tree.Size == h.Size && m.Range().Root() == h.Root
}

// finish judges what was not met at all.
func (p *pins) finish(ctx context.Context, v *verifier) {
	if v.log == nil {
		return
	}
	v.judgeSilent()
	v.judgeContinued(ctx)
	for name, h := range p.heads {
		n, err := ParseStreamName(name)
		if err != nil || p.met[name] || !v.walked(n) || v.unlisted[n.area()] {
			continue
		}
		p.met[name] = true
		why := "no disposal is recorded"
		if d, ok := v.acts.disposed[name]; ok {
			if why = d.refusal(h); why == "" {
				v.find(CodeExpired, n.ManifestPrefix(), "", "the stream is absent and recorded as disposed")
				continue
			}
		}
		v.find(CodeStreamMissing, n.ManifestPrefix(), "", "the stream is gone; its pinned head has %d entries; %s", h.Size, why)
	}
	v.judgeDisposals()
	for name, list := range p.entries {
		n, _ := ParseStreamName(name)
		if v.unlisted[n.area()] {
			continue
		}
		d, disposed := v.acts.disposed[name]
		beyond := slices.ContainsFunc(list, func(in interest) bool { return in.index >= d.Size })
		if disposed && !beyond && !p.walkedAny(v, name) {
			v.find(CodeExpired, n.ManifestPrefix(), "", "the stream is absent and recorded as disposed")
			continue
		}
		if len(list) > 0 && !v.inScope(n) {
			v.find(CodeOutOfScope, n.ManifestPrefix(), "", "%s is about a stream outside of the streams and times that were asked for, so it was not looked for", list[0].what)
			continue
		}
		if p.found[name] < len(list) {
			p.judgeMissingEntries(v, n, list)
		}
	}
	if len(p.heads) > 0 && v.Heads != nil {
		v.report.Tail = "pinned " + v.Heads.Taken.String()
	}
}

// judgeDisposals reports the streams that are gone although what is recorded of their disposal does not allow it.
func (v *verifier) judgeDisposals() {
	for name, d := range v.acts.disposed {
		n, err := ParseStreamName(name)
		if _, there := v.ends[name]; there || err != nil || v.pins.met[name] || !v.walked(n) || v.unlisted[n.area()] {
			continue
		}
		if why := d.refusal(Head{Size: d.Size, Root: d.Root}); why != "" {
			v.find(CodeStreamMissing, n.ManifestPrefix(), "", "the stream is gone; %s", why)
		}
	}
}

// walkedAny says whether anything of a stream was met.
func (p *pins) walkedAny(v *verifier, stream string) bool {
	return slices.ContainsFunc(v.report.Heads, func(h Head) bool { return h.Stream == stream })
}

// walked says whether a stream was in range.
func (v *verifier) walked(n StreamName) bool {
	if v.pins.only != nil {
		return slices.Contains(v.pins.only, n.String())
	}
	return v.inScope(n)
}

// judgeMissingEntries reports the entries that no segment covers, or that lie in one that could not be followed.
func (p *pins) judgeMissingEntries(v *verifier, n StreamName, list []interest) {
	size := uint64(0)
	for _, h := range v.report.Heads {
		if h.Stream == n.String() {
			size = h.Size
		}
	}
	for _, x := range list {
		if x.index < size {
			continue
		}
		index := x.index
		v.add(Finding{Code: x.missing, Verdict: codes[x.missing], Key: n.ManifestPrefix(), Entry: &index,
			Detail: fmt.Sprintf("%s names an entry that the archive does not hold; the stream ends with %d entries", x.what, size)})
	}
}
