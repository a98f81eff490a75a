package archive

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
)

func testLeaf(i uint64) Hash { return leafHash(binary.BigEndian.AppendUint64(nil, i)) }

func testRange(begin, end uint64) Range {
	r := Range{Begin: begin, End: begin}
	for i := begin; i < end; i++ {
		r.Append(testLeaf(i))
	}
	return r
}

// TestRangeAgainstReference compares with transparency-dev/merkle, an independent implementation of RFC 6962.
func TestRangeAgainstReference(t *testing.T) {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	for begin := uint64(0); begin < 40; begin++ {
		ref := factory.NewEmptyRange(begin)
		r := Range{Begin: begin, End: begin}
		for end := begin; end < 140; end++ {
			if len(ref.Hashes()) != len(r.Hashes) {
				t.Fatalf("[%d,%d): %d hashes, reference has %d", begin, end, len(r.Hashes), len(ref.Hashes()))
			}
			for i, h := range ref.Hashes() {
				if string(h) != string(r.Hashes[i][:]) {
					t.Fatalf("[%d,%d): hash %d differs from the reference", begin, end, i)
				}
			}
			if begin == 0 && end > 0 {
				want, err := ref.GetRootHash(nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := r.Root(); string(got[:]) != string(want) {
					t.Fatalf("root of %d leaves differs from the reference", end)
				}
			}
			if _, err := NewRange(begin, end, r.Hashes); err != nil {
				t.Fatal(err)
			}
			if _, err := NewRange(begin, end, append(r.Hashes[:len(r.Hashes):len(r.Hashes)], Hash{})); err == nil {
				t.Fatalf("[%d,%d): one hash too many was accepted", begin, end)
			}
			leaf := testLeaf(end)
			r.Append(leaf)
			if err := ref.Append(leaf[:], nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := rfc6962.DefaultHasher.EmptyRoot(); string(want) != string(emptyRoot[:]) {
		t.Fatal("empty root differs from the reference")
	}
}

func TestRangeMergesAtAnyCut(t *testing.T) {
	const size = 100
	whole := testRange(0, size)
	for range 300 {
		r := Range{}
		for r.End < size {
			if err := r.Merge(testRange(r.End, r.End+1+rand.Uint64N(size-r.End))); err != nil {
				t.Fatal(err)
			}
		}
		if !r.Equal(whole) {
			t.Fatal("merged range differs from the whole")
		}
	}
	var r Range
	if err := r.Merge(testRange(1, 2)); err == nil {
		t.Fatal("a gap was merged")
	}
}
