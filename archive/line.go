package archive

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/wormlog/wormlog/internal/lineobject"
)

// Line is one parsed entry line. Its slices point into the line and are valid as long as that is.
type Line struct {
	KeyID     []byte // 32 hex digits
	Signed    []byte // the value of "entry", which the signature covers
	Stream    []byte
	Index     uint64
	ID        []byte
	Timestamp []byte // the thirty characters of an Instant: they compare as times do
	Type      []byte
	Data      []byte // the value of data, or the base64 of data_base64
	Binary    bool   // Data is base64

	source, meta, ext []byte // the maps with their braces; nil if absent
	signature         [64]byte
	signatureLen      int
	critical          bool
}

// Signature returns the raw signature: 32 bytes of HMAC-SHA256 or 64 of Ed25519. It is valid until the Line is parsed
// into again.
func (l *Line) Signature() []byte { return l.signature[:l.signatureLen] }

// MalformedError says where a line is not what a writer produces. It wraps [ErrMalformed].
type MalformedError struct {
	Offset int    // the byte of the line, from 0
	Reason string // what is wrong there
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("malformed entry line: %s, at byte %d", e.Reason, e.Offset)
}

// Unwrap returns ErrMalformed.
func (e *MalformedError) Unwrap() error { return ErrMalformed }

// ParseLine parses an entry line without its newline. It accepts exactly what a writer produces: of data it demands one
// compact JSON value and judges nothing else. Errors are *MalformedError.
func ParseLine(line []byte) (Line, error) {
	var l Line
	err := l.parse(line)
	return l, err
}

// parse is ParseLine into an existing Line; it does not allocate unless it fails.
func (l *Line) parse(b []byte) error {
	p := lineParser{b: b}
	l.parseEnvelope(&p)
	l.parseIdentity(&p)
	l.source = p.stringMap(`,"source":{`)
	l.meta = p.stringMap(`,"meta":{`)
	l.ext = p.stringMap(`,"ext":{`)
	l.critical = p.critical
	l.parseData(&p)
	if p.reason != "" {
		return &MalformedError{p.failedAt, p.reason}
	}
	return nil
}

// parseEnvelope reads everything in front of the value of "entry".
func (l *Line) parseEnvelope(p *lineParser) {
	p.literal(`{"key_id":"`)
	l.KeyID = p.keyID()
	p.literal(`","signature":"`)
	l.signatureLen = p.signature(&l.signature)
	p.literal(`","entry":`)
	if len(p.b) > p.i {
		l.Signed = p.b[p.i : len(p.b)-1]
	}
}

func (l *Line) parseIdentity(p *lineParser) {
	p.literal(`{"stream":"`)
	l.Stream = p.stream()
	p.literal(`","index":`)
	l.Index = p.integer()
	p.literal(`,"id":"`)
	l.ID = p.text()
	p.literal(`","timestamp":"`)
	l.Timestamp = p.instant()
	p.literal(`","type":"`)
	l.Type = p.text()
	p.literal(`"`)
}

func (l *Line) parseData(p *lineParser) {
	l.Binary = p.optional(`,"data_base64":"`)
	ending := `}}`
	if l.Binary {
		ending = `"}}`
	} else {
		p.literal(`,"data":`)
	}
	if p.reason != "" {
		return
	}
	start, end := p.i, len(p.b)-len(ending)
	if end < start || string(p.b[end:]) != ending {
		p.fail(len(p.b), "the line does not end where data does")
		return
	}
	l.Data = p.b[start:end]
	if l.Binary {
		p.base64(l.Data)
		return
	}
	if len(l.Data) > MaxPayloadBytes {
		p.fail(start, "data has over 16 MiB")
	} else if !validCompact(l.Data) {
		p.fail(start, "data is not one JSON value without whitespace outside strings")
	}
}

// CriticalExt returns the names in ext that say a reader must understand them, which this release does not: what the
// entry means is then unverifiable.
func (l *Line) CriticalExt() []string {
	if !l.critical {
		return nil
	}
	return criticalExt(decodeMap(l.ext))
}

// Entry decodes the line into an Entry that shares no memory with it.
func (l *Line) Entry() (Entry, error) {
	t, err := parseTime(string(l.Timestamp), instantLayout)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	e := Entry{
		Stream: string(l.Stream), Index: l.Index, ID: string(l.ID), Timestamp: t, Type: string(l.Type),
		Source: decodeMap(l.source), Meta: decodeMap(l.meta), Ext: decodeMap(l.ext), Binary: l.Binary,
	}
	if !l.Binary {
		e.Data = bytes.Clone(l.Data)
		return e, nil
	}
	if e.Data, err = base64.StdEncoding.Strict().DecodeString(string(l.Data)); err != nil {
		return Entry{}, fmt.Errorf("%w: data_base64: %w", ErrMalformed, err)
	}
	return e, nil
}

// decodeMap decodes a map that a lineParser has accepted; nil for nil.
func decodeMap(b []byte) map[string]string {
	if b == nil {
		return nil
	}
	m := map[string]string{}
	for i := 1; i < len(b); {
		var text [2]string
		for j := range text {
			end, _ := skipString(b, i+1)
			text[j] = string(appendUnescaped(nil, b[i+1:end-1]))
			i = end + 1 // behind the colon or comma
		}
		m[text[0]] = text[1]
	}
	return m
}

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
	for i, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			p.fail(p.i-32+i, "the key ID is not 32 lower-case hex digits")
		}
	}
	return b
}

// signature decodes 32 or 64 bytes of canonical base64 into dst.
func (p *lineParser) signature(dst *[64]byte) int {
	size, length := 32, 44
	if byteAt(p.b, p.i+length) != '"' {
		size, length = 64, 88
	}
	start := p.i
	b, ok := p.take(length)
	if ok && !decodeSignature(dst, b) {
		p.fail(start, "the signature is not the canonical base64 of 32 or 64 bytes")
	}
	return size
}

// decodeSignature decodes 44 or 88 characters of canonical base64. The standard decoder would pass over newlines.
func decodeSignature(dst *[64]byte, b []byte) bool {
	var wrong byte
	out := 0
	for ; len(b) > 4; b = b[4:] {
		b0, b1, b2, b3 := base64Value[b[0]], base64Value[b[1]], base64Value[b[2]], base64Value[b[3]]
		wrong |= b0 | b1 | b2 | b3
		dst[out], dst[out+1], dst[out+2] = b0<<2|b1>>4, b1<<4|b2>>2, b2<<6|b3
		out += 3
	}
	b0, b1, b2 := base64Value[b[0]], base64Value[b[1]], base64Value[b[2]]
	dst[out] = b0<<2 | b1>>4
	wrong |= b0 | b1
	if out == 63 {
		return wrong&notBase64 == 0 && b1&0b1111 == 0 && b[2] == '=' && b[3] == '='
	}
	dst[out+1] = b1<<4 | b2>>2
	return (wrong|b2)&notBase64 == 0 && b2&0b11 == 0 && b[3] == '='
}

// stream reads a stream name. The ULID's time is compared as text: its digits ascend as bytes do.
func (p *lineParser) stream() []byte {
	const reason = "the stream is not <writer>.<ULID>"
	start := p.i
	dot := start
	for writerByte[byteAt(p.b, dot)] && p.b[start] != '-' {
		dot++
	}
	if p.reason != "" || dot == start || dot-start > 63 || byteAt(p.b, dot) != '.' {
		p.fail(dot, reason)
		return nil
	}
	p.i = dot + 1
	id, ok := p.take(26)
	if !ok {
		return nil
	}
	for i, c := range id {
		if !ulidByte[c] {
			p.fail(dot+1+i, reason)
			return nil
		}
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

var writerByte, ulidByte = byteSet("abcdefghijklmnopqrstuvwxyz0123456789-"), byteSet("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

func byteSet(members string) (t [256]bool) {
	for i := range len(members) {
		t[members[i]] = true
	}
	return t
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
	start := p.i
	for p.i < len(p.b) && plain[p.b[p.i]] {
		p.i++
	}
	if n := p.i - start; n == 0 || n > MaxTextBytes {
		p.fail(start, `not 1 to 128 bytes of printable ASCII without " and \`)
	}
	return p.b[start:p.i]
}

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
	for i, c := range []byte(instantLayout) {
		if c >= '0' && c <= '9' {
			if b[i]-'0' > 9 {
				return false
			}
		} else if b[i] != c {
			return false
		}
	}
	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	return year >= 2000 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month) &&
		two(11) < 24 && two(14) < 60 && two(17) < 60
}

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
	for len(s) > 0 {
		n++
		if s[0] != '\\' {
			s = s[1:]
			continue
		}
		r, size := unescape(s)
		if r < 0 || r > 0x7f || !needsEscape(byte(r)) || string(s[:size]) != string(appendEscape(nil, byte(r))) {
			return -1
		}
		s = s[size:]
	}
	return n
}
