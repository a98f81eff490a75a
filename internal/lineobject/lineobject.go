// Package lineobject reads and writes the two shapes that every JSON of wormlog's own has: canonical JSON, and the line
// object made of it.
//
//	line, err := lineobject.Marshal(manifest)            // canonical JSON, no newline
//	b := lineobject.Object{Line: line, KeyID: id, Signature: sig}.Bytes()
//	o, err := lineobject.Split(b)                        // exactly what Bytes produced, or an error
//	err = lineobject.Unmarshal(o.Line, &manifest)        // exactly what Marshal produced, or an error
//
// A line object is two lines, each ending in a newline: line 1 is what is signed, line 2 carries exactly one signature.
// Parsers accept exactly what writers produce: Unmarshal decodes, encodes again and compares, so member order, number
// spelling, escapes, whitespace, unknown, missing and repeated members need no rule of their own (docs/format.md,
// "JSON of ours").
package lineobject

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrNotCanonical is wrapped by every error of Unmarshal and Split: the bytes are not what a writer produces.
var ErrNotCanonical = errors.New("not in canonical form")

// MaxInteger is the largest integer that JSON of ours may hold: 2^53-1, exact in every JSON implementation.
const MaxInteger = 1<<53 - 1

// Marshal returns v as canonical JSON: struct members in declaration order, maps ascending by UTF-8 bytes, strings
// escaped minimally, no whitespace, no newline at the end.
func Marshal(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true))
}

// Unmarshal decodes canonical JSON into the value v points to. Bytes that Marshal would not have produced for the
// decoded value are refused with an error that wraps ErrNotCanonical and names the first byte that differs.
func Unmarshal[T any](b []byte, v *T) error {
	*v = *new(T)
	if err := json.Unmarshal(b, v, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	again, err := Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	if !bytes.Equal(b, again) {
		return fmt.Errorf("%w: byte %d is not what a writer puts there", ErrNotCanonical, firstDifference(b, again))
	}
	return nil
}

func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// Object is a line object: line 1 without its newline, and the one signature of line 2.
type Object struct {
	Line      []byte
	KeyID     string
	Signature []byte
}

type signatureLine struct {
	Signatures []signature `json:"signatures"`
}

type signature struct {
	KeyID     string `json:"key_id"`
	Signature []byte `json:"signature"`
}

// Bytes returns the two lines as they are stored.
func (o Object) Bytes() []byte {
	b := make([]byte, 0, len(o.Line)+len(o.KeyID)+2*len(o.Signature)+64)
	b = append(b, o.Line...)
	b = append(b, "\n{\"signatures\":[{\"key_id\":\""...)
	b = append(b, o.KeyID...)
	b = append(b, `","signature":"`...)
	b = base64.StdEncoding.AppendEncode(b, o.Signature)
	return append(b, "\"}]}\n"...)
}

// Format returns the value of a line's first member, if that is a string called format: what is looked at before anything
// else in the line is judged, so that a later format is told apart from damage.
func Format(line []byte) (format string, ok bool) {
	d := jsontext.NewDecoder(bytes.NewReader(line[:min(len(line), 256)]))
	for _, want := range []string{"{", "format"} {
		if t, err := d.ReadToken(); err != nil || t.String() != want {
			return "", false
		}
	}
	t, err := d.ReadToken()
	if err != nil || t.Kind() != '"' {
		return "", false
	}
	return t.String(), true
}

// FirstLine returns what head -n1 prints of b, without the newline.
func FirstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return line
}

// Digest returns the SHA-256 of line 1 with its newline: what head -n1 prints, and what signatures cover.
func (o Object) Digest() [sha256.Size]byte { return LineDigest(o.Line) }

// LineDigest returns the SHA-256 of a line without newline as if it ended in one.
func LineDigest(line []byte) (d [sha256.Size]byte) {
	h := sha256.New()
	h.Write(line)
	h.Write([]byte{'\n'})
	h.Sum(d[:0])
	return d
}

// HexDigest returns LineDigest in lower-case hex.
func HexDigest(line []byte) string {
	d := LineDigest(line)
	return hex.EncodeToString(d[:])
}

// Split parses two lines as Bytes writes them. Line 1 is not looked into. The error wraps ErrNotCanonical.
func Split(b []byte) (Object, error) {
	line, rest, ok := bytes.Cut(b, []byte{'\n'})
	if !ok {
		return Object{}, fmt.Errorf("%w: no newline ends line 1", ErrNotCanonical)
	}
	second, after, ok := bytes.Cut(rest, []byte{'\n'})
	if !ok {
		return Object{}, fmt.Errorf("%w: no newline ends line 2", ErrNotCanonical)
	}
	if len(after) > 0 {
		return Object{}, fmt.Errorf("%w: %d bytes after line 2", ErrNotCanonical, len(after))
	}
	var sl signatureLine
	if err := Unmarshal(second, &sl); err != nil {
		return Object{}, fmt.Errorf("line 2: %w", err)
	}
	if len(sl.Signatures) != 1 {
		return Object{}, fmt.Errorf("line 2: %w: %d signatures, not one", ErrNotCanonical, len(sl.Signatures))
	}
	o := Object{Line: line, KeyID: sl.Signatures[0].KeyID, Signature: sl.Signatures[0].Signature}
	// Bytes writes line 2 without escapes, so a key ID that needs any is caught here.
	if !bytes.Equal(o.Bytes(), b) {
		return Object{}, fmt.Errorf("line 2: %w", ErrNotCanonical)
	}
	return o, nil
}
