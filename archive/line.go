package archive

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/wormlog/wormlog/keys"
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
	signature         [keys.MaxEntrySignature]byte
	signatureLen      int
	critical          bool
}

// Signature returns the raw signature, of one of the lengths that [keys.EntrySignatureSizes] lists. It is valid until the Line is parsed
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
// compact JSON value and judges nothing else. Errors are *MalformedError; the Line then means nothing.
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

// CriticalExt returns the names in ext, ascending, that say a reader must understand them, which this release does not: what the
// entry means is then unverifiable.
func (l *Line) CriticalExt() []string {
	if !l.critical {
		return nil
	}
	names := criticalExt(decodeMap(l.ext))
	slices.Sort(names)
	return names
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
