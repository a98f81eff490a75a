package archivetest

import "strings"

// Op names an operation of [archive.Store].
type Op string

// The operations, as the methods are called.
const (
	OpCreate          Op = "Create"
	OpHead            Op = "Head"
	OpGet             Op = "Get"
	OpVersions        Op = "Versions"
	OpExtendRetention Op = "ExtendRetention"
	OpSetLegalHold    Op = "SetLegalHold"
	OpSettings        Op = "Settings"
	OpNow             Op = "Now"
)

// Ops are all operations that can fail, for tests that try each of them.
var Ops = []Op{OpCreate, OpHead, OpGet, OpVersions, OpExtendRetention, OpSetLegalHold, OpSettings, OpNow}

// Call is one call of an operation. Key is the prefix for Versions, and empty for Settings and Now.
type Call struct {
	Op  Op
	Key string
}

// match says whether key fits pattern, in which * stands for any run of characters, slashes included. The empty pattern
// fits every key.
func match(pattern, key string) bool {
	if pattern == "" {
		return true
	}
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return key == pattern
	}
	key, ok := strings.CutPrefix(key, first)
	if !ok {
		return false
	}
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(key, part)
		}
		i := strings.Index(key, part)
		if i < 0 {
			return false
		}
		key, rest = key[i+len(part):], next
	}
}
