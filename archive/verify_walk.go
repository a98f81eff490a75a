package archive

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wormlog/wormlog/internal/lineobject"
)

// manifestGroup is one manifest key with everything that was found under it.
type manifestGroup struct {
	group
	stream     StreamName
	sequence   uint64
	candidates []candidate // versions that hold bytes, oldest first
	ready      chan struct{}
}

// candidate is one version of a manifest.
type candidate struct {
	version  Version
	object   Object
	hash     Hash
	manifest *Manifest // nil if it could not be parsed
	line     lineobject.Object
	err      error // why not, or why it could not be read
	redated  bool  // another version than the pinned one: its date is not that of the original's writing
	unread   bool  // not asked for yet
	code     Code  // why it is not believed, once that was judged
}

// release forgets what was read of a candidate that is not believed, but for its hash: there may be any number of them.
func (c *candidate) release() { c.manifest, c.line = nil, lineobject.Object{} }

// date is when the store says it was written.
func (c *candidate) date() time.Time { return c.object.LastModified }

// previous is what a manifest says about the one before, nil if it cannot be read or is the first.
func (c *candidate) previous() *Previous {
	if c.manifest == nil {
		return nil
	}
	return c.manifest.Previous
}

// walk judges all manifests of an area in the order of their keys, which is stream by stream and in sequence. Fetching
// runs ahead, judging needs what came before.
func (v *verifier) walk(ctx context.Context, area string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var state *streamState
	var waiting *manifestGroup // judged once the one behind it is known
	flush := func(next *manifestGroup) {
		if waiting == nil {
			return
		}
		if state == nil || state.name != waiting.stream {
			state = v.beginStream(waiting.stream)
		}
		behind := next
		if next != nil && (next.stream != waiting.stream || next.sequence != waiting.sequence+1) {
			behind = nil
		}
		v.judgeManifest(ctx, state, waiting, behind)
		if next == nil || next.stream != waiting.stream {
			state.cut = next == nil && v.unlisted[area]
			v.endStream(state)
		}
	}
	for g := range v.fetchManifests(ctx, area) {
		<-g.ready
		flush(g)
		waiting = g
	}
	if ctx.Err() == nil {
		flush(nil)
	}
}

// fetchAhead is how many manifests are read ahead of the one that is judged.
const fetchAhead = 32

// fetchManifests sends the groups of an area in order; each is complete when its ready channel closes.
func (v *verifier) fetchManifests(ctx context.Context, area string) <-chan *manifestGroup {
	out := make(chan *manifestGroup, fetchAhead)
	slots := make(chan struct{}, v.Workers)
	go func() {
		defer close(out)
		for _, prefix := range v.manifestPrefixes(area) {
			whole := v.list(ctx, prefix, "", func(g group) bool {
				m, ok := v.parseManifestKey(area, g)
				if !ok || !v.inScope(m.stream) {
					return ctx.Err() == nil
				}
				select {
				case slots <- struct{}{}:
				case <-ctx.Done():
					return false
				}
				go func() {
					defer func() { close(m.ready); <-slots }()
					v.fetchCandidates(ctx, m)
				}()
				select {
				case out <- m:
					return true
				case <-ctx.Done():
					return false
				}
			})
			if !whole {
				v.unlisted[area] = true // read only after the channel is closed
			}
		}
	}()
	return out
}

// manifestPrefixes are the folders to list: all of the area, or those of the streams that were asked for by name.
func (v *verifier) manifestPrefixes(area string) (prefixes []string) {
	names := v.pins.only
	if names == nil {
		for _, s := range v.Streams {
			if strings.HasSuffix(s, ".*") {
				return []string{area + "manifests/"}
			}
			names = append(names, s)
		}
	}
	if names == nil {
		return []string{area + "manifests/"}
	}
	for _, s := range names {
		if n, err := ParseStreamName(s); err == nil && n.area() == area {
			prefixes = append(prefixes, n.ManifestPrefix())
		}
	}
	return prefixes
}

// inScope says whether a stream may have entries that were asked for.
func (v *verifier) inScope(n StreamName) bool {
	if len(v.Streams) > 0 && !covers(v.Streams, n.String()) {
		return false
	}
	if !v.To.IsZero() && !n.Opened().Before(v.To.Add(grace)) {
		return false
	}
	return v.From.IsZero() || !n.Opened().Add(maxStreamAge+grace).Before(v.From)
}

// parseManifestKey takes a key apart; keys of another form are strangers.
func (v *verifier) parseManifestKey(area string, g group) (*manifestGroup, bool) {
	if name, seq, ok := splitManifestKey(area, g.key); ok {
		return &manifestGroup{group: g, stream: name, sequence: seq, ready: make(chan struct{})}, true
	}
	if !v.scoped {
		v.judgeStranger(g)
	}
	return nil, false
}

// splitManifestKey returns the stream and the sequence that a manifest's key in an area names.
func splitManifestKey(area, key string) (name StreamName, sequence uint64, ok bool) {
	parts := strings.Split(strings.TrimPrefix(key, area+"manifests/"), "/")
	if len(parts) != 3 {
		return name, 0, false
	}
	name, err := ParseStreamName(parts[1])
	sequence, numErr := strconv.ParseUint(strings.TrimSuffix(parts[2], ".json"), 10, 63)
	return name, sequence, err == nil && numErr == nil && name.area() == area && name.ManifestKey(sequence) == key
}

// candidatesAhead is how many versions of a manifest are read ahead, oldest first. Anybody who may write can add more.
const candidatesAhead = 2

func (v *verifier) fetchCandidates(ctx context.Context, m *manifestGroup) {
	for i, ver := range m.originals() {
		m.candidates = append(m.candidates, candidate{version: ver, unread: true})
		if i < candidatesAhead {
			v.fetch(ctx, &m.candidates[i])
		}
	}
}

// fetch reads a candidate that was not read yet.
func (v *verifier) fetch(ctx context.Context, c *candidate) {
	if !c.unread {
		return
	}
	c.unread = false
	ver := c.version
	b, o, err := v.get(ctx, ver.Key, ver.VersionID, MaxManifestBytes)
	c.object, c.err = o, err
	if errors.Is(err, ErrTooLarge) {
		c.object = Object{Key: ver.Key, VersionID: ver.VersionID, Size: ver.Size, LastModified: ver.LastModified, RetentionHidden: true}
		c.err = fmt.Errorf("%w: %d bytes, over %d", ErrMalformed, ver.Size, MaxManifestBytes)
	}
	if err == nil {
		c.hash = ManifestDigest(b)
		c.manifest, c.line, c.err = ParseManifest(b)
	}
}
