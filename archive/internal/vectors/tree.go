package vectors

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// leaf is the RFC 6962 hash of an entry line without its newline.
func leaf(line string) string { return sum("\x00" + line) }

func sum(s string) string {
	d := sha256.Sum256([]byte(s))
	return string(d[:])
}

// tree is the Merkle tree hash of RFC 6962 section 2.1.
func tree(leaves []string) string {
	switch len(leaves) {
	case 0:
		return sum("")
	case 1:
		return leaves[0]
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	return sum("\x01" + tree(leaves[:k]) + tree(leaves[k:]))
}

// compact is the compact range of the leaves [begin, end), in hex, by its definition: take the largest aligned perfect
// subtree, then go on behind it.
func compact(leaves []string, begin, end int) (hashes []string) {
	for begin < end {
		size := 1
		for begin%(2*size) == 0 && begin+2*size <= end {
			size *= 2
		}
		hashes = append(hashes, hex.EncodeToString([]byte(tree(leaves[begin:begin+size]))))
		begin += size
	}
	return hashes
}

// list is a JSON array of strings.
func list(items []string) string {
	if len(items) == 0 {
		return "[]"
	}
	return `["` + strings.Join(items, `","`) + `"]`
}
