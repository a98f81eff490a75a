package archive

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// group is all versions and delete markers of one key, as listed.
type group struct {
	key      string
	versions []Version
}

// originals are the versions that hold bytes, oldest first. Between equal dates the listing's order decides.
func (g group) originals() (out []Version) {
	for i := len(g.versions) - 1; i >= 0; i-- {
		ver := g.versions[i]
		if ver.DeleteMarker {
			continue
		}
		at := len(out)
		for at > 0 && ver.LastModified.Before(out[at-1].LastModified) {
			at--
		}
		out = append(out[:at], append([]Version{ver}, out[at:]...)...)
	}
	return out
}

var errDisorder = errors.New("the listing is out of order, so what is missing from it cannot be told")

// groups lists by key. Keys that do not ascend end the sequence with an error: nothing can be concluded from such a
// listing.
func groups(ctx context.Context, s Store, prefix, startAfter string) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		var g group
		for ver, err := range s.Versions(ctx, prefix, startAfter) {
			if err == nil && ver.Key < g.key {
				err = fmt.Errorf("%w: %q comes after %q", errDisorder, ver.Key, g.key)
			}
			if err != nil {
				yield(group{}, err)
				return
			}
			if ver.Key != g.key && len(g.versions) > 0 {
				if !yield(g, nil) {
					return
				}
				g = group{}
			}
			g.key = ver.Key
			g.versions = append(g.versions, ver)
		}
		if len(g.versions) > 0 {
			yield(g, nil)
		}
	}
}

// list walks the groups under prefix and reports a listing that fails as not checked. It says whether it was whole.
func (v *verifier) list(ctx context.Context, prefix, startAfter string, f func(group) bool) (whole bool) {
	for g, err := range groups(ctx, v.Store, prefix, startAfter) {
		if err != nil {
			if ctx.Err() == nil {
				v.find(CodeListFailed, prefix, "", "its versions could not be listed: %v", err)
			}
			return false
		}
		v.count(func(c *Counts) { c.Versions += uint64(len(g.versions)) })
		if !f(g) {
			return true
		}
	}
	return true
}

// judgeOthers reports what lies over or beside the chosen version of a key: delete markers and further versions. In a
// copy, placement is not judged.
func (v *verifier) judgeOthers(g group, chosen string) {
	if v.placement == PlacementCopy {
		return
	}
	for _, ver := range g.versions {
		switch {
		case ver.DeleteMarker:
			v.find(CodeDeleteMarker, g.key, ver.VersionID, "a delete marker hides the original, version %s, which is intact", chosen)
		case ver.VersionID != chosen:
			v.find(CodeVersionExtra, g.key, ver.VersionID, "another version of %d bytes lies beside the original, version %s, which is intact", ver.Size, chosen)
		}
	}
}

const (
	readAttempts = 6
	// beyond sorts behind every key that begins with what stands before it.
	beyond = "\U0010FFFF"
)

// get reads a version, again and again for a while when the store throttles or does not answer.
func (v *verifier) get(ctx context.Context, key, version string, limit int64) (b []byte, o Object, err error) {
	err = retryRead(ctx, func() (err error) {
		b, o, err = v.Store.Get(ctx, key, version, limit)
		return err
	})
	if err == nil {
		v.count(func(c *Counts) { c.Bytes += uint64(len(b)) })
	}
	return b, o, err
}

func (v *verifier) head(ctx context.Context, key, version string) (o Object, err error) {
	err = retryRead(ctx, func() (err error) {
		o, err = v.Store.Head(ctx, key, version)
		return err
	})
	return o, err
}

// retryRead repeats a read whose failure may pass.
func retryRead(ctx context.Context, read func() error) (err error) {
	pause := firstPause
	for range readAttempts {
		if err = read(); err == nil || !passing(err) || !sleep(ctx, pause) {
			return err
		}
		pause *= 2
	}
	return err
}

// passing says whether an error may go away by itself.
func passing(err error) bool {
	for _, definite := range []error{ErrNotFound, ErrDeleteMarker, ErrDenied, ErrRefused, ErrTooLarge, ErrExists, context.Canceled} {
		if errors.Is(err, definite) {
			return false
		}
	}
	return true
}

// refs remembers which segment keys manifests refer to, and the version they pin, in 24 bytes each.
type refs struct {
	seed1, seed2, seed3 maphash.Seed
	mu                  sync.Mutex
	pinned              map[[2]uint64]uint64
	excused             map[string]bool // streams whose manifests could not all be judged: their segments are no orphans
}

func newRefs() *refs {
	return &refs{
		seed1: maphash.MakeSeed(), seed2: maphash.MakeSeed(), seed3: maphash.MakeSeed(),
		pinned: map[[2]uint64]uint64{}, excused: map[string]bool{},
	}
}

func (r *refs) hash(key string) [2]uint64 {
	return [2]uint64{maphash.String(r.seed1, key), maphash.String(r.seed2, key)}
}

func (r *refs) add(key, version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pinned[r.hash(key)] = maphash.String(r.seed3, version)
}

// addRefuted notes what a manifest refers to that is not believed. It does not take the place of what another one says.
func (r *refs) addRefuted(key, version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.hash(key); r.pinned[h] == 0 {
		r.pinned[h] = maphash.String(r.seed3, version)
	}
}

// lookup says whether a key is referred to, and returns a test for the version that is pinned.
func (r *refs) lookup(key string) (isPinned func(version string) bool, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pin, ok := r.pinned[r.hash(key)]
	return func(version string) bool { return maphash.String(r.seed3, version) == pin }, ok
}

func (r *refs) excuse(stream string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.excused[stream] = true
}

// judgeUnreferenced looks at everything that no manifest refers to: further versions of segments, orphans, strangers.
func (v *verifier) judgeUnreferenced(ctx context.Context) {
	for _, area := range areas {
		v.list(ctx, area+"segments/", "", func(g group) bool {
			v.judgeSegmentGroup(area, g)
			return ctx.Err() == nil
		})
	}
	v.judgeStrangers(ctx)
}

func (v *verifier) judgeSegmentGroup(area string, g group) {
	isPinned, ok := v.refs.lookup(g.key)
	if ok {
		v.judgeBesidePinned(g, isPinned)
		return
	}
	stream, valid := segmentStream(area, g.key)
	if !valid {
		v.judgeStranger(g)
		return
	}
	if v.refs.excused[stream] || v.unlisted[area] { // what no manifest refers to cannot be told
		return
	}
	for _, ver := range g.versions {
		if ver.DeleteMarker {
			v.find(CodeUnknownObject, g.key, ver.VersionID, "a delete marker on a segment that no manifest refers to")
			continue
		}
		v.findAs(v.byAge(ver.LastModified), CodeOrphan, g.key, ver.VersionID,
			"no manifest refers to this segment, written %s: an upload that was never committed, or one under way", ver.LastModified.UTC().Format(secondLayout))
	}
}

// judgeBesidePinned reports what lies beside the pinned version. That the pinned one itself exists is judged where its
// bytes are.
func (v *verifier) judgeBesidePinned(g group, isPinned func(string) bool) {
	if v.placement == PlacementCopy {
		return
	}
	if !slices.ContainsFunc(g.versions, func(ver Version) bool { return isPinned(ver.VersionID) }) {
		return // the pinned one is gone: that is the damage, and not what lies there now
	}
	for _, ver := range g.versions {
		switch {
		case ver.DeleteMarker:
			v.find(CodeDeleteMarker, g.key, ver.VersionID, "a delete marker lies over the segment")
		case !isPinned(ver.VersionID):
			v.find(CodeVersionExtra, g.key, ver.VersionID, "another version of %d bytes lies beside the one that the manifest pins", ver.Size)
		}
	}
}

// byAge is information for a day, then something to look at.
func (v *verifier) byAge(written time.Time) Verdict {
	if v.now.Sub(written) > grace {
		return Attention
	}
	return Information
}

var segmentKeyForm = regexp.MustCompile(`^segments/date=\d{4}-\d\d-\d\d/hour=\d\d/stream=([^/]+)/\d{20}\.ndjson\.zst$`)

// segmentStream returns the stream that a segment's key names.
func segmentStream(area, key string) (string, bool) {
	m := segmentKeyForm.FindStringSubmatch(strings.TrimPrefix(key, area))
	if m == nil {
		return "", false
	}
	n, err := ParseStreamName(m[1])
	return m[1], err == nil && n.area() == area
}

func (v *verifier) judgeStranger(g group) {
	for _, ver := range g.versions {
		v.findAs(v.byAge(ver.LastModified), CodeUnknownObject, g.key, ver.VersionID,
			"an object that is no part of an archive, written %s", ver.LastModified.UTC().Format(secondLayout))
	}
}

// judgeStrangers finds the objects outside of every known folder, jumping over those folders.
func (v *verifier) judgeStrangers(ctx context.Context) {
	known := []string{canaryPrefix, keysPrefix, "manifests/", "segments/"}
	for _, area := range areas[:len(areas)-1] {
		known = append(known, area+"manifests/", area+"segments/")
	}
	after := ""
	for jumped := true; jumped && ctx.Err() == nil; {
		jumped = false
		v.list(ctx, "", after, func(g group) bool {
			for _, folder := range known {
				if strings.HasPrefix(g.key, folder) {
					after, jumped = folder+beyond, true
					v.count(func(c *Counts) { c.Versions -= uint64(len(g.versions)) }) // counted where that folder was listed
					return false
				}
			}
			if g.key != GenesisKey {
				v.judgeStranger(g)
			}
			return true
		})
	}
}
