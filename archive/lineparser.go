package archive

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// lineParser reads a line from left to right. After the first failure nothing moves any more, so that callers need to
// look only once.
type lineParser struct {
	b        []byte
	i        int
	reason   string // of the first failure
	failedAt int
	critical bool
}

func (p *lineParser) fail(at int, reason string) {
	if p.reason == "" {
		p.reason, p.failedAt = reason, at
	}
}

func (p *lineParser) optional(s string) bool {
	if p.reason == "" && len(p.b)-p.i >= len(s) && string(p.b[p.i:p.i+len(s)]) == s {
		p.i += len(s)
		return true
	}
	return false
}

func (p *lineParser) literal(s string) {
	if !p.optional(s) && p.reason == "" {
		p.fail(p.i, "`"+s+"` is missing")
	}
}

// take returns the next n bytes; ok is false if there are fewer or something failed before.
func (p *lineParser) take(n int) (b []byte, ok bool) {
	if p.reason != "" || len(p.b)-p.i < n {
		p.fail(p.i, "the line ends too early")
		return nil, false
	}
	b = p.b[p.i : p.i+n]
	p.i += n
	return b, true
}

func (p *lineParser) keyID() []byte {
	b, ok := p.take(32)
	if !ok {
		return nil
	}
	if at := hexDigits.firstOther(b); at >= 0 {
		p.fail(p.i-32+at, "the key ID is not 32 lower-case hex digits")
	}
	return b
}

// signatureForms are the lengths of which a signature has one, ascending. The key says which; the parser knows no key.
var (
	signatureForms  = newSignatureForms()
	signatureReason = "the signature is not the canonical base64 of " + strings.Trim(strings.ReplaceAll(fmt.Sprint(keys.EntrySignatureSizes()), " ", " or "), "[]") + " bytes"
)

type signatureForm struct{ size, length int } // raw, in base64

func newSignatureForms() (all []signatureForm) {
	for _, size := range keys.EntrySignatureSizes() {
		all = append(all, signatureForm{size, base64.StdEncoding.EncodedLen(size)})
	}
	return all
}

// signature decodes canonical base64 into dst and returns how many bytes there are.
func (p *lineParser) signature(dst *[keys.MaxEntrySignature]byte) int {
	var f signatureForm
	for _, f = range signatureForms {
		if byteAt(p.b, p.i+f.length) == '"' {
			break
		}
	}
	start := p.i
	b, ok := p.take(f.length)
	if ok && !decodeSignature(dst, f.size, b) {
		p.fail(start, signatureReason)
	}
	return f.size
}

// decodeSignature decodes canonical base64 of size bytes. The standard decoder would pass over newlines.
func decodeSignature(dst *[keys.MaxEntrySignature]byte, size int, b []byte) bool {
	var wrong byte
	out := 0
	for ; len(b) > 4; b = b[4:] {
		b0, b1, b2, b3 := base64Value[b[0]], base64Value[b[1]], base64Value[b[2]], base64Value[b[3]]
		wrong |= b0 | b1 | b2 | b3
		dst[out], dst[out+1], dst[out+2] = b0<<2|b1>>4, b1<<4|b2>>2, b2<<6|b3
		out += 3
	}
	b0, b1, b2, b3 := base64Value[b[0]], base64Value[b[1]], base64Value[b[2]], base64Value[b[3]]
	dst[out] = b0<<2 | b1>>4
	wrong |= b0 | b1
	if out+1 == size {
		return wrong&notBase64 == 0 && b1&0b1111 == 0 && b[2] == '=' && b[3] == '='
	}
	dst[out+1] = b1<<4 | b2>>2
	wrong |= b2
	if out+2 == size {
		return wrong&notBase64 == 0 && b2&0b11 == 0 && b[3] == '='
	}
	dst[out+2] = b2<<6 | b3
	return (wrong|b3)&notBase64 == 0
}

// stream reads a stream name. The ULID's time is compared as text: its digits ascend as bytes do.
func (p *lineParser) stream() []byte {
	const reason = "the stream is not <writer>.<ULID>"
	start := p.i
	dot := start
	for writerBytes.has(byteAt(p.b, dot)) && p.b[start] != '-' {
		dot++
	}
	if p.reason != "" || dot == start || dot-start > 63 || byteAt(p.b, dot) != '.' {
		p.fail(dot, reason)
		return nil
	}
	if string(p.b[start:dot]) == string(keys.RoleOnline) {
		p.fail(start, "no stream is named online")
		return nil
	}
	p.i = dot + 1
	id, ok := p.take(26)
	if !ok {
		return nil
	}
	if at := ulidDigits.firstOther(id); at >= 0 {
		p.fail(dot+1+at, reason)
		return nil
	}
	if string(id[:10]) < firstULIDTime || string(id[:10]) > lastULIDTime {
		p.fail(dot+1, "the stream's ULID is outside the years 2000 to 9999")
	}
	return p.b[start:p.i]
}

// The times of ULIDs at the beginning of 2000 and the end of 9999.
const (
	firstULIDTime = "00VHNCZB00"
	lastULIDTime  = "76EZ91ZPZZ"
)

var (
	hexDigits   = newByteSet("0123456789abcdef")
	writerBytes = newByteSet("abcdefghijklmnopqrstuvwxyz0123456789-")
	ulidDigits  = newByteSet("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
)

// byteSet has a 1 for every byte that is not in it.
type byteSet [256]byte

func newByteSet(members string) (s byteSet) {
	for i := range s {
		s[i] = 1
	}
	for i := range len(members) {
		s[members[i]] = 0
	}
	return s
}

func (s *byteSet) has(c byte) bool { return s[c] == 0 }

// firstOther returns the index of the first byte of b that is not in the set, or -1. Where all are, which is the rule,
// there is no branch to be guessed.
func (s *byteSet) firstOther(b []byte) int {
	var other byte
	for _, c := range b {
		other |= s[c]
	}
	if other == 0 {
		return -1
	}
	for i, c := range b {
		if !s.has(c) {
			return i
		}
	}
	return -1
}

func (p *lineParser) integer() (v uint64) {
	start := p.i
	for p.i < len(p.b) && p.b[p.i]-'0' <= 9 && p.i-start < 17 {
		v = v*10 + uint64(p.b[p.i]-'0')
		p.i++
	}
	if p.i == start || (p.b[start] == '0' && p.i > start+1) || v > lineobject.MaxInteger {
		p.fail(start, "the index is not an integer from 0 to 2^53-1 in plain decimal")
	}
	return v
}

// text reads an id or a type, up to its quote.
func (p *lineParser) text() []byte {
	start, i := p.i, p.i
	for i <= len(p.b)-8 {
		w := binary.LittleEndian.Uint64(p.b[i : i+8 : i+8])
		if stops := stringStops(w) | notASCII(w); stops != 0 {
			i += bits.TrailingZeros64(stops) / 8
			break
		}
		i += 8
	}
	for i < len(p.b) && plain[p.b[i]] {
		i++
	}
	if n := i - start; n == 0 || n > MaxTextBytes {
		p.fail(start, `not 1 to 128 bytes of printable ASCII without " and \`)
	}
	p.i = i
	return p.b[start:i]
}

// notASCII marks, by the lowest bit set, the first byte of w that is DEL or not ASCII.
func notASCII(w uint64) uint64 { return (w | (w + 0x0101010101010101)) & 0x8080808080808080 }

func (p *lineParser) instant() []byte {
	start := p.i
	b, ok := p.take(len(instantLayout))
	if ok && !validInstant(b) {
		p.fail(start, "not a time with nine digits of a second in the years 2000 to 9999")
	}
	return b
}

// validInstant reports whether b, thirty bytes, is an Instant.
func validInstant(b []byte) bool {
	_ = b[29]
	var wrong uint64
	for _, f := range &instantForm {
		x := binary.LittleEndian.Uint64(b[f.at:]) ^ f.template
		wrong |= x | (x + f.add)
	}
	if wrong&0xf0f0f0f0f0f0f0f0 != 0 {
		return false
	}
	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	return year >= 2000 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month) &&
		two(11) < 24 && two(14) < 60 && two(17) < 60
}

// instantForm has what validInstant compares eight bytes with: exclusive or with the template leaves 0 to 9 of a digit
// and 0 of another character; anything more has one of its upper four bits set, or has after adding.
var instantForm = func() (form [4]struct {
	at            int
	template, add uint64
}) {
	for i, at := range []int{0, 8, 16, 22} {
		form[i].at = at
		for j, c := range []byte(instantLayout[at : at+8]) {
			add := byte(0x0f)
			if c >= '0' && c <= '9' {
				c, add = '0', 0x06
			}
			form[i].template |= uint64(c) << (8 * j)
			form[i].add |= uint64(add) << (8 * j)
		}
	}
	return form
}()

func daysIn(year, month int) int {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return int("\x1f\x1c\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"[month-1])
}

// base64 checks that b is canonical padded base64 of at most 16 MiB.
func (p *lineParser) base64(b []byte) {
	at := p.i
	if len(b)%4 != 0 {
		p.fail(at, "data_base64 is not a multiple of four characters")
		return
	}
	digits := bytes.TrimSuffix(bytes.TrimSuffix(b, []byte{'='}), []byte{'='})
	var wrong byte
	for _, c := range digits {
		wrong |= base64Value[c]
	}
	if wrong&notBase64 != 0 {
		p.fail(at, "data_base64 has a character that is not base64")
		return
	}
	var unused byte // bits of the last character that no byte takes
	switch len(b) - len(digits) {
	case 1:
		unused = 0b11
	case 2:
		unused = 0b1111
	}
	if unused != 0 && base64Value[digits[len(digits)-1]]&unused != 0 {
		p.fail(at, "data_base64 has bits set behind its last byte")
	}
	if base64.RawStdEncoding.DecodedLen(len(digits)) > MaxPayloadBytes {
		p.fail(at, "data_base64 stands for over 16 MiB")
	}
}

const notBase64 = 0x80

var base64Value = func() (t [256]byte) {
	for i := range t {
		t[i] = notBase64
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range len(digits) {
		t[digits[i]] = byte(i)
	}
	return t
}()

// stringMap reads a map whose opening is next, and returns it with its braces; nil if another member is next.
func (p *lineParser) stringMap(opening string) []byte {
	if !p.optional(opening) {
		return nil
	}
	start := p.i - 1
	var room [2][MaxNameBytes]byte // for names with escapes: this one and the one before
	var before []byte
	for n := 1; ; n++ {
		at := p.i
		name := p.mapString(room[n%2][:0], MaxNameBytes)
		switch {
		case p.reason != "":
			return nil
		case len(name) == 0:
			p.fail(at, "an empty name")
		case n > 1 && bytes.Compare(before, name) >= 0:
			p.fail(at, "a name that is not behind the one before it by UTF-8 bytes")
		case n > MaxMembers:
			p.fail(at, "over 32 members")
		case bytes.HasPrefix(name, []byte(criticalPrefix)) && strings.HasSuffix(opening, `"ext":{`):
			p.critical = true
		}
		p.literal(`:`)
		p.mapString(nil, MaxValueBytes)
		if p.optional(`}`) {
			return p.b[start:p.i]
		}
		p.literal(`,`)
		before = name
	}
}

const criticalPrefix = "critical."

// mapString reads a string with minimal escapes and at most limit bytes. If it has escapes and dst is not nil it
// is returned unescaped in dst.
func (p *lineParser) mapString(dst []byte, limit int) []byte {
	at := p.i
	p.literal(`"`)
	if p.reason != "" {
		return nil
	}
	end, escaped := skipString(p.b, p.i)
	if end < 0 {
		p.fail(^end, "a byte that cannot be in a string")
		return nil
	}
	s := p.b[p.i : end-1]
	p.i = end
	length := len(s)
	if escaped {
		length = minimalLength(s)
	}
	switch {
	case length < 0:
		p.fail(at, "an escape that is not the shortest, or not needed")
	case length > limit:
		p.fail(at, "a name over 64 bytes or a value over 1,024")
	case !utf8.Valid(s):
		p.fail(at, "a string that is not UTF-8")
	case escaped && dst != nil:
		return appendUnescaped(dst, s)
	default:
		return s
	}
	return nil
}

// minimalLength returns how many bytes the inside of a valid string stands for, or -1 if its escapes are not minimal.
func minimalLength(s []byte) (n int) {
	var room [6]byte
	for len(s) > 0 {
		n++
		if s[0] != '\\' {
			s = s[1:]
			continue
		}
		r, size := unescape(s)
		if r < 0 || r > 0x7f || !needsEscape(byte(r)) || string(s[:size]) != string(appendEscape(room[:0], byte(r))) {
			return -1
		}
		s = s[size:]
	}
	return n
}
