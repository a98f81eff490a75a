package archive

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
)

// leafHash is the RFC 6962 leaf hash of an entry line without its newline.
func leafHash(line []byte) (h Hash) {
	d := sha256.New()
	d.Write([]byte{0})
	d.Write(line)
	d.Sum(h[:0])
	return h
}

// nodeHash is the RFC 6962 hash of an inner node.
func nodeHash(left, right *Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// emptyRoot is the root of a tree without leaves: SHA-256 of nothing (RFC 6962, 2.1).
var emptyRoot = Hash(sha256.Sum256(nil))

// Range is the compact range of the leaves [Begin, End) of a stream's RFC 6962 tree: the hashes of the maximal aligned
// perfect subtrees, left to right. Neighbouring ranges merge, so segments can be hashed apart from each other and
// manifests alone prove the tree. The zero Range is the empty range at leaf 0.
type Range struct {
	Begin, End uint64
	Hashes     []Hash
}

var errRange = errors.New("hashes do not fit the range")

// NewRange checks that hashes has the length that the compact range of [begin, end) has.
func NewRange(begin, end uint64, hashes []Hash) (Range, error) {
	if end < begin || end > 1<<53 {
		return Range{}, fmt.Errorf("%w: leaves [%d, %d)", errRange, begin, end)
	}
	n := 0
	for pos := begin; pos < end; pos += subtree(pos, end) {
		n++
	}
	if n != len(hashes) {
		return Range{}, fmt.Errorf("%w: %d hashes for leaves [%d, %d), want %d", errRange, len(hashes), begin, end, n)
	}
	return Range{begin, end, hashes}, nil
}

// subtree is the size of the largest perfect subtree that starts at pos, is aligned there and ends at or before end.
func subtree(pos, end uint64) uint64 {
	size := uint64(1) << (bits.Len64(end-pos) - 1)
	if pos != 0 {
		size = min(size, pos&-pos)
	}
	return size
}

// Append adds the leaf at End.
func (r *Range) Append(leaf Hash) {
	r.Hashes = append(r.Hashes, leaf)
	r.End++
	r.fold(r.End-1, 1)
}

// fold merges the last subtree, which starts at pos and has that size, with its left siblings inside the range.
func (r *Range) fold(pos, size uint64) {
	for pos&size != 0 && pos-size >= r.Begin {
		n := len(r.Hashes)
		// The left sibling is a subtree of its own only if it is as large as this one, which alignment makes sure of.
		r.Hashes[n-2] = nodeHash(&r.Hashes[n-2], &r.Hashes[n-1])
		r.Hashes = r.Hashes[:n-1]
		pos -= size
		size *= 2
	}
}

// Merge appends the range next, which must begin where r ends.
func (r *Range) Merge(next Range) error {
	if next.Begin != r.End {
		return fmt.Errorf("%w: leaves [%d, %d) do not follow leaf %d", errRange, next.Begin, next.End, r.End)
	}
	i := 0
	for pos := next.Begin; pos < next.End; i++ {
		size := subtree(pos, next.End)
		r.Hashes = append(r.Hashes, next.Hashes[i])
		r.End = pos + size
		r.fold(pos, size)
		pos += size
	}
	return nil
}

// Clone returns a copy that shares nothing with r.
func (r Range) Clone() Range {
	r.Hashes = append([]Hash(nil), r.Hashes...)
	return r
}

// Equal says whether both cover the same leaves with the same hashes.
func (r Range) Equal(o Range) bool {
	if r.Begin != o.Begin || r.End != o.End || len(r.Hashes) != len(o.Hashes) {
		return false
	}
	for i := range r.Hashes {
		if r.Hashes[i] != o.Hashes[i] {
			return false
		}
	}
	return true
}

// Root is the RFC 6962 tree head of a range that begins at leaf 0: SHA-256 of nothing when empty.
func (r Range) Root() Hash {
	if r.Begin != 0 {
		panic("archive: Root of a range that does not begin at 0")
	}
	n := len(r.Hashes)
	if n == 0 {
		return emptyRoot
	}
	root := r.Hashes[n-1]
	for i := n - 2; i >= 0; i-- {
		root = nodeHash(&r.Hashes[i], &root)
	}
	return root
}
