package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// site is a log with a writer key, in a memory store.
type site struct {
	t        testing.TB
	mem      *archivetest.Memory
	log      *archive.Log
	online   *keys.AuthorityKey
	recovery *keys.AuthorityKey
	key      *keys.SigningKey
	admin    *keys.SigningKey // of role authority, once there is one
	copies   map[keys.ID]*keys.VerificationCopy
	ids      map[keys.ID]keys.Record
}

func newSite(t testing.TB) *site {
	home := archive.Home{Bucket: "audit", Prefix: "p", Region: "eu-central-1"}
	s := &site{t: t, mem: archivetest.NewMemory(t, home, time.Now),
		copies: map[keys.ID]*keys.VerificationCopy{}, ids: map[keys.ID]keys.Record{}}
	s.online = must(keys.NewAuthorityKey(archive.OnlineAuthority))(t)
	s.recovery = must(keys.NewAuthorityKey(archive.RecoveryAuthority))(t)
	s.log = must(archive.NewLog(archive.Genesis{
		Origin: "example.com/test", Nonce: archive.NewNonce(), Created: archive.Instant{Time: time.Now()}, Home: home,
		Authorities: []keys.Authority{s.online.Authority(), s.recovery.Authority()},
		Retention:   archive.RetentionPolicy{Days: 365, MaxDays: 3650},
	}, s.online))(t)
	must(s.log.Create(t.Context(), s.mem))(t)
	s.key = s.newKey(keys.RoleWriter, "app.*", keys.AlgorithmHMACSHA256)
	return s
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// newKey makes a key and publishes its record.
func (s *site) newKey(role keys.Role, streams string, alg keys.Algorithm) *keys.SigningKey {
	key, record := s.unpublishedKey(role, streams, alg)
	must(s.log.CreateRecord(s.t.Context(), s.mem, key.ID(), record))(s.t)
	return key
}

func (s *site) unpublishedKey(role keys.Role, streams string, alg keys.Algorithm) (*keys.SigningKey, []byte) {
	s.t.Helper()
	bundle, record, err := keys.NewKey(s.log.ID, role, streams, alg, map[string]string{"kind": "test"}, "")
	if err != nil {
		s.t.Fatal(err)
	}
	by := s.online
	if role == keys.RoleAuthority {
		by = s.recovery
	}
	b, id, err := keys.SignRecord(record, by.Signer())
	if err != nil {
		s.t.Fatal(err)
	}
	s.copies[id], s.ids[id] = bundle.VerificationCopy(), record
	return must(bundle.SigningKey(record))(s.t), b
}

// archived is what recheck found: all entries, stream by stream in the order in which the streams were opened.
type archived struct {
	streams   []*archivedStream
	byID      map[string][]archivedEntry
	orphans   []string // segments that no manifest names
	manifests int
}

type archivedStream struct {
	name      string
	manifests []*archive.Manifest
	hashes    []archive.Hash
	entries   []archivedEntry
}

type archivedEntry struct {
	stream, id, timestamp, entryType, data string
	index                                  uint64
	leaf                                   archive.Hash
	binary                                 bool
}

func (a *archived) entries() (all []archivedEntry) {
	for _, s := range a.streams {
		all = append(all, s.entries...)
	}
	return all
}

func (a *archived) ids() (ids []string) {
	for _, e := range a.entries() {
		ids = append(ids, e.id)
	}
	return ids
}

// recheck judges the whole bucket by docs/format.md, apart from the code under test: only the parsers of single objects
// are shared with it, and the tree is checked with another implementation.
func (s *site) recheck() *archived {
	s.t.Helper()
	objects := map[string]archivetest.RawVersion{}
	a := &archived{byID: map[string][]archivedEntry{}}
	named := map[string]bool{}
	streams := map[string]*archivedStream{}
	for v := range s.mem.Raw().All() {
		if _, twice := objects[v.Key]; twice {
			s.t.Errorf("%s has several versions", v.Key)
		}
		objects[v.Key] = v
		if v.Lock.Mode != archive.Compliance {
			s.t.Errorf("%s is not locked", v.Key)
		}
		if strings.Contains(v.Key, "manifests/") {
			name := strings.Split(v.Key, "/")[slices.Index(strings.Split(v.Key, "/"), "manifests")+2]
			if streams[name] == nil {
				streams[name] = &archivedStream{name: name}
				a.streams = append(a.streams, streams[name])
			}
			s.recheckManifest(streams[name], v)
			a.manifests++
		}
	}
	a.streams = inOrder(a.streams)
	for _, st := range a.streams {
		s.recheckSegments(st, objects, named)
		for _, e := range st.entries {
			a.byID[e.id] = append(a.byID[e.id], e)
		}
	}
	for key := range objects {
		if strings.Contains(key, "segments/") && !named[key] {
			a.orphans = append(a.orphans, key)
		}
	}
	return a
}

// inOrder puts streams behind those that they continue. Names within one millisecond are in no order.
func inOrder(streams []*archivedStream) (sorted []*archivedStream) {
	placed := map[string]bool{"": true}
	before := func(st *archivedStream) string {
		if c := st.manifests[0].Open.Continues; c != nil {
			return c.Stream
		}
		return ""
	}
	for range streams {
		for _, st := range streams {
			if !placed[st.name] && placed[before(st)] {
				placed[st.name] = true
				sorted = append(sorted, st)
			}
		}
	}
	return sorted
}

func (s *site) recheckManifest(st *archivedStream, v archivetest.RawVersion) {
	s.t.Helper()
	m, o, err := archive.ParseManifest(v.Body)
	if err != nil {
		s.t.Fatalf("%s: %v", v.Key, err)
	}
	n := uint64(len(st.manifests))
	if m.Sequence != n || m.Stream != st.name || m.LogID != s.log.ID {
		s.t.Fatalf("%s: sequence %d of %s, want %d of %s", v.Key, m.Sequence, m.Stream, n, st.name)
	}
	if n > 0 {
		before := st.manifests[n-1]
		if m.Previous.SHA256 != st.hashes[n-1] {
			s.t.Errorf("%s: the chain is broken", v.Key)
		}
		if before.Final {
			s.t.Errorf("%s: comes after the final manifest", v.Key)
		}
	}
	st.manifests = append(st.manifests, m)
	st.hashes = append(st.hashes, sha256.Sum256(v.Body))
	open := st.manifests[0].Open
	id, pub := keys.ID(o.KeyID), s.ids[keys.ID(o.KeyID)].PublicKey
	if n > 0 && open.StreamKey != nil {
		id, pub = open.StreamKey.ID(), open.StreamKey.PublicKey
	}
	if err := keys.VerifyLine(keys.KindManifest, s.log.ID, id, pub, o); err != nil {
		s.t.Errorf("%s: %v", v.Key, err)
	}
	for _, seg := range m.Segments {
		if v.Lock.RetainUntil.Before(seg.RetainUntil.Time) {
			s.t.Errorf("%s is locked until %s, less than a segment's %s", v.Key, v.Lock.RetainUntil, seg.RetainUntil)
		}
	}
}

func (s *site) recheckSegments(st *archivedStream, objects map[string]archivetest.RawVersion, named map[string]bool) {
	s.t.Helper()
	verifiers := map[string]keys.EntryVerifier{}
	var size uint64
	last := ""
	tree := newTree()
	for _, m := range st.manifests {
		for _, seg := range m.Segments {
			named[seg.Key] = true
			v, ok := objects[seg.Key]
			if !ok || v.VersionID != seg.VersionID || sha256.Sum256(v.Body) != seg.SHA256 || uint64(len(v.Body)) != seg.Bytes {
				s.t.Fatalf("%s is not what its manifest says", seg.Key)
			}
			if v.Lock.RetainUntil.Before(seg.RetainUntil.Time) {
				s.t.Errorf("%s: locked until %s, promised %s", seg.Key, v.Lock.RetainUntil, seg.RetainUntil)
			}
			if need := seg.LastTimestamp.Add(365 * 24 * time.Hour); seg.RetainUntil.Before(need) {
				s.t.Errorf("%s: promised until %s, policy asks for %s", seg.Key, seg.RetainUntil, need)
			}
			raw := decode(s.t, v.Body)
			if uint64(len(raw)) != seg.RawBytes || seg.FirstIndex != size {
				s.t.Errorf("%s: %d raw bytes at index %d, want %d at %d", seg.Key, len(raw), seg.FirstIndex, seg.RawBytes, size)
			}
			for line := range bytes.Lines(raw) {
				e := s.recheckLine(st.name, bytes.TrimSuffix(line, []byte{'\n'}), verifiers)
				if e.index != size || e.timestamp < last {
					s.t.Errorf("%s: entry %d at %s follows %d at %s", seg.Key, e.index, e.timestamp, size, last)
				}
				st.entries = append(st.entries, e)
				tree.append(e.leaf)
				last = e.timestamp
				size++
			}
			if last != seg.LastTimestamp.String() || seg.Count != size-seg.FirstIndex {
				s.t.Errorf("%s: count or last_timestamp is wrong", seg.Key)
			}
		}
		if m.Tree.Size != size || m.Range().Root() != tree.root() {
			s.t.Errorf("manifest %d of %s: wrong tree", m.Sequence, st.name)
		}
	}
}

func (s *site) recheckLine(stream string, line []byte, verifiers map[string]keys.EntryVerifier) archivedEntry {
	s.t.Helper()
	l, err := archive.ParseLine(line)
	if err != nil {
		s.t.Fatalf("%v: %s", err, line)
	}
	id := keys.ID(l.KeyID)
	if verifiers[string(id)] == nil {
		verifiers[string(id)] = must(s.ids[id].EntryVerifier(stream, s.copies[id]))(s.t)
	}
	if string(l.Stream) != stream || !verifiers[string(id)].VerifyEntry(l.Signed, l.Signature()) {
		s.t.Errorf("entry %d of %s: bad signature or stream", l.Index, stream)
	}
	return archivedEntry{
		stream: stream, id: string(l.ID), timestamp: string(l.Timestamp), entryType: string(l.Type), data: string(l.Data),
		index: l.Index, leaf: archive.Hash(rfc6962.DefaultHasher.HashLeaf(line)), binary: l.Binary,
	}
}

func decode(t testing.TB, frame []byte) []byte {
	t.Helper()
	z := must(zstd.NewReader(nil))(t)
	defer z.Close()
	return must(z.DecodeAll(frame, nil))(t)
}

// tree is the definition of RFC 6962, section 2.1, remembering perfect subtrees only.
type tree struct{ leaves []archive.Hash }

func newTree() *tree { return new(tree) }

func (t *tree) append(leaf archive.Hash) { t.leaves = append(t.leaves, leaf) }

func (t *tree) root() archive.Hash { return archive.Hash(subtreeRoot(t.leaves)) }

func subtreeRoot(leaves []archive.Hash) []byte {
	switch len(leaves) {
	case 0:
		return rfc6962.DefaultHasher.EmptyRoot()
	case 1:
		return leaves[0][:]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	return rfc6962.DefaultHasher.HashChildren(subtreeRoot(leaves[:k]), subtreeRoot(leaves[k:]))
}

// once fails the test unless exactly these IDs are archived, each once and in this order.
func (a *archived) once(t testing.TB, ids ...string) {
	t.Helper()
	if got := a.ids(); !slices.Equal(got, ids) {
		t.Errorf("archived: %s\nwant: %s", brief(got), brief(ids))
	}
}

func brief(ids []string) string {
	if len(ids) > 20 {
		return fmt.Sprintf("%q … (%d)", ids[:20], len(ids))
	}
	return fmt.Sprintf("%q", ids)
}

// EntryKey implements keys.VerificationCopies.
func (s *site) EntryKey(_ context.Context, id keys.ID) (*keys.VerificationCopy, error) {
	if c := s.copies[id]; c != nil {
		return c, nil
	}
	return nil, keys.ErrNoVerificationCopy
}

// intact has the product's own verifier judge the bucket.
func (s *site) intact() {
	s.t.Helper()
	r, err := archive.Verify(s.t.Context(), archive.VerifyConfig{Store: s.mem, LogID: s.log.ID, Copies: s, RequireHMAC: true})
	if err != nil {
		s.t.Fatal(err)
	}
	if r.Verdict != archive.Intact {
		s.t.Errorf("%s", r)
		for _, f := range r.Findings {
			s.t.Error(f)
		}
	}
}
