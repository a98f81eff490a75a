package archive

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// validCompact reports whether data is one JSON value (RFC 8259) without whitespace outside strings. It judges nothing
// else: not UTF-8, not member names, not surrogates, not depth, which writers judge once.
//
// It runs on every entry of a full verification. That is why the loops over eight bytes, which end most strings, stand
// here twice and not in a function.
func validCompact(data []byte) bool {
	var kinds nesting
	i := 0
	for {
		// Behind the switch, i is behind the value, or at the end of an empty array or object.
		switch b := byteAt(data, i); b {
		case '"':
			i++
			for i <= len(data)-8 {
				if stops := stringStops(binary.LittleEndian.Uint64(data[i : i+8 : i+8])); stops != 0 {
					i += bits.TrailingZeros64(stops) / 8
					break
				}
				i += 8
			}
			if byteAt(data, i) == '"' {
				i++
			} else if i, _ = skipString(data, i); i < 0 {
				return false
			}
		case '{', '[':
			kinds.push(b == '{')
			i++
			if byteAt(data, i) == b+2 { // '}' is '{'+2, and ']' is '['+2
				break
			}
			if b == '[' {
				continue
			}
			goto name
		default:
			if i = skipScalar(data, i); i < 0 {
				return false
			}
		}
		for {
			if kinds.depth == 0 {
				return i == len(data)
			}
			b := byteAt(data, i)
			i++
			if b == ',' {
				break
			}
			if b != kinds.closing() {
				return false
			}
			kinds.pop()
		}
		if !kinds.inObject() {
			continue
		}
	name:
		if byteAt(data, i) != '"' {
			return false
		}
		i++
		for i <= len(data)-8 {
			if stops := stringStops(binary.LittleEndian.Uint64(data[i : i+8 : i+8])); stops != 0 {
				i += bits.TrailingZeros64(stops) / 8
				break
			}
			i += 8
		}
		if byteAt(data, i) == '"' {
			i++
		} else if i, _ = skipString(data, i); i < 0 {
			return false
		}
		if byteAt(data, i) != ':' {
			return false
		}
		i++
	}
}

// nesting remembers which of the open values are objects, one bit each, so that 16 MiB of brackets take 2 MiB.
type nesting struct {
	depth int
	near  uint64 // the innermost 64, the innermost lowest
	far   []uint64
}

func (n *nesting) push(object bool) {
	if n.depth%64 == 0 && n.depth > 0 {
		n.far = append(n.far, n.near)
	}
	n.near <<= 1
	if object {
		n.near |= 1
	}
	n.depth++
}

func (n *nesting) pop() {
	n.near >>= 1
	n.depth--
	if n.depth%64 == 0 && n.depth > 0 {
		n.near = n.far[len(n.far)-1]
		n.far = n.far[:len(n.far)-1]
	}
}

func (n *nesting) inObject() bool { return n.near&1 != 0 }

func (n *nesting) closing() byte { return ']' + byte(n.near&1)*('}'-']') }

// stringStops marks, by the lowest bit set, the first byte in w that does not simply belong to a string: a quote, a
// backslash or a control character. Eight bytes at a time; a byte is below 0x21 after its bit 1 is flipped if it is a
// control character or a quote.
func stringStops(w uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	return (((w ^ 0x02*ones) - 0x21*ones) | ((w ^ '\\'*ones) - ones)) &^ w & tops
}

// skipString returns the index behind the quote that ends a string whose first byte is at i, and whether it has
// escapes; or the complement of the index of a byte that does not belong there.
func skipString(b []byte, i int) (next int, escaped bool) {
	for {
		for i <= len(b)-8 {
			if stops := stringStops(binary.LittleEndian.Uint64(b[i : i+8 : i+8])); stops != 0 {
				i += bits.TrailingZeros64(stops) / 8
				break
			}
			i += 8
		}
		for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			i++
		}
		switch byteAt(b, i) {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = skipEscape(b, i); i < 0 {
				return i, escaped
			}
		default:
			return ^i, escaped
		}
	}
}

// skipEscape returns the index behind the escape at i, or the complement of the index of a wrong byte.
func skipEscape(b []byte, i int) int {
	switch byteAt(b, i+1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		for j := i + 2; j < i+6; j++ {
			if hexDigit(byteAt(b, j)) < 0 {
				return ^j
			}
		}
		return i + 6
	}
	return ^(i + 1)
}

func hexDigit(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c - 'a' + 10)
	case c >= 'A' && c <= 'F':
		return rune(c - 'A' + 10)
	}
	return -1
}

// skipScalar returns the index behind the number or literal at i, or the complement of the index of a wrong byte.
func skipScalar(b []byte, i int) int {
	switch byteAt(b, i) {
	case 't':
		return skipLiteral(b, i, "true")
	case 'f':
		return skipLiteral(b, i, "false")
	case 'n':
		return skipLiteral(b, i, "null")
	}
	return skipNumber(b, i)
}

func skipLiteral(b []byte, i int, literal string) int {
	if len(b)-i >= len(literal) && string(b[i:i+len(literal)]) == literal {
		return i + len(literal)
	}
	for j := range len(literal) {
		if byteAt(b, i+j) != literal[j] {
			return ^(i + j)
		}
	}
	return i + len(literal)
}

// skipNumber follows the grammar of RFC 8259 section 6.
func skipNumber(b []byte, i int) int {
	if byteAt(b, i) == '-' {
		i++
	}
	if byteAt(b, i) == '0' {
		i++
	} else if i = skipDigits(b, i); i < 0 {
		return i
	}
	if byteAt(b, i) == '.' {
		if i = skipDigits(b, i+1); i < 0 {
			return i
		}
	}
	if byteAt(b, i)|0x20 == 'e' {
		i++
		if s := byteAt(b, i); s == '+' || s == '-' {
			i++
		}
		return skipDigits(b, i)
	}
	return i
}

// skipDigits wants at least one.
func skipDigits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return ^i
	}
	return i
}

// loneSurrogate returns the index of the first escape in s that is half a surrogate pair, or -1. s is the inside of a
// valid string, with or without its quotes.
func loneSurrogate(s []byte) int {
	for i := bytes.IndexByte(s, '\\'); i >= 0 && i < len(s); {
		if s[i] != '\\' {
			i++
			continue
		}
		r, n := unescape(s[i:])
		if r == surrogate {
			return i
		}
		i += n
	}
	return -1
}

// surrogate is what unescape returns for half a pair.
const surrogate = -1

// unescape returns the character of the escape (or of the escaped surrogate pair) that s starts with, and its length.
func unescape(s []byte) (rune, int) {
	switch s[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r := hexRune(s[2:6])
		if r < 0xd800 || r > 0xdfff {
			return r, 6
		}
		if r < 0xdc00 && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
			if low := hexRune(s[8:12]); low >= 0xdc00 && low <= 0xdfff {
				return 0x10000 + (r-0xd800)<<10 + (low - 0xdc00), 12
			}
		}
		return surrogate, 6
	}
	return rune(s[1]), 2
}

func hexRune(s []byte) (r rune) {
	for _, c := range s {
		r = r<<4 | hexDigit(c)
	}
	return r
}

// appendUnescaped appends the characters that the inside of a valid string without lone surrogates stands for.
func appendUnescaped(dst, s []byte) []byte {
	for len(s) > 0 {
		plain := bytes.IndexByte(s, '\\')
		if plain < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:plain]...)
		r, n := unescape(s[plain:])
		dst = utf8.AppendRune(dst, r)
		s = s[plain+n:]
	}
	return dst
}

// byteAt returns 0, which is no JSON, behind the end.
func byteAt(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}
