package archivetest

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/wormlog/wormlog/archive"
)

// entryClasses have entries that are wrong, in segments and manifests that are rightly hashed and signed: what the owner
// of a stream's key could do, or a writer with a bug.
var entryClasses = []Class{
	{"entry-left-out", forgeEntries(func(p *Segment) { p.Entries = slices.Delete(p.Entries, 2, 3) })},
	{"entry-repeated", forgeEntries(func(p *Segment) { p.Entries = slices.Insert(p.Entries, 2, p.Entries[1]) })},
	{"entries-out-of-order", forgeEntries(func(p *Segment) { p.Entries[1], p.Entries[2] = p.Entries[2], p.Entries[1] })},
	{"index-gap", forgeEntries(func(p *Segment) {
		for _, e := range p.Entries[2:] {
			e.Index++
		}
	})},
	{"timestamps-out-of-order", forgeEntries(func(p *Segment) { p.Entries[2].Timestamp = p.Entries[2].Timestamp.Add(-time.Hour) })},
	{"entry-of-another-stream", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(GatewayA, 1, 1)
		err := a.Forge(t, GatewayA, func(*Stream) { p.Entries[2].Stream = a.Streams[GatewayB].Name.String() })
		return p.Ref.Key, p.VersionID, err
	}},
	{"entry-without-the-hmac-key", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsC, 1, 0)
		err := a.Forge(t, PaymentsC, func(*Stream) {
			p.Entries[1].Data = []byte(`{"n":3,"amount":9.0}`)
			p.Entries[1].Sign = func([]byte) []byte { return make([]byte, 32) }
		})
		return p.Ref.Key, p.VersionID, err
	}},
	{"entry-without-the-hmac-key-unchecked", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsC, 1, 0)
		err := a.Forge(t, PaymentsC, func(*Stream) {
			p.Entries[1].Data = []byte(`{"n":3,"amount":9.0}`)
			p.Entries[1].Sign = func([]byte) []byte { return make([]byte, 32) }
		})
		return p.Ref.Key, p.VersionID, err
	}},
	{"entry-signature-wrong", forgeEntries(func(p *Segment) {
		p.Entries[2].Sign = func([]byte) []byte { return make([]byte, 64) }
	})},
	{"entry-data-changed-after-signing", forgeEntries(func(p *Segment) {
		p.Entries[2].EditLine = func(line []byte) []byte {
			return bytes.Replace(line, []byte(`"amount":1.0`), []byte(`"amount":9.0`), 1)
		}
	})},
	{"entry-signed-by-key-of-another-writer", func(t Tamperer, a *Archive) (string, string, error) {
		// The manifest says so, so that it is refused before the entry is read.
		p := a.Segment(GatewayA, 1, 1)
		err := a.Forge(t, GatewayA, func(*Stream) { p.Entries[2].Key = a.Keys[Payments2] })
		return a.Manifest(GatewayA, 1).Key, a.Manifest(GatewayA, 1).VersionID, err
	}},
	{"entry-signed-by-unnamed-key", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(GatewayA, 1, 1)
		err := a.Forge(t, GatewayA, func(*Stream) {
			p.Entries[2].Key = a.Keys[Payments2]
			p.Edit = func(r *archive.SegmentRef) {
				r.KeyIDs = r.KeyIDs[:0]
				r.KeyIDs = append(r.KeyIDs, a.Keys[GatewayKey].ID)
			}
		})
		return p.Ref.Key, p.VersionID, err
	}},
	{"entry-with-whitespace", forgeEntries(func(p *Segment) {
		p.Entries[2].EditLine = func(line []byte) []byte { return bytes.Replace(line, []byte(`"index":`), []byte(`"index": `), 1) }
	})},
	{"entry-data-no-json", forgeEntries(func(p *Segment) { p.Entries[2].Data = []byte(`{"n":`) })},
	{"entry-with-unknown-critical-extension", forgeEntries(func(p *Segment) { p.Entries[2].Ext = map[string]string{"critical.seal": "1"} })},
	{"entry-with-unknown-extension", forgeEntries(func(p *Segment) { p.Entries[2].Ext = map[string]string{"seal": "1"} })},
	{"entry-id-repeated", forgeEntries(func(p *Segment) { p.Entries[2].ID = p.Entries[1].ID })},
	{"line-added", forgeSegment(func(p *Segment) {
		p.Encode = func(raw []byte) []byte {
			return compress(append(raw, raw[:bytes.IndexByte(raw, '\n')+1]...))
		}
	})},
	{"line-left-out", forgeSegment(func(p *Segment) {
		p.Encode = func(raw []byte) []byte {
			return compress(raw[:bytes.LastIndexByte(raw[:len(raw)-1], '\n')+1])
		}
	})},
	{"empty-line-added", forgeSegment(func(p *Segment) {
		p.Encode = func(raw []byte) []byte { return compress(append(raw, '\n')) }
		p.Edit = func(r *archive.SegmentRef) { r.RawBytes++ }
	})},
	{"last-newline-left-out", forgeSegment(func(p *Segment) {
		p.Encode = func(raw []byte) []byte { return compress(raw[:len(raw)-1]) }
		p.Edit = func(r *archive.SegmentRef) { r.RawBytes-- }
	})},
	{"raw-size-wrong", forgeSegment(func(p *Segment) { p.Edit = func(r *archive.SegmentRef) { r.RawBytes++ } })},
	{"last-timestamp-wrong", forgeSegment(func(p *Segment) {
		p.Edit = func(r *archive.SegmentRef) { r.LastTimestamp.Time = r.LastTimestamp.Add(time.Second) }
	})},
	{"first-timestamp-wrong", forgeSegment(func(p *Segment) {
		p.Edit = func(r *archive.SegmentRef) { r.FirstTimestamp.Time = r.FirstTimestamp.Add(-time.Second) }
	})},
	{"key-named-that-signed-nothing", func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsA, 3, 0)
		err := a.Forge(t, PaymentsA, func(*Stream) {
			for _, e := range p.Entries {
				e.Key = a.Keys[Payments1]
			}
			p.Edit = func(r *archive.SegmentRef) {
				r.KeyIDs = append(r.KeyIDs, a.Keys[Payments2].ID)
				slices.Sort(r.KeyIDs)
			}
		})
		return p.Ref.Key, p.VersionID, err
	}},
	{"act-in-data-stream", forgeEntries(func(p *Segment) { p.Entries[2].Type = archive.ActHoldReleased })},
}

// forgeSegment changes the second segment of manifest 1 of gateway-a, which holds the entries 5 to 9.
func forgeSegment(change func(p *Segment)) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(GatewayA, 1, 1)
		err := a.Forge(t, GatewayA, func(*Stream) { change(p) })
		return p.Ref.Key, p.VersionID, err
	}
}

// forgeEntries changes entries 0 to 4 of the last stream of the writer gateway, where nothing follows.
func forgeEntries(change func(p *Segment)) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(GatewayB, 0, 0)
		err := a.Forge(t, GatewayB, func(s *Stream) {
			p.Entries = append(p.Entries, s.Manifests[1].Segments[0].Entries...)
			s.Manifests = s.Manifests[:1]
			change(p)
		})
		return p.Ref.Key, p.VersionID, err
	}
}

// frameClasses compress segments in ways that a reader must refuse, in manifests that are rightly signed.
var frameClasses = []Class{
	{"frame-second", encode(func(raw []byte) []byte { return append(compress(raw), compress([]byte("more\n"))...) })},
	{"frame-second-empty", encode(func(raw []byte) []byte { return append(compress(raw), compress(nil)...) })},
	{"frame-skippable-behind", encode(func(raw []byte) []byte { return append(compress(raw), skippable...) })},
	{"frame-skippable-before", encode(func(raw []byte) []byte { return append(bytes.Clone(skippable), compress(raw)...) })},
	{"frame-with-trailing-bytes", encode(func(raw []byte) []byte { return append(compress(raw), "more"...) })},
	{"frame-without-checksum", encode(func(raw []byte) []byte { return compressWith(raw, zstd.SpeedFastest, false) })},
	{"frame-with-large-window", encode(func(raw []byte) []byte { return compressStream(raw, 16<<20) })},
	{"frame-corrupted", encode(func(raw []byte) []byte { return flip(compress(raw)) })},
	{"frame-checksum-wrong", encode(func(raw []byte) []byte {
		b := compress(raw)
		b[len(b)-1] ^= 1
		return b
	})},
	{"frame-cut", encode(func(raw []byte) []byte { b := compress(raw); return b[:len(b)-7] })},
	{"frame-of-another-kind", encode(func(raw []byte) []byte { return raw })},
	{"decompression-bomb", encode(func([]byte) []byte { return bomb() })},
	{"decompression-bomb-of-unstated-size", encode(func([]byte) []byte { return silentBomb() })},
}

// The bombs take a while to make.
var (
	bomb       = sync.OnceValue(func() []byte { return compress(make([]byte, 64<<20)) })
	silentBomb = sync.OnceValue(func() []byte { return compressStream(make([]byte, 64<<20), 1<<20) })
)

// skippable is a skippable frame of four bytes (RFC 8878, 3.1.2).
var skippable = []byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 'm', 'o', 'r', 'e'}

func encode(f func(raw []byte) []byte) func(t Tamperer, a *Archive) (string, string, error) {
	return forgeSegment(func(p *Segment) { p.Encode = f })
}

// compressStream makes a frame that does not state its content size.
func compressStream(raw []byte, window int) []byte {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true), zstd.WithWindowSize(window))
	if err != nil {
		panic(err) // the options are constants
	}
	for part := range slices.Chunk(raw, 1<<16) {
		_, err := z.Write(part)
		if err = errors.Join(err, z.Flush()); err != nil {
			panic(err) // a Buffer does not fail
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}
