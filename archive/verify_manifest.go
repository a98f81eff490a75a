package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/keys"
)

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
		if badCode, bad := signatureHolds(v.log.ID, id, v.knownKey(id).record.PublicKey, c); badCode != "" {
			return badCode, bad
		}
	}
	if k == nil {
		return code, reason
	}
	return "", ""
}

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
