package archive

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// ErrMalformed is wrapped by every error of a parser: the bytes are not what a writer produces.
var ErrMalformed = errors.New("malformed")

// Caps on an entry beside MaxPayloadBytes (docs/format.md, "Caps").
const (
	MaxTextBytes  = 128  // of id and type
	MaxMembers    = 32   // of each of source, meta and ext
	MaxNameBytes  = 64   // of a name in one of them
	MaxValueBytes = 1024 // of a value in one of them
)

// Entry is one audit record as it is signed (docs/format.md, "Entry").
type Entry struct {
	// Stream is the name of the stream, <writer>.<ULID>.
	Stream string
	// Index counts the entries of a stream from 0.
	Index uint64
	// ID is the writer's or the caller's name for the record: 1 to 128 bytes of printable ASCII without " and \.
	ID string
	// Timestamp is when the writer accepted the record. Years 2000 to 9999.
	Timestamp time.Time
	// Type says what kind of record it is: 1 to 128 bytes of printable ASCII without " and \.
	Type string
	// Source says where the record came from, Meta is the caller's, Ext is for later releases. Each has at most 32
	// members; names have 1 to 64 bytes of UTF-8, values at most 1,024. An empty map is the same as none.
	Source, Meta, Ext map[string]string
	// Data is the record: compact JSON, or any bytes if Binary is set. At most 16 MiB.
	Data []byte
	// Binary says that Data is kept as data_base64, because it is not JSON that could be kept as such.
	Binary bool
}

// check says in a sentence what keeps the entry from being written. It does not look into Data.
func (e *Entry) check() error {
	if _, err := ParseStreamName(e.Stream); err != nil {
		return err
	}
	if e.Index > lineobject.MaxInteger {
		return fmt.Errorf("the index %d is over 2^53-1", e.Index)
	}
	if y := e.Timestamp.UTC().Year(); y < 2000 || y > 9999 {
		return fmt.Errorf("the timestamp %s is outside the years 2000 to 9999", e.Timestamp.Format(time.RFC3339))
	}
	if len(e.Data) > MaxPayloadBytes {
		return fmt.Errorf("the payload has %d bytes, over %d; split it or archive it elsewhere and record its hash",
			len(e.Data), MaxPayloadBytes)
	}
	return errors.Join(checkPlain("id", e.ID), checkPlain("type", e.Type),
		checkMap("source", e.Source), checkMap("meta", e.Meta), checkMap("ext", e.Ext))
}

func checkPlain(what, s string) error {
	if len(s) == 0 || len(s) > MaxTextBytes {
		return fmt.Errorf("the %s has %d bytes, not 1 to %d", what, len(s), MaxTextBytes)
	}
	for i := range len(s) {
		if !plain[s[i]] {
			return fmt.Errorf(`the %s %q has a byte at %d that is not printable ASCII without " and \`, what, s, i)
		}
	}
	return nil
}

func checkMap(what string, m map[string]string) error {
	if len(m) > MaxMembers {
		return fmt.Errorf("%s has %d members, over %d", what, len(m), MaxMembers)
	}
	for name, value := range m {
		if len(name) == 0 || len(name) > MaxNameBytes {
			return fmt.Errorf("the name %.64q in %s has %d bytes, not 1 to %d", name, what, len(name), MaxNameBytes)
		}
		if len(value) > MaxValueBytes {
			return fmt.Errorf("the value of %q in %s has %d bytes, over %d", name, what, len(value), MaxValueBytes)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return fmt.Errorf("the member %q in %s is not UTF-8", name, what)
		}
	}
	return nil
}

// plain are the bytes of id and type: printable ASCII without " and \.
var plain = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendEntry appends the entry's canonical form, which is what is signed. The entry must have passed check, and Data,
// unless Binary is set, must be what appendCompact wrote.
func appendEntry(dst []byte, e *Entry) []byte {
	dst = append(dst, `{"stream":"`...)
	dst = append(dst, e.Stream...)
	dst = append(dst, `","index":`...)
	dst = strconv.AppendUint(dst, e.Index, 10)
	dst = append(dst, `,"id":"`...)
	dst = append(dst, e.ID...)
	dst = append(dst, `","timestamp":"`...)
	dst = appendInstant(dst, e.Timestamp)
	dst = append(dst, `","type":"`...)
	dst = append(dst, e.Type...)
	dst = append(dst, '"')
	dst = appendMaps(dst, e.Source, e.Meta, e.Ext)
	if e.Binary {
		return append(appendBinary(dst, e.Data), '}')
	}
	dst = append(dst, `,"data":`...)
	dst = append(dst, e.Data...)
	return append(dst, '}')
}

func appendMaps(dst []byte, source, meta, ext map[string]string) []byte {
	dst = appendMember(dst, `,"source":{`, source)
	dst = appendMember(dst, `,"meta":{`, meta)
	return appendMember(dst, `,"ext":{`, ext)
}

func appendBinary(dst, data []byte) []byte {
	dst = append(dst, `,"data_base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, data)
	return append(dst, '"')
}

// appendLine appends an entry's line, without the newline, around the bytes that were signed.
func appendLine(dst []byte, keyID keys.ID, signature, entry []byte) []byte {
	dst = append(dst, `{"key_id":"`...)
	dst = append(dst, keyID...)
	dst = append(dst, `","signature":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, signature)
	dst = append(dst, `","entry":`...)
	dst = append(dst, entry...)
	return append(dst, '}')
}

// appendMember appends a map, ascending by UTF-8 bytes, behind its opening; nothing if it is empty.
func appendMember(dst []byte, opening string, m map[string]string) []byte {
	if len(m) == 0 {
		return dst
	}
	var room [MaxMembers]string
	names := room[:0]
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, opening...)
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
		dst = append(dst, ':')
		dst = appendString(dst, m[name])
	}
	return append(dst, '}')
}

// appendString appends a JSON string with the fewest and shortest escapes (docs/format.md, "JSON of ours").
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	kept := 0
	for i := range len(s) {
		if needsEscape(s[i]) {
			dst = appendEscape(append(dst, s[kept:i]...), s[i])
			kept = i + 1
		}
	}
	dst = append(dst, s[kept:]...)
	return append(dst, '"')
}

func needsEscape(c byte) bool { return c < ' ' || c == '"' || c == '\\' }

// appendEscape appends the one escape that c has in JSON of ours.
func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	if short := shortEscape[c]; short != 0 {
		return append(dst, '\\', short)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// shortEscape has the letter behind the backslash for each character that has one.
var shortEscape = [256]byte{'"': '"', '\\': '\\', '\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r'}

// appendInstant appends the thirty characters of an [Instant]; time.AppendFormat takes several times as long.
func appendInstant(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendDigits(dst, year, 4, '-')
	dst = appendDigits(dst, int(month), 2, '-')
	dst = appendDigits(dst, day, 2, 'T')
	dst = appendDigits(dst, hour, 2, ':')
	dst = appendDigits(dst, minute, 2, ':')
	dst = appendDigits(dst, second, 2, '.')
	return appendDigits(dst, t.Nanosecond(), 9, 'Z')
}

// appendDigits appends v in exactly n digits, and what comes behind it.
func appendDigits(dst []byte, v, n int, behind byte) []byte {
	var b [10]byte
	for i := n - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
	b[n] = behind
	return append(dst, b[:n+1]...)
}
