package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func encode(t testing.TB, raw []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, append([]zstd.EOption{zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true),
		zstd.WithWindowSize(writeWindow)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(raw, nil)
}

// someLines are n bytes that do not compress to nothing.
func someLines(n int) []byte {
	var b []byte
	for i := uint64(0); len(b) < n; i++ {
		b = binary.LittleEndian.AppendUint64(b, i*0x9e3779b97f4a7c15)
		b = append(b, "\nthe same again and again"...)
	}
	return b[:n]
}

// frame puts a frame together by RFC 8878, 3.1.1, with any bytes where the checksum is.
func frame(descriptor byte, header []byte, blocks ...[]byte) []byte {
	b := append([]byte{0x28, 0xb5, 0x2f, 0xfd, descriptor}, header...)
	return append(append(b, bytes.Join(blocks, nil)...), 1, 2, 3, 4)
}

const (
	hasChecksum   = 0x04
	singleSegment = 0x20
	window8MiB    = 13 << 3
)

// rle is a block that decodes to size times one byte.
func rle(size int, last bool) []byte {
	h := size<<3 | 1<<1
	if last {
		h |= 1
	}
	return []byte{byte(h), byte(h >> 8), byte(h >> 16), 'x'}
}

func TestDecodeSegment(t *testing.T) {
	d, err := newSegmentDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, size := range []int{1, 200, 1 << 10, 100 << 10, 1 << 20, 5 << 20} {
		raw := someLines(size)
		for _, level := range []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault, zstd.SpeedBetterCompression} {
			got, err := d.decode(encode(t, raw, zstd.WithEncoderLevel(level)), uint64(size))
			if err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%d bytes at %v: %d bytes, %v", size, level, len(got), err)
			}
		}
	}
	largest := someLines(MaxSegmentBytes)
	if got, err := d.decode(encode(t, largest), MaxSegmentBytes); err != nil || !bytes.Equal(got, largest) {
		t.Errorf("the largest segment: %d bytes, %v", len(got), err)
	}
}

func TestDecodeSegmentRefuses(t *testing.T) {
	raw := someLines(300 << 10)
	good := encode(t, raw)
	flipped := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	large := someLines(9 << 20)
	var bomb [][]byte
	for range 40 << 20 >> 17 {
		bomb = append(bomb, rle(128<<10, false))
	}
	bomb = append(bomb, rle(1, true))
	skippable := append([]byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0}, "skip"...)
	for _, tt := range []struct {
		name  string
		frame []byte
		limit int
		want  string
	}{
		{"empty", nil, len(raw), ""},
		{"not zstd", raw, len(raw), ""},
		{"gzip", []byte{0x1f, 0x8b, 8, 0}, len(raw), ""},
		{"skippable frame before", append(bytes.Clone(skippable), good...), len(raw), "skippable"},
		{"skippable frame behind", append(bytes.Clone(good), skippable...), len(raw), "12 bytes after"},
		{"second frame", append(bytes.Clone(good), good...), 2 * len(raw), "bytes after"},
		{"empty second frame", append(bytes.Clone(good), encode(t, nil)...), len(raw), "bytes after"},
		{"trailing byte", append(bytes.Clone(good), 0), len(raw), "1 bytes after"},
		{"no checksum", encode(t, raw, zstd.WithEncoderCRC(false)), len(raw), "no checksum"},
		{"dictionary", frame(hasChecksum|1, []byte{window8MiB, 7}, rle(1, true)), len(raw), "dictionary 7"},
		{"window over 8 MiB", encode(t, large, zstd.WithWindowSize(16<<20), zstd.WithSingleSegment(false)), len(large), "window"},
		{"single segment over 8 MiB", encode(t, large, zstd.WithWindowSize(16<<20), zstd.WithSingleSegment(true)), len(large), "window"},
		{"window just over 8 MiB", frame(hasChecksum, []byte{window8MiB + 1}, rle(1, true)), len(raw), "window"},
		{"bomb of stated size", frame(hasChecksum|2<<6, append([]byte{window8MiB}, 0, 0, 0, 3), bomb...), 1 << 20, "decodes to"},
		{"bomb of unstated size", frame(hasChecksum, []byte{window8MiB}, bomb...), 1 << 20, "size exceeds"},
		{"bomb beyond every segment", frame(hasChecksum, []byte{window8MiB}, bomb...), MaxSegmentBytes, "size exceeds"},
		{"one byte more than said", good, len(raw) - 1, "over"},
		{"reserved block", frame(hasChecksum, []byte{window8MiB}, []byte{1 | 3<<1, 0, 0}), len(raw), "reserved"},
		{"reserved bit", frame(hasChecksum|8, []byte{window8MiB}, rle(1, true)), len(raw), "reserved"},
		{"wrong checksum", flipped(len(good) - 1), len(raw), "CRC"},
		{"altered content", flipped(len(good) / 2), len(raw), ""},
		{"altered content size", flipped(6), len(raw), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := newSegmentDecoder()
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			got, err := d.decode(tt.frame, uint64(tt.limit))
			if !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d bytes, %v, want ErrFrame with %q", len(got), err, tt.want)
			}
		})
	}
}

// TestDecodeTruncatedSegment cuts a frame at every place.
func TestDecodeTruncatedSegment(t *testing.T) {
	d, err := newSegmentDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	raw := someLines(3000)
	good := encode(t, raw)
	for n := range good {
		if _, err := d.decode(good[:n], uint64(len(raw))); !errors.Is(err, ErrFrame) {
			t.Errorf("the first %d of %d bytes: %v", n, len(good), err)
		}
	}
	if got, err := d.decode(good, uint64(len(raw))); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("after all that, the whole frame: %v", err)
	}
}

// TestDecodeBombMemory: what decodes to more than the limit takes no more memory than the limit.
func TestDecodeBombMemory(t *testing.T) {
	d, err := newSegmentDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var blocks [][]byte
	for range 240 {
		blocks = append(blocks, rle(128<<10, false))
	}
	bomb := frame(hasChecksum, []byte{window8MiB}, append(blocks, rle(1, true))...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := d.decode(bomb, 1<<20); !errors.Is(err, ErrFrame) {
		t.Errorf("decode: %v", err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func TestLines(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		want string
		ok   bool
	}{
		{"", "", true},
		{"a\n", "a|", true},
		{"a\n\nb\n", "a||b|", true},
		{"a\nb", "a|", false},
	} {
		var got strings.Builder
		err := lines([]byte(tt.raw), func(line []byte) error {
			got.Write(line)
			got.WriteByte('|')
			return nil
		})
		if got.String() != tt.want || (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %q, %v", tt.raw, got.String(), err)
		}
	}
	stop := errors.New("stop")
	if err := lines([]byte("a\nb\n"), func([]byte) error { return stop }); err != stop {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodeSegment(f *testing.F) {
	raw := someLines(500)
	f.Add(encode(f, raw))
	f.Add(encode(f, nil))
	f.Add(frame(hasChecksum, []byte{window8MiB}, rle(100, true)))
	d, err := newSegmentDecoder()
	if err != nil {
		f.Fatal(err)
	}
	plain, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 20
		got, err := d.decode(b, limit)
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		want, err := plain.DecodeAll(b, nil)
		if err != nil || !bytes.Equal(got, want) || len(got) > limit {
			t.Errorf("%d bytes, a plain decoder says %d, %v", len(got), len(want), err)
		}
	})
}
