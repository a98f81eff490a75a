package archive

import (
	"context"
	"time"
)

// streamEnd is where a stream ended, as far as it was walked.
type streamEnd struct {
	whole    bool // all of it was believed
	sequence uint64
	hash     Hash
	previous Hash // of the manifest before, if there is one
}

// continuation is what sequence 0 of a stream says about the one that it continues.
type continuation struct {
	Continues
	by string
}

// noteEnd keeps where a stream ended, for the one that continues it.
func (v *verifier) noteEnd(s *streamState) {
	if v.ends == nil {
		v.ends = map[string]streamEnd{}
	}
	var end streamEnd
	if s.last != nil {
		end = streamEnd{whole: s.whole, sequence: s.last.manifest.Sequence, hash: s.last.hash}
		if p := s.last.previous(); p != nil {
			end.previous = p.SHA256
		}
	}
	v.ends[s.name.String()] = end
}

// judgeContinued compares where streams ended with what those that continue them say: nothing else inside the bucket pins
// the tail of a stream that was given up. It may have gone on all the same, by a manifest whose reply was lost.
func (v *verifier) judgeContinued(ctx context.Context) {
	if v.Level == LevelLocks {
		return
	}
	for _, c := range v.continues {
		n, err := ParseStreamName(c.Stream)
		if err != nil || !v.walked(n) || v.unlisted[n.area()] || v.acts.expired(c.Stream) {
			continue
		}
		if _, pinned := v.pins.heads[c.Stream]; !pinned { // else it was judged by that
			v.judgeContinuation(ctx, n, c)
		}
	}
}

func (v *verifier) judgeContinuation(ctx context.Context, n StreamName, c continuation) {
	end, met := v.ends[c.Stream]
	switch {
	case (!met || end.whole && end.sequence < c.Sequence) && v.cameLater(ctx, n, c):
	case !met:
		v.find(CodeStreamMissing, n.ManifestPrefix(), "", "the stream is gone; %s continues it from its sequence %d on", c.by, c.Sequence)
	case !end.whole:
	case end.sequence < c.Sequence:
		v.find(CodeManifestMissing, n.ManifestKey(end.sequence+1), "", "the stream ends before its sequence %d, from which %s continues it", c.Sequence, c.by)
	case end.sequence == c.Sequence && end.hash != c.SHA256, end.sequence == c.Sequence+1 && end.previous != c.SHA256:
		v.find(CodeDiverged, n.ManifestPrefix(), "", "%s continues the stream from the manifest %s, which is not its sequence %d", c.by, c.SHA256, c.Sequence)
	}
}

// cameLater says whether the manifest that a stream goes on from was written after this run had begun: then the listing was
// past its place.
func (v *verifier) cameLater(ctx context.Context, n StreamName, c continuation) (later bool) {
	key := n.ManifestKey(c.Sequence)
	v.list(ctx, key, "", func(g group) bool {
		for _, ver := range g.originals() {
			if g.key != key || !v.isNew(ver.LastModified) {
				continue
			}
			b, _, err := v.get(ctx, key, ver.VersionID, MaxManifestBytes)
			later = later || err == nil && ManifestDigest(b) == c.SHA256
		}
		return false
	})
	return later
}

// isNew says whether the store dates something after the beginning of this run, give or take what its clocks differ by.
func (v *verifier) isNew(written time.Time) bool { return !written.Before(v.now.Add(-clockSkew)) }
