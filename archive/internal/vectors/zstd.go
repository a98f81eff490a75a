package vectors

import (
	"encoding/binary"
	"math/bits"
)

// The parts of a zstd frame, RFC 8878 section 3.1.1.
const (
	magic         = "\x28\xb5\x2f\xfd"
	singleSegment = 0x20
	withChecksum  = 0x04
	maxBlock      = 128 << 10
)

// frame is a conforming frame with stored blocks: single segment, content size in four bytes, checksum. Compression
// would depend on a compressor; stored bytes are the same for ever, and can be read in a hex dump.
func frame(content string) string {
	return magic + "\xa4" + le(uint64(len(content)), 4) + stored(content) + checksum(content)
}

// stored is the content in raw blocks of at most 128 KiB, the last one marked.
func stored(content string) (blocks string) {
	for {
		n := min(len(content), maxBlock)
		last := uint64(0)
		if n == len(content) {
			last = 1
		}
		blocks += le(last|uint64(n)<<3, 3) + content[:n]
		if content = content[n:]; last == 1 {
			return blocks
		}
	}
}

// zeros is n zero bytes in RLE blocks of at most 128 KiB: four bytes each.
func zeros(n int) (blocks string) {
	for {
		size := min(n, maxBlock)
		last := uint64(0)
		if n -= size; n == 0 {
			last = 1
		}
		blocks += le(last|1<<1|uint64(size)<<3, 3) + "\x00"
		if last == 1 {
			return blocks
		}
	}
}

func checksum(content string) string { return le(xxh64(content)&0xffffffff, 4) }

func le(v uint64, n int) string {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return string(b[:n])
}

// xxh64 is XXH64 with seed 0, as doc/xxhash_spec.md of the xxHash project describes it.
func xxh64(s string) (h uint64) {
	n := uint64(len(s))
	if len(s) >= 32 {
		h, s = stripes(s)
	} else {
		h = p5
	}
	h += n
	for ; len(s) >= 8; s = s[8:] {
		h = bits.RotateLeft64(h^round(0, word(s)), 27)*p1 + p4
	}
	if len(s) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32([]byte(s)))*p1, 23)*p2 + p3
		s = s[4:]
	}
	for i := range len(s) {
		h = bits.RotateLeft64(h^uint64(s[i])*p5, 11) * p1
	}
	h = (h ^ h>>33) * p2
	h = (h ^ h>>29) * p3
	return h ^ h>>32
}

const (
	p1 uint64 = 0x9e3779b185ebca87
	p2 uint64 = 0xc2b2ae3d27d4eb4f
	p3 uint64 = 0x165667b19e3779f9
	p4 uint64 = 0x85ebca77c2b2ae63
	p5 uint64 = 0x27d4eb2f165667c5
)

// stripes takes s in stripes of 32 bytes, and returns what is left of it.
func stripes(s string) (h uint64, rest string) {
	one, two := p1, p2
	acc := [4]uint64{one + two, two, 0, -one}
	for ; len(s) >= 32; s = s[32:] {
		for i := range acc {
			acc[i] = round(acc[i], word(s[8*i:]))
		}
	}
	for i, r := range []int{1, 7, 12, 18} {
		h += bits.RotateLeft64(acc[i], r)
	}
	for _, a := range acc {
		h = (h^round(0, a))*p1 + p4
	}
	return h, s
}

func round(acc, lane uint64) uint64 { return bits.RotateLeft64(acc+lane*p2, 31) * p1 }

func word(s string) uint64 { return binary.LittleEndian.Uint64([]byte(s)[:8]) }
