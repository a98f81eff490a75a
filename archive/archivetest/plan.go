package archivetest

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// plan adds to a stream what comes next by the rules.
type plan struct {
	*Stream
	archive *Archive
	open    *archive.Open
	until   time.Time // of all manifests
	next    uint64    // index
	err     error
}

func sealAll(plans ...*plan) error {
	for _, p := range plans {
		if p.err != nil {
			return p.err
		}
		if err := p.seal(); err != nil {
			return err
		}
	}
	return nil
}

// entries makes n entries of each key; of the stream's own if there is none.
func entries(n int, signers ...*Key) func(*plan) []*Entry {
	return func(p *plan) (list []*Entry) {
		if len(signers) == 0 {
			signers = []*Key{p.key}
		}
		for _, k := range signers {
			for range n {
				index := p.next + uint64(len(list))
				list = append(list, &Entry{Key: k, Entry: archive.Entry{
					Stream: p.Name.String(), Index: index, ID: fmt.Sprintf("%s-%d", p.Name.Writer, index), Type: "entry",
					Source: map[string]string{"host": "a"},
					Data:   fmt.Appendf(nil, `{"n":%d,"amount":1.0,"who":"\u00fc"}`, index),
				}})
			}
		}
		return list
	}
}

// made is an act with its type.
type made struct {
	kind string
	act  archive.Act
}

// act adds a manifest with a segment of acts.
func (p *plan) act(date time.Time, acts ...made) {
	var list []*Entry
	for i, m := range acts {
		data, err := archive.FormatAct(m.act)
		if err != nil {
			p.err = fmt.Errorf("%s: %w", m.kind, err)
		}
		index := p.next + uint64(i)
		list = append(list, &Entry{Key: p.key, Entry: archive.Entry{
			Stream: p.Name.String(), Index: index, ID: fmt.Sprintf("act-%d", index), Type: m.kind, Data: data,
		}})
	}
	p.add(date, func(*plan) []*Entry { return list })
}

// add adds a manifest that the store dates so, with a segment for each part, written a second before.
func (p *plan) add(date time.Time, parts ...func(*plan) []*Entry) *Manifest {
	n := len(p.Manifests)
	key := p.Name.ManifestKey(uint64(n))
	m := &Manifest{
		Key: key, VersionID: p.archive.version(key), Date: date, Until: p.until, Lock: locked(p.until), Signer: p.key.Signing.Signer(),
	}
	if n == 0 {
		m.Open = p.open
	} else if p.own != nil {
		m.Signer = p.own
	}
	stamp := date.Add(-time.Minute)
	for _, part := range parts {
		s := &Segment{Entries: part(p), Date: date.Add(-time.Second), Until: archive.Retain(date, RetentionDays)}
		for _, e := range s.Entries {
			e.Timestamp = stamp
			stamp = stamp.Add(time.Second + time.Millisecond)
		}
		s.Lock = locked(s.Until)
		s.VersionID = p.archive.version(p.Name.SegmentKey(p.next, s.Entries[0].Timestamp))
		p.next += uint64(len(s.Entries))
		m.Segments = append(m.Segments, s)
	}
	p.Manifests = append(p.Manifests, m)
	return m
}

// head names the stream's last manifest, for a stream that continues it.
func (s *Stream) head() *archive.Continues {
	last := len(s.Manifests) - 1
	return &archive.Continues{Stream: s.Name.String(), Sequence: uint64(last), SHA256: sha256.Sum256(s.Manifests[last].Bytes)}
}

// HeadAt is where a stream stood after one of its manifests.
func (a *Archive) HeadAt(stream string, sequence int) (archive.Head, error) {
	s := *a.Streams[stream]
	if sequence >= len(s.Manifests) {
		return archive.Head{}, fmt.Errorf("archivetest: the stream %s has no manifest %d", stream, sequence)
	}
	s.Manifests = s.Manifests[:sequence+1]
	return s.headState(), nil
}

func (s *Stream) headState() archive.Head {
	var tree archive.Range
	for _, m := range s.Manifests {
		for _, p := range m.Segments {
			_ = tree.Merge(p.Ref.Leaves()) // sealed, so they fit
		}
	}
	last := s.Manifests[len(s.Manifests)-1]
	h := archive.Head{Stream: s.Name.String(), Size: tree.End, Root: tree.Root(), Manifest: sha256.Sum256(last.Bytes), State: archive.StateOpen}
	if last.Final {
		h.State = archive.StateFinal
	}
	return h
}

// Entries are all entries of the stream in order.
func (s *Stream) Entries() (all []*Entry) {
	for _, m := range s.Manifests {
		for _, p := range m.Segments {
			all = append(all, p.Entries...)
		}
	}
	return all
}

// leaf is the entry's leaf hash.
func (e *Entry) leaf() (archive.Hash, error) {
	line, err := e.Line()
	return sha256.Sum256(append([]byte{0}, line...)), err
}
