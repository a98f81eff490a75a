package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// Caps of a segment and its entries.
const (
	MaxSegmentBytes = 32 << 20 // raw: the lines with their newlines
	MaxPayloadBytes = 16 << 20
	maxWindow       = 8 << 20

	// maxStoredSegment leaves room for what zstd adds to 32 MiB that it cannot compress.
	maxStoredSegment = MaxSegmentBytes + 1<<20
)

// ErrFrame: a segment is not exactly one zstd frame of the form that docs/format.md demands.
var ErrFrame = errors.New("not one conforming zstd frame")

// checkFrame walks the frame's headers (RFC 8878, 3.1.1) without decompressing: one frame with checksum, without
// dictionary, a window of at most 8 MiB, and nothing behind it. It returns the content size, 0 if not stated.
func checkFrame(b []byte) (contentSize uint64, err error) {
	var h zstd.Header
	if err := h.Decode(b); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	switch {
	case h.Skippable:
		return 0, fmt.Errorf("%w: a skippable frame", ErrFrame)
	case !h.HasCheckSum:
		return 0, fmt.Errorf("%w: no checksum", ErrFrame)
	case h.DictionaryID != 0:
		return 0, fmt.Errorf("%w: it names dictionary %d", ErrFrame, h.DictionaryID)
	case h.SingleSegment && h.FrameContentSize > maxWindow || !h.SingleSegment && h.WindowSize > maxWindow:
		return 0, fmt.Errorf("%w: a window over %d bytes", ErrFrame, maxWindow)
	}
	end, err := frameEnd(b, h.HeaderSize)
	if err != nil {
		return 0, err
	}
	if end != len(b) {
		return 0, fmt.Errorf("%w: %d bytes after the frame", ErrFrame, len(b)-end)
	}
	if h.HasFCS {
		contentSize = h.FrameContentSize
	}
	return contentSize, nil
}

// frameEnd follows the block headers from pos to the end of the frame, its checksum included.
func frameEnd(b []byte, pos int) (int, error) {
	for {
		if pos+3 > len(b) {
			return 0, fmt.Errorf("%w: it ends in a block header", ErrFrame)
		}
		header := int(b[pos]) | int(b[pos+1])<<8 | int(b[pos+2])<<16
		size := header >> 3
		if header>>1&3 == 1 { // an RLE block holds one byte, however long it decodes
			size = 1
		}
		pos += 3 + size
		if header&1 == 1 {
			break
		}
	}
	if pos+4 > len(b) {
		return 0, fmt.Errorf("%w: it ends before its checksum", ErrFrame)
	}
	return pos + 4, nil
}

const decodeSlack = 64

// segmentDecoder decompresses segments one at a time. Not safe for concurrent use.
type segmentDecoder struct {
	z *zstd.Decoder
	// buf has one byte in front of the content, so that every line has a byte before it: see leafInPlace.
	buf []byte
}

func newSegmentDecoder() (*segmentDecoder, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxSegmentBytes),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeBuffersBelow(0), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("starting the zstd decoder: %w", err)
	}
	return &segmentDecoder{z: z}, nil
}

func (d *segmentDecoder) Close() { d.z.Close() }

// decode checks the frame and returns its content, valid until the next call. A frame that decodes to more than limit
// bytes is refused before it takes more memory than that.
func (d *segmentDecoder) decode(b []byte, limit uint64) ([]byte, error) {
	size, err := checkFrame(b)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("%w: it decodes to %d bytes, over %d", ErrFrame, size, limit)
	}
	// The decoder stops at the buffer's end, so its size is the limit. It is fast only with some room behind the content.
	need := 1 + int(min(limit, MaxSegmentBytes)) + decodeSlack
	if cap(d.buf) < need {
		d.buf = make([]byte, 0, need+need/16) // full segments differ by little: none should need a new buffer for that
	}
	// Behind the byte in front, and not after it: to what is not empty the decoder appends by way of a copy.
	raw, err := d.z.DecodeAll(b, d.buf[1:1:need])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	if uint64(len(raw)) > limit {
		return nil, fmt.Errorf("%w: it decodes to %d bytes, over %d", ErrFrame, len(raw), limit)
	}
	d.buf = d.buf[:1+len(raw)] // the limit on its capacity keeps the decoder from moving the content
	return raw, nil
}

// keep returns what was decoded last, for good: the next call decodes into a buffer of its own.
func (d *segmentDecoder) keep() []byte {
	raw := d.buf[1:]
	d.buf = nil
	return raw
}

// leafInPlace is leafHash of the line that begins at buf[at] and has n bytes. The byte before it, the newline of the line
// before, makes room for RFC 6962's prefix for a moment: one call over adjacent bytes takes a tenth less time.
func leafInPlace(buf []byte, at, n int) Hash {
	before := buf[at-1]
	buf[at-1] = 0
	h := sha256.Sum256(buf[at-1 : at+n])
	buf[at-1] = before
	return h
}

// lines calls f for every line of raw, without its newline, until f returns an error.
func lines(raw []byte, f func(line []byte) error) error {
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '\n')
		if i < 0 {
			return fmt.Errorf("%w: the last line has no newline", ErrMalformed)
		}
		if err := f(raw[:i]); err != nil {
			return err
		}
		raw = raw[i+1:]
	}
	return nil
}
