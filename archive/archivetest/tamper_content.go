package archivetest

import (
	"bytes"

	"github.com/klauspost/compress/zstd"

	"github.com/wormlog/wormlog/archive"
)

// contentClasses change stored bytes without any key.
var contentClasses = []Class{
	{"segment-byte-changed", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		return replace(t, p, flip(p.Bytes))
	}},
	{"segment-rotten", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		return p.Ref.Key, p.VersionID, t.ReplaceBody(p.Ref.Key, p.VersionID, flip(p.Bytes), false)
	}},
	{"segment-cut", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		return replace(t, p, p.Bytes[:len(p.Bytes)/2])
	}},
	{"segment-emptied", func(t Tamperer, a *Archive) (string, string, error) {
		return replace(t, a.Segment(PaymentsA, 1, 0), nil)
	}},
	{"segment-with-trailing-bytes", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		return replace(t, p, append(bytes.Clone(p.Bytes), "more"...))
	}},
	{"segment-with-second-frame", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		return replace(t, p, append(bytes.Clone(p.Bytes), p.Bytes...))
	}},
	{"segment-recompressed", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		return replace(t, p, compressWith(p.raw(), zstd.SpeedBestCompression, false))
	}},
	{"segment-entry-changed", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		return replace(t, p, compress(bytes.Replace(p.raw(), []byte(`"amount":1.0`), []byte(`"amount":9.0`), 1)))
	}},
	{"segment-removed", func(t Tamperer, a *Archive) (string, string, error) {
		return remove(t, a.Segment(PaymentsA, 1, 1))
	}},
	{"segment-of-tail-removed", func(t Tamperer, a *Archive) (string, string, error) {
		return remove(t, a.Segment(PaymentsC, 1, 0))
	}},
	{"manifest-byte-changed", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsA, 1)
		return replace(t, m, bytes.Replace(m.Bytes, []byte(`"software":"a`), []byte(`"software":"b`), 1))
	}},
	{"manifest-byte-changed-at-tail", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 2)
		return replace(t, m, bytes.Replace(m.Bytes, []byte(`"software":"a`), []byte(`"software":"b`), 1))
	}},
	{"manifest-of-opening-changed", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsA, 0)
		return replace(t, m, bytes.Replace(m.Bytes, []byte(`"software":"a`), []byte(`"software":"b`), 1))
	}},
	{"manifest-rotten", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsA, 1)
		return m.Key, m.VersionID, t.ReplaceBody(m.Key, m.VersionID, flip(m.Bytes), false)
	}},
	{"manifest-emptied", func(t Tamperer, a *Archive) (string, string, error) {
		return replace(t, a.Manifest(PaymentsA, 1), nil)
	}},
	{"manifest-of-nulls", func(t Tamperer, a *Archive) (string, string, error) {
		return replace(t, a.Manifest(PaymentsC, 2), make([]byte, 700))
	}},
	{"manifest-oversized", func(t Tamperer, a *Archive) (string, string, error) {
		return replace(t, a.Manifest(PaymentsA, 1), bytes.Repeat([]byte{' '}, archive.MaxManifestBytes+1))
	}},
	{"manifest-oversized-at-tail", func(t Tamperer, a *Archive) (string, string, error) {
		return replace(t, a.Manifest(PaymentsC, 2), bytes.Repeat([]byte{' '}, archive.MaxManifestBytes+1))
	}},
	{"manifest-signature-replaced", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 2)
		other := a.Manifest(PaymentsC, 1)
		line, _, _ := bytes.Cut(m.Bytes, []byte{'\n'})
		_, signature, _ := bytes.Cut(other.Bytes, []byte{'\n'})
		return replace(t, m, append(append(bytes.Clone(line), '\n'), signature...))
	}},
	{"manifest-third-line", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 2)
		return replace(t, m, append(bytes.Clone(m.Bytes), "{}\n"...))
	}},
	{"manifest-duplicate-member", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 2)
		return replace(t, m, bytes.Replace(m.Bytes, []byte(`"software":`), []byte(`"software":"x","software":`), 1))
	}},
	{"format-edited", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsA, 1)
		return replace(t, m, bytes.Replace(m.Bytes, []byte(archive.Format), []byte("wormlog/v9"), 1))
	}},
	{"format-edited-at-tail", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 2)
		return replace(t, m, bytes.Replace(m.Bytes, []byte(archive.Format), []byte("wormlog/v9"), 1))
	}},
	{"format-edited-at-pinned-tail", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 2)
		return replace(t, m, bytes.Replace(m.Bytes, []byte(archive.Format), []byte("wormlog/v9"), 1))
	}},
	{"manifest-byte-changed-at-pinned-tail", func(t Tamperer, a *Archive) (string, string, error) {
		m := a.Manifest(PaymentsC, 2)
		return replace(t, m, bytes.Replace(m.Bytes, []byte(`"software":"a`), []byte(`"software":"b`), 1))
	}},
	{"receipted-entry-changed", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 1, 0)
		return replace(t, p, compress(bytes.Replace(p.raw(), []byte(`"amount":1.0`), []byte(`"amount":9.0`), 1)))
	}},
}

// raw is what the segment decompresses to.
func (p *Segment) raw() []byte {
	z, err := zstd.NewReader(nil)
	if err != nil {
		panic(err) // no options
	}
	defer z.Close()
	raw, err := z.DecodeAll(p.Bytes, nil)
	if err != nil {
		panic(err) // sealed by this package
	}
	return raw
}

// orderClasses take objects away or put them into the place of others.
var orderClasses = []Class{
	{"segments-swapped", func(t Tamperer, a *Archive) (string, string, error) {
		return exchange(t, a.Segment(PaymentsA, 1, 0), a.Segment(PaymentsA, 1, 1))
	}},
	{"segments-swapped-between-streams", func(t Tamperer, a *Archive) (string, string, error) {
		return exchange(t, a.Segment(PaymentsB, 0, 0), a.Segment(PaymentsC, 0, 0))
	}},
	{"manifests-swapped", func(t Tamperer, a *Archive) (string, string, error) {
		return exchange(t, a.Manifest(PaymentsA, 1), a.Manifest(PaymentsA, 2))
	}},
	{"manifests-swapped-between-streams", func(t Tamperer, a *Archive) (string, string, error) {
		return exchange(t, a.Manifest(GatewayA, 1), a.Manifest(GatewayB, 1))
	}},
	{"manifest-repeated", func(t Tamperer, a *Archive) (string, string, error) {
		s := a.Streams[PaymentsC]
		return overlay(t, s.Name.ManifestKey(3), s.Manifests[2].Bytes, Newest, s.Manifests[2].Lock)
	}},
	{"manifest-replayed-from-another-log", func(t Tamperer, a *Archive) (string, string, error) {
		other, err := NewOtherArchive(a.home)
		if err != nil {
			return "", "", err
		}
		m := other.Manifest(PaymentsC, 2)
		return replace(t, a.Manifest(PaymentsC, 2), m.Bytes)
	}},
	{"stream-replayed-from-another-log", func(t Tamperer, a *Archive) (string, string, error) {
		other, err := NewOtherArchive(a.home)
		if err != nil {
			return "", "", err
		}
		s := other.Streams[GatewayB]
		key, version := s.Manifests[0].place()
		return key, version, swap(t, a.Streams[GatewayB].objects(), s.objects())
	}},
	{"manifest-removed", func(t Tamperer, a *Archive) (string, string, error) {
		return remove(t, a.Manifest(PaymentsA, 2))
	}},
	{"pinned-manifest-removed", func(t Tamperer, a *Archive) (string, string, error) {
		return remove(t, a.Manifest(PaymentsA, 2))
	}},
	{"manifests-removed", func(t Tamperer, a *Archive) (string, string, error) {
		if _, _, err := remove(t, a.Manifest(PaymentsA, 1)); err != nil {
			return "", "", err
		}
		return remove(t, a.Manifest(PaymentsA, 2))
	}},
	{"manifest-of-opening-removed", func(t Tamperer, a *Archive) (string, string, error) {
		return remove(t, a.Manifest(PaymentsA, 0))
	}},
	{"tail-removed", cutTail},
	{"tail-removed-unpinned", cutTail},
	{"tail-removed-with-entries", func(t Tamperer, a *Archive) (string, string, error) {
		if _, _, err := remove(t, a.Manifest(GatewayB, 1)); err != nil {
			return "", "", err
		}
		return remove(t, a.Segment(GatewayB, 1, 0))
	}},
	{"tail-removed-but-its-segment", func(t Tamperer, a *Archive) (string, string, error) {
		return remove(t, a.Manifest(GatewayB, 1))
	}},
	{"final-removed", func(t Tamperer, a *Archive) (string, string, error) {
		return remove(t, a.Manifest(PaymentsA, 4))
	}},
	{"tail-of-continued-stream-removed", func(t Tamperer, a *Archive) (string, string, error) {
		if _, _, err := remove(t, a.Segment(PaymentsB, 1, 0)); err != nil {
			return "", "", err
		}
		return remove(t, a.Manifest(PaymentsB, 1))
	}},
	{"stream-removed", removeStream(GatewayB)},
	{"stream-removed-unpinned", removeStream(GatewayB)},
	{"continued-stream-removed", removeStream(PaymentsB)},
	{"segments-of-stream-removed", func(t Tamperer, a *Archive) (key, version string, err error) {
		for _, m := range a.Streams[GatewayB].Manifests {
			for _, p := range m.Segments {
				if key, version, err = remove(t, p); err != nil {
					return key, version, err
				}
			}
		}
		return key, version, nil
	}},
	{"everything-removed", func(t Tamperer, a *Archive) (string, string, error) {
		return "", "", swap(t, a.Objects(), nil)
	}},
	{"everything-but-genesis-and-keys-removed", func(t Tamperer, a *Archive) (string, string, error) {
		for _, s := range a.Streams {
			if err := swap(t, s.objects(), nil); err != nil {
				return "", "", err
			}
		}
		return "", "", nil
	}},
}

// cutTail removes the last manifest of a stream that lives.
func cutTail(t Tamperer, a *Archive) (string, string, error) {
	return remove(t, a.Manifest(PaymentsC, 2))
}

func removeStream(name string) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		s := a.Streams[name]
		return s.Name.ManifestPrefix(), "", swap(t, s.objects(), nil)
	}
}

// exchange swaps the bytes of two objects.
func exchange[T interface {
	place() (string, string)
	body() []byte
}](t Tamperer, x, y T) (string, string, error) {
	if _, _, err := replace(t, y, x.body()); err != nil {
		return "", "", err
	}
	return replace(t, x, y.body())
}

func (m *Manifest) body() []byte { return m.Bytes }
func (p *Segment) body() []byte  { return p.Bytes }
