package archivetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// Stream is one stream of an [Archive] in parts that can be changed and sealed again. It knows nothing of
// [archive.Writer] and obeys no rule: with the right keys it makes wrong streams whose hashes and signatures hold.
type Stream struct {
	Name      archive.StreamName
	Manifests []*Manifest

	log keys.LogID
	key *Key        // signs entries, and manifests as far as own does not
	own keys.Signer // the stream key; nil if there is none
}

// Manifest is what one manifest is made from. Bytes are as they were sealed last.
type Manifest struct {
	Key       string // where it lies
	VersionID string
	Date      time.Time
	Until     time.Time // the lock that its successor says it has
	Lock      archive.Lock
	Bytes     []byte

	Open     *archive.Open
	Segments []*Segment
	Final    bool
	Ext      map[string]string
	Signer   keys.Signer

	Edit     func(*archive.Manifest)  // changes what is signed, after everything was filled in
	EditLine func(line []byte) []byte // changes line 1 before it is signed
	Sign     func(line []byte) []byte // makes another signature than the right one
}

// Segment is what one segment is made from. Ref and Bytes are as they were sealed last.
type Segment struct {
	VersionID string
	Date      time.Time
	Until     time.Time // as promised
	Lock      archive.Lock
	Ref       archive.SegmentRef
	Bytes     []byte
	Entries   []*Entry

	Edit   func(*archive.SegmentRef) // changes what the manifest says of it
	Encode func(raw []byte) []byte   // compresses in another way
}

// Entry is what one entry line is made from.
type Entry struct {
	archive.Entry
	Key *Key

	EditLine func(line []byte) []byte // changes the line after it was signed
	Sign     func(signed []byte) []byte
}

// seal makes all segments and manifests of the stream anew from their parts.
func (s *Stream) seal() error {
	var tree archive.Range
	for i, m := range s.Manifests {
		b := archive.Manifest{
			Format: archive.Format, LogID: s.log, Stream: s.Name.String(), Sequence: uint64(i),
			SealedAt: archive.Instant{Time: m.Date}, Software: "archivetest", Open: m.Open, Final: m.Final, Ext: m.Ext,
			Segments: []archive.SegmentRef{},
		}
		if i > 0 {
			b.Previous = s.Manifests[i-1].previous()
		}
		for _, p := range m.Segments {
			leaves, err := p.seal(s, tree.End)
			if err == nil {
				err = tree.Merge(leaves)
			}
			if err != nil {
				return fmt.Errorf("forge %s: %w", m.Key, err)
			}
			b.Segments = append(b.Segments, p.Ref)
		}
		b.Tree = archive.TreeState{Size: tree.End, Range: slices.Clone(tree.Hashes)}
		if err := m.seal(&b); err != nil {
			return fmt.Errorf("forge %s: %w", m.Key, err)
		}
	}
	return nil
}

func (m *Manifest) previous() *archive.Previous {
	return &archive.Previous{SHA256: sha256.Sum256(m.Bytes), VersionID: m.VersionID, RetainUntil: archive.Second{Time: m.Until}}
}

func (m *Manifest) seal(b *archive.Manifest) error {
	if m.Edit != nil {
		m.Edit(b)
	}
	line, err := lineobject.Marshal(b)
	if err != nil {
		return err
	}
	if m.EditLine != nil {
		line = m.EditLine(line)
	}
	id := m.Signer.KeyID()
	signature, err := m.Signer.Sign(keys.LineMessage(keys.KindManifest, b.LogID, id, line))
	if err != nil {
		return err
	}
	if m.Sign != nil {
		signature = m.Sign(line)
	}
	m.Bytes = lineobject.Object{Line: line, KeyID: string(id), Signature: signature}.Bytes()
	return nil
}

// seal makes the segment whose first entry has the index first, and returns the range of its leaves.
func (p *Segment) seal(s *Stream, first uint64) (archive.Range, error) {
	leaves := archive.Range{Begin: first, End: first}
	var raw []byte
	for _, e := range p.Entries {
		line, err := e.Line()
		if err != nil {
			return leaves, err
		}
		leaves.Append(sha256.Sum256(append([]byte{0}, line...)))
		raw = append(append(raw, line...), '\n')
	}
	encode := p.Encode
	if encode == nil {
		encode = compress
	}
	p.Bytes = encode(raw)
	begin, end := p.Entries[0], p.Entries[len(p.Entries)-1]
	p.Ref = archive.SegmentRef{
		Key: s.Name.SegmentKey(first, begin.Timestamp), VersionID: p.VersionID, Bytes: uint64(len(p.Bytes)),
		SHA256: sha256.Sum256(p.Bytes), RawBytes: uint64(len(raw)), Count: uint64(len(p.Entries)), FirstIndex: first,
		FirstTimestamp: archive.Instant{Time: begin.Timestamp}, LastTimestamp: archive.Instant{Time: end.Timestamp},
		KeyIDs: keyIDs(p.Entries), Range: leaves.Clone().Hashes, RetainUntil: archive.Second{Time: p.Until},
	}
	if p.Edit != nil {
		p.Edit(&p.Ref)
	}
	return leaves, nil
}

func keyIDs(entries []*Entry) (ids []keys.ID) {
	for _, e := range entries {
		ids = append(ids, e.Key.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Line makes the entry's line, without newline, as docs/format.md describes it.
func (e *Entry) Line() ([]byte, error) {
	signed, err := e.signed()
	if err != nil {
		return nil, err
	}
	signer, err := e.signer()
	if err != nil {
		return nil, err
	}
	signature, err := signer.AppendSignature(nil, signed)
	if err != nil {
		return nil, err
	}
	if e.Sign != nil {
		signature = e.Sign(signed)
	}
	line := fmt.Appendf(nil, `{"key_id":"%s","signature":"%s","entry":%s}`,
		e.Key.ID, base64.StdEncoding.EncodeToString(signature), signed)
	if e.EditLine != nil {
		line = e.EditLine(line)
	}
	return line, nil
}

// signer signs for any stream, whatever the key's record allows.
func (e *Entry) signer() (keys.EntrySigner, error) {
	if !e.Key.Record.Covers(e.Stream) {
		return foreignSigner{e.Key.Signing.Signer(), keys.EntryPrefix(e.Key.Record.LogID, e.Key.ID)}, nil
	}
	return e.Key.Signing.EntrySigner(e.Stream)
}

// foreignSigner signs entries with a key's Ed25519 half.
type foreignSigner struct {
	keys.Signer
	prefix []byte
}

func (f foreignSigner) SignatureSize() int      { return 64 }
func (f foreignSigner) Clone() keys.EntrySigner { return f }

func (f foreignSigner) AppendSignature(dst, entry []byte) ([]byte, error) {
	signature, err := f.Sign(append(bytes.Clone(f.prefix), entry...))
	return append(dst, signature...), err
}

func (e *Entry) signed() ([]byte, error) {
	b := fmt.Appendf(nil, `{"stream":"%s","index":%d,"id":"%s","timestamp":"%s","type":"%s"`,
		e.Stream, e.Index, e.ID, archive.Instant{Time: e.Timestamp}, e.Type)
	for _, m := range []struct {
		name    string
		members map[string]string
	}{{"source", e.Source}, {"meta", e.Meta}, {"ext", e.Ext}} {
		if len(m.members) == 0 {
			continue
		}
		text, err := lineobject.Marshal(m.members)
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, `,"%s":%s`, m.name, text)
	}
	if e.Binary {
		return fmt.Appendf(b, `,"data_base64":"%s"}`, base64.StdEncoding.EncodeToString(e.Data)), nil
	}
	return fmt.Appendf(b, `,"data":%s}`, e.Data), nil
}

// compress makes the one zstd frame that the format wants.
func compress(raw []byte) []byte { return encoder().EncodeAll(raw, nil) }

var encoder = sync.OnceValue(func() *zstd.Encoder { return newEncoder(zstd.SpeedFastest, true) })

func newEncoder(level zstd.EncoderLevel, checksum bool) *zstd.Encoder {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(checksum),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return z
}

func compressWith(raw []byte, level zstd.EncoderLevel, checksum bool) []byte {
	z := newEncoder(level, checksum)
	defer z.Close()
	return z.EncodeAll(raw, nil)
}

// objects are the stream's objects as they lie in the bucket.
func (s *Stream) objects() (all []RawVersion) {
	for _, m := range s.Manifests {
		for _, p := range m.Segments {
			all = append(all, object(p.Ref.Key, p.VersionID, p.Bytes, p.Lock, p.Date))
		}
		all = append(all, object(m.Key, m.VersionID, m.Bytes, m.Lock, m.Date))
	}
	return all
}

func object(key, version string, body []byte, lock archive.Lock, date time.Time) RawVersion {
	return RawVersion{
		Key: key, VersionID: version, Body: body, SHA256: sha256.Sum256(body), HasSHA256: true, Lock: lock,
		LastModified: date, Encryption: "AES256",
	}
}
