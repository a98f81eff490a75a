package archive

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may be nested in JSON that is kept as such. Common readers (Java, Python, Go
// tools) refuse or crash not far beyond.
const maxDepth = 512

// A payloadFault says why bytes are not kept as JSON. Its text is a label that can be counted by.
type payloadFault string

const (
	faultSyntax    payloadFault = "not JSON"
	faultUTF8      payloadFault = "not UTF-8"
	faultDuplicate payloadFault = "repeated member name"
	faultSurrogate payloadFault = "lone surrogate escape"
	faultDepth     payloadFault = "nested over 512 deep"
	faultLength    payloadFault = "longer than 2 GiB"
)

// payloadError is a fault and the byte where it was found. Of several faults the first found is named; UTF-8 is looked
// at before everything else, and the members of large objects when the object ends.
type payloadError struct {
	fault payloadFault
	at    int
}

func (e *payloadError) Error() string { return fmt.Sprintf("%s, at byte %d", e.fault, e.at) }

// appendCompact appends src to dst without the whitespace outside strings and otherwise byte for byte. src must be one
// JSON value (RFC 8259) in UTF-8 that repeats no member name within an object (compared after unescaping, RFC 7493
// section 2.3), holds no escape of half a surrogate pair (RFC 7493 section 2.1) and is nested at most 512 deep; if not,
// dst comes back as it was, with a *payloadError, and the writer keeps the payload as data_base64. Writers decide this
// once; verifiers never judge it again. dst must not overlap src.
//
// It allocates only if dst is short of room, for objects with very many members and for names with escapes.
func appendCompact(dst, src []byte) ([]byte, error) {
	if uint64(len(src)) >= unescapedBit {
		return dst, &payloadError{faultLength, len(src)}
	}
	if !utf8.Valid(src) {
		return dst, &payloadError{faultUTF8, firstInvalidUTF8(src)}
	}
	c := compactors.Get().(*compactor)
	defer c.release()
	c.src, c.dst, c.names.src = src, dst, src
	if err := c.run(); err != nil {
		return dst, err
	}
	return append(c.dst, src[c.kept:c.end]...), nil
}

var compactors = sync.Pool{New: func() any { return newCompactor() }}

// compactor is one run of appendCompact.
type compactor struct {
	src, dst []byte
	kept     int // src up to here is in dst or is whitespace
	end      int // behind the last byte to keep
	names    memberNames
	outer    []openObject // arrays and objects around the present one
	in       openObject
}

func newCompactor() *compactor {
	// One allocation with room for what payloads usually need.
	room := new(struct {
		compactor
		names [96]memberName
		outer [24]openObject
	})
	room.compactor.names.list, room.compactor.outer = room.names[:0], room.outer[:0]
	return &room.compactor
}

// release makes c ready for another run, unless it holds room that only extraordinary payloads need.
func (c *compactor) release() {
	if cap(c.names.list) > 1<<12 || cap(c.names.unescaped) > 1<<16 {
		return
	}
	*c = compactor{
		names: memberNames{list: c.names.list[:0], unescaped: c.names.unescaped[:0]},
		outer: c.outer[:0],
	}
	compactors.Put(c)
}

func (c *compactor) fail(f payloadFault, at int) error { return &payloadError{f, at} }

// space passes over whitespace at i, hands what is before it to dst, and returns the next byte to look at.
func (c *compactor) space(i int) int {
	if i == len(c.src) || !isSpace(c.src[i]) {
		return i
	}
	c.dst = append(c.dst, c.src[c.kept:i]...)
	for i < len(c.src) && isSpace(c.src[i]) {
		i++
	}
	c.kept = i
	return i
}

func (c *compactor) run() error {
	src, i := c.src, 0
	for {
		if byteAt(src, i) <= ' ' {
			i = c.space(i)
		}
		// Afterwards i is behind the value, or at the end of an empty array or object.
		switch b := byteAt(src, i); b {
		case '{', '[':
			if len(c.outer) == maxDepth {
				return c.fail(faultDepth, i)
			}
			c.outer = append(c.outer, c.in)
			c.in = openObject{isObject: b == '{', first: len(c.names.list)}
			i = c.space(i + 1)
			if byteAt(src, i) == c.in.closing() {
				break
			}
			if b == '{' {
				next, err := c.name(i)
				if err != nil {
					return err
				}
				i = next
			}
			continue
		case '"':
			next, _, err := c.text(i)
			if err != nil {
				return err
			}
			i = next
		default:
			next := skipScalar(src, i)
			if next < 0 {
				return c.fail(faultSyntax, ^next)
			}
			i = next
		}
		for {
			if len(c.outer) == 0 {
				return c.finish(i)
			}
			if byteAt(src, i) <= ' ' {
				i = c.space(i)
			}
			b := byteAt(src, i)
			if b == ',' {
				i++
				break
			}
			if b != c.in.closing() {
				return c.fail(faultSyntax, i)
			}
			if !c.names.close(&c.in) {
				return c.fail(faultDuplicate, i)
			}
			c.in = c.outer[len(c.outer)-1]
			c.outer = c.outer[:len(c.outer)-1]
			i++
		}
		if c.in.isObject {
			next, err := c.name(c.space(i))
			if err != nil {
				return err
			}
			i = next
		}
	}
}

// finish is called behind the outermost value.
func (c *compactor) finish(i int) error {
	c.end = i
	for i < len(c.src) && isSpace(c.src[i]) {
		i++
	}
	if i < len(c.src) {
		return c.fail(faultSyntax, i)
	}
	return nil
}

// text reads a string at i.
func (c *compactor) text(i int) (next int, escaped bool, err error) {
	next, escaped = skipString(c.src, i+1)
	if next < 0 {
		return 0, false, c.fail(faultSyntax, ^next)
	}
	if escaped {
		if at := loneSurrogate(c.src[i:next]); at >= 0 {
			return 0, false, c.fail(faultSurrogate, i+at)
		}
	}
	return next, escaped, nil
}

// name reads a member name at i and the colon behind it.
func (c *compactor) name(i int) (int, error) {
	if byteAt(c.src, i) != '"' {
		return 0, c.fail(faultSyntax, i)
	}
	next, escaped, err := c.text(i)
	if err != nil {
		return 0, err
	}
	if !c.names.add(&c.in, i+1, next-1, escaped) {
		return 0, c.fail(faultDuplicate, i)
	}
	if byteAt(c.src, next) != ':' {
		next = c.space(next)
		if byteAt(c.src, next) != ':' {
			return 0, c.fail(faultSyntax, next)
		}
	}
	return next + 1, nil
}

// openObject is an array or object whose end has not been seen.
type openObject struct {
	isObject bool
	first    int    // where its names start in memberNames.list
	seen     uint64 // a bit for each name, by hash: a name whose bit is not set is new
}

func (o *openObject) closing() byte {
	if o.isObject {
		return '}'
	}
	return ']'
}

// fewNames is how many names of an object are compared one by one; beyond, they are sorted when the object ends.
const fewNames = 32

// memberNames finds repeated names: the names of all open objects, the innermost object's last.
type memberNames struct {
	src       []byte
	unescaped []byte // names that had escapes
	list      []memberName
}

// unescapedBit in memberName.off says that the name is in unescaped, not in src.
const unescapedBit = 1 << 31

type memberName struct {
	head     uint64 // the first eight bytes, big-endian, zeros behind a shorter name
	off, len uint32
}

func (m *memberNames) bytes(n memberName) []byte {
	if n.off&unescapedBit != 0 {
		off := n.off &^ unescapedBit
		return m.unescaped[off : off+n.len]
	}
	return m.src[n.off : n.off+n.len]
}

func (m *memberNames) compare(a, b memberName) int {
	if a.head != b.head {
		return cmp.Compare(a.head, b.head)
	}
	return bytes.Compare(m.bytes(a), m.bytes(b))
}

// add adds src[start:end], which is a valid string with or without escapes, to the innermost object o. It reports false
// if it finds that o has the name already.
func (m *memberNames) add(o *openObject, start, end int, escaped bool) bool {
	n := memberName{off: uint32(start), len: uint32(end - start)}
	if escaped {
		off := len(m.unescaped)
		m.unescaped = appendUnescaped(m.unescaped, m.src[start:end])
		n = memberName{off: uint32(off) | unescapedBit, len: uint32(len(m.unescaped) - off)}
	}
	n.head = head(m.bytes(n))
	bit := uint64(1) << ((n.head + uint64(n.len)) * 0x9e3779b97f4a7c15 >> 58)
	if o.seen&bit != 0 && len(m.list)-o.first < fewNames {
		for _, old := range m.list[o.first:] {
			if old.head == n.head && old.len == n.len && m.compare(old, n) == 0 {
				return false
			}
		}
	}
	o.seen |= bit
	m.list = append(m.list, n)
	return true
}

// close forgets the names of o, the innermost object. It reports false if one of them was repeated.
func (m *memberNames) close(o *openObject) bool {
	names := m.list[o.first:]
	m.list = m.list[:o.first]
	if len(names) <= fewNames {
		return true
	}
	// Sorting needs no hash, so nobody can choose names that make it slow.
	slices.SortFunc(names, m.compare)
	for i := 1; i < len(names); i++ {
		if m.compare(names[i-1], names[i]) == 0 {
			return false
		}
	}
	return true
}

func head(name []byte) uint64 {
	if len(name) >= 8 {
		return binary.BigEndian.Uint64(name)
	}
	var b [8]byte
	copy(b[:], name)
	return binary.BigEndian.Uint64(b[:])
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

func firstInvalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}
