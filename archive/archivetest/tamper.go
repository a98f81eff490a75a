package archivetest

import (
	"fmt"
	"slices"

	"github.com/wormlog/wormlog/archive"
)

// Class is one way to tamper with a standard [Archive], or to be mistaken for tampering. testdata/tamper/classes.json says
// of each what a verification must say.
type Class struct {
	Name string
	// Tamper does it to a store that holds a, and returns the version that it changed, made or removed; an empty key if
	// it was not about one version. It may change a too, which then is no longer what NewArchive returned.
	Tamper func(t Tamperer, a *Archive) (key, version string, err error)
}

// Classes are all classes of the tamper kit, in the order in which they are documented.
func Classes() []Class {
	return slices.Concat(
		contentClasses, orderClasses, placementClasses, lockClasses, // what needs the bucket alone
		genesisClasses, recordClasses,
		entryClasses, algorithmClasses, frameClasses, manifestClasses, signerClasses, // what needs a signing key as well
		actClasses, runClasses,
		onlineClasses, stolenClasses, authorityClasses, // who vouches for keys
	)
}

// FindClass returns the class of that name.
func FindClass(name string) (Class, error) {
	all := Classes()
	i := slices.IndexFunc(all, func(c Class) bool { return c.Name == name })
	if i < 0 {
		return Class{}, fmt.Errorf("archivetest: there is no tamper class %q", name)
	}
	return all[i], nil
}

// place names one object version of the archive.
func (m *Manifest) place() (string, string) { return m.Key, m.VersionID }
func (p *Segment) place() (string, string)  { return p.Ref.Key, p.VersionID }

// Manifest returns a stream's manifest, Segment one of the segments that it describes.
func (a *Archive) Manifest(stream string, sequence int) *Manifest {
	return a.Streams[stream].Manifests[sequence]
}

// Segment returns one of the segments that a manifest describes.
func (a *Archive) Segment(stream string, sequence, n int) *Segment {
	return a.Manifest(stream, sequence).Segments[n]
}

// Forge changes parts of a stream, seals it anew with its own keys, and puts the result into the place of what was there:
// same keys as far as they stay, same version IDs. It is what somebody can do who holds the stream's keys and the bucket,
// or what a broken writer would have done.
func (a *Archive) Forge(t Tamperer, stream string, change func(s *Stream)) error {
	s := a.Streams[stream]
	before := s.objects()
	change(s)
	if err := s.seal(); err != nil {
		return err
	}
	return swap(t, before, s.objects())
}

// swap takes versions out of a store and puts others in.
func swap(t Tamperer, before, after []RawVersion) error {
	for _, o := range before {
		if err := t.DeleteVersion(o.Key, o.VersionID); err != nil {
			return err
		}
	}
	for _, o := range after {
		if _, err := t.InsertVersion(o, Newest); err != nil {
			return err
		}
	}
	return nil
}

// resume returns a plan that goes on where the stream ends.
func (a *Archive) resume(stream string) *plan {
	s := a.Streams[stream]
	return &plan{Stream: s, archive: a, until: s.Manifests[0].Until, next: uint64(len(s.Entries()))}
}

// insert puts objects of the archive's own making into the store.
func insert(t Tamperer, objects ...RawVersion) error { return swap(t, nil, objects) }

// flip returns b with one byte in its middle changed.
func flip(b []byte) []byte {
	b = slices.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

// replace changes the bytes of a manifest or segment in place; the store's checksum follows.
func replace(t Tamperer, part interface{ place() (string, string) }, body []byte) (key, version string, err error) {
	key, version = part.place()
	return key, version, t.ReplaceBody(key, version, body, true)
}

// remove removes a manifest or segment.
func remove(t Tamperer, part interface{ place() (string, string) }) (key, version string, err error) {
	key, version = part.place()
	return key, version, t.DeleteVersion(key, version)
}

// overlay puts another version at a place among those of a key.
func overlay(t Tamperer, key string, body []byte, place int, lock archive.Lock) (string, string, error) {
	v := object(key, "", body, lock, ArchiveNow)
	if place == Oldest {
		v.LastModified = at("10-01 00:00")
	}
	version, err := t.InsertVersion(v, place)
	return key, version, err
}
