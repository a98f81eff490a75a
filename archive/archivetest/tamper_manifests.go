package archivetest

import (
	"bytes"

	"github.com/wormlog/wormlog/archive"
)

// manifestClasses have manifests say what is not so, with signatures that hold.
var manifestClasses = []Class{
	{"tree-size-changed", editManifest(PaymentsA, 1, func(b *archive.Manifest) { b.Tree.Size++ })},
	{"tree-size-changed-in-heartbeat", editManifest(PaymentsA, 2, func(b *archive.Manifest) {
		b.Tree.Size = 8
		b.Tree.Range = b.Tree.Range[:1]
	})},
	{"tree-range-changed", editManifest(PaymentsA, 1, func(b *archive.Manifest) { b.Tree.Range[0][0] ^= 1 })},
	{"segment-range-changed", editSegment(PaymentsA, 1, func(r *archive.SegmentRef) { r.Range[0][0] ^= 1 })},
	{"segment-and-tree-range-changed", func(t Tamperer, a *Archive) (string, string, error) {
		// Manifest and tree agree, so that only the entries themselves show it.
		p := a.Segment(GatewayB, 0, 0)
		err := a.Forge(t, GatewayB, func(s *Stream) {
			p.Edit = func(r *archive.SegmentRef) { r.Range[0][0] ^= 1 }
			s.Manifests[0].Edit = func(b *archive.Manifest) { b.Tree.Range[0][0] ^= 1 }
			s.Manifests = s.Manifests[:1]
		})
		return p.Ref.Key, p.VersionID, err
	}},
	{"promise-below-policy", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsC, 1, 0)
		err := a.Forge(t, PaymentsC, func(*Stream) {
			p.Until = at("12-01 00:00")
			p.Lock = locked(p.Until)
		})
		return p.Ref.Key, p.VersionID, err
	}},
	{"previous-hash-changed", editManifest(PaymentsA, 2, func(b *archive.Manifest) { b.Previous.SHA256[0] ^= 1 })},
	{"previous-version-wrong", editManifest(PaymentsA, 2, func(b *archive.Manifest) { b.Previous.VersionID = "another" })},
	{"segment-version-wrong", editSegment(PaymentsA, 1, func(r *archive.SegmentRef) { r.VersionID = "another" })},
	{"first-index-gap", editManifest(GatewayA, 2, func(b *archive.Manifest) {
		r := &b.Segments[0]
		r.FirstIndex++
		r.Key = r.Key[:len(r.Key)-len("10.ndjson.zst")] + "11.ndjson.zst"
		b.Tree.Size++
		b.Tree.Range = append(b.Tree.Range, archive.Hash{})
	})},
	{"manifest-stating-wrong-sequence", editManifest(PaymentsC, 2, func(b *archive.Manifest) { b.Sequence++ })},
	{"manifest-with-unknown-critical-extension", forgeManifest(PaymentsA, 2, extend("critical.seal"))},
	{"manifest-with-unknown-extension", forgeManifest(PaymentsA, 2, extend("seal"))},
	{"manifest-of-later-format", editManifest(PaymentsC, 2, func(b *archive.Manifest) { b.Format = "wormlog/v9" })},
	{"manifest-duplicate-member-signed", editLine(`"software":`, `"software":"x","software":`)},
	{"manifest-non-canonical-number", editLine(`"sequence":2`, `"sequence":2.0`)},
	{"manifest-with-whitespace", editLine(`"sequence":2`, `"sequence": 2`)},
	{"manifest-with-escaped-letter", editLine(`"software":"a`, `"software":"\u0061`)},
	{"manifest-with-unknown-member", editLine(`"software":`, `"hardware":"x","software":`)},
	{"manifest-with-null", editLine(`"tree":`, `"open":null,"tree":`)},
	{"two-manifests-of-one-sequence", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 2)
		m.Edit = func(b *archive.Manifest) { b.Software = "twin" }
		original := m.Bytes
		if err := a.Streams[PaymentsC].seal(); err != nil {
			return "", "", err
		}
		twin := m.Bytes
		m.Bytes = original
		return overlay(t, m.Key, twin, Newest, m.Lock)
	}},
	{"two-manifests-of-one-sequence-pinned", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsA, 1)
		original, next := m.Bytes, a.Manifest(PaymentsA, 2).Bytes
		m.Edit = func(b *archive.Manifest) { b.Software = "twin" }
		if err := a.Streams[PaymentsA].seal(); err != nil {
			return "", "", err
		}
		twin := m.Bytes
		m.Bytes, a.Manifest(PaymentsA, 2).Bytes = original, next
		return overlay(t, m.Key, twin, Newest, m.Lock)
	}},
	{"manifest-after-final", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.resume(GatewayA)
		m := p.add(at("11-18 09:00"), entries(1))
		if err := sealAll(p); err != nil {
			return "", "", err
		}
		m.Lock = locked(extendedUntil)
		m.Segments[0].Lock = m.Lock
		return m.Key, m.VersionID, insert(t, p.objects()[len(p.objects())-2:]...)
	}},
	{"stream-without-end", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.stream("endless", "gateway", GatewayKey, at("11-10 09:00"), true, "none")
		m := p.add(at("11-10 09:10"), entries(2))
		if err := sealAll(p); err != nil {
			return "", "", err
		}
		return m.Key, m.VersionID, insert(t, p.objects()...)
	}},
	{"heartbeat-lost", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 0)
		return m.Key, m.VersionID, a.Forge(t, PaymentsC, func(s *Stream) { s.Manifests = s.Manifests[:1] })
	}},
	{"stream-given-up-and-not-continued", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsB, 1)
		return m.Key, m.VersionID, a.Forge(t, PaymentsC, func(s *Stream) { s.Manifests[0].Open.Continues = nil })
	}},
	{"continues-another-head", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 0)
		return m.Key, m.VersionID, a.Forge(t, PaymentsC, func(s *Stream) { s.Manifests[0].Open.Continues.SHA256[0] ^= 1 })
	}},
	{"whole-stream-made-anew", rewrite},
	{"whole-stream-made-anew-unpinned", rewrite},
}

// rewrite changes an entry of a stream and makes all that follows from it anew, with all of the stream's keys: only a
// pinned head shows it.
func rewrite(t Tamperer, a *Archive) (string, string, error) {
	m := a.Manifest(GatewayB, 1)
	err := a.Forge(t, GatewayB, func(*Stream) { m.Segments[0].Entries[1].Data = []byte(`{"n":4,"amount":9.0}`) })
	return m.Key, m.VersionID, err
}

func editManifest(stream string, n int, edit func(*archive.Manifest)) func(t Tamperer, a *Archive) (string, string, error) {
	return forgeManifest(stream, n, func(_ *Archive, m *Manifest) error {
		m.Edit = edit
		return nil
	})
}

// editSegment changes what a manifest says of its first segment.
func editSegment(stream string, n int, edit func(*archive.SegmentRef)) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(stream, n, 0)
		err := a.Forge(t, stream, func(*Stream) { p.Edit = edit })
		return p.Ref.Key, p.VersionID, err
	}
}

// editLine changes the text of the last manifest of payments-c before it is signed.
func editLine(old, replacement string) func(t Tamperer, a *Archive) (string, string, error) {
	return forgeManifest(PaymentsC, 2, func(_ *Archive, m *Manifest) error {
		m.EditLine = func(line []byte) []byte { return bytes.Replace(line, []byte(old), []byte(replacement), 1) }
		return nil
	})
}

func extend(name string) func(*Archive, *Manifest) error {
	return func(_ *Archive, m *Manifest) error {
		m.Ext = map[string]string{name: "1"}
		return nil
	}
}
