// Package leaks finds secrets where none belong. A build with the tag markedkeys begins every secret seed with a mark
// (keys.SeedMark), and so does whatever a program makes of the seed: text, logs, objects, crash dumps. This package looks
// for the mark in every spelling that a program could give it:
//
//	for _, f := range leaks.Find(output) {
//		t.Errorf("%s at byte %d", f.Spelling, f.At)
//	}
//
// It finds a seed that begins somewhere, not one whose first twelve bytes were cut off, and no key derived from a seed.
// testdata/leaks.sh runs the whole test suite under it.
package leaks

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Mark is what every seed of a marked build begins with, keys.SeedMark, in base64.
const Mark = "WORMLOGLEAKEDKEY"

// Found is one place with a secret in it.
type Found struct {
	Spelling string // how it is written there
	At       int    // the byte at which the mark begins, in what was decompressed if the input is compressed
}

// Find returns the places with a secret, one for each spelling. What is one gzip or zstd stream is looked into, too.
func Find(b []byte) []Found {
	found := find(b)
	for _, f := range find(decompressed(b)) {
		found = append(found, Found{f.Spelling + ", compressed", f.At})
	}
	return found
}

func find(b []byte) (found []Found) {
	for _, s := range spellings {
		if at := bytes.Index(b, s.literal); s.literal != nil && at >= 0 {
			found = append(found, Found{s.name, at})
		}
		if s.pattern == nil {
			continue
		}
		if at := s.pattern.FindIndex(b); at != nil {
			found = append(found, Found{s.name, at[0]})
		}
	}
	return found
}

// maxDecompressed keeps a bomb that a test has made from filling the memory.
const maxDecompressed = 256 << 20

// decompressed is what a gzip or zstd stream holds, as far as it can be read; nil for anything else.
func decompressed(b []byte) []byte {
	var r io.Reader
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil
		}
		r = z
	case bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil
		}
		defer z.Close()
		r = z
	default:
		return nil
	}
	plain, _ := io.ReadAll(io.LimitReader(r, maxDecompressed)) // what came before the damage is looked at
	return plain
}

// spelling is one way to write the mark: as it is, or by a pattern.
type spelling struct {
	name    string
	literal []byte
	pattern *regexp.Regexp
}

var spellings = func() (all []spelling) {
	seed, err := base64.StdEncoding.DecodeString(Mark)
	if err != nil {
		panic(err)
	}
	for _, s := range []struct {
		name  string
		bytes []byte
	}{
		{"raw", seed},
		{"base64", []byte(Mark)},
		{"hex", []byte(hex.EncodeToString(seed))},
		{"HEX", []byte(strings.ToUpper(hex.EncodeToString(seed)))},
	} {
		all = append(all, spelled(s.name, s.bytes)...)
	}
	return append(all,
		spelling{name: "raw, escaped", pattern: regexp.MustCompile(escaped(seed))},
		spelling{name: "base64, in lower case", literal: []byte(strings.ToLower(Mark))})
}()

// spelled lists how bytes can be written.
func spelled(name string, b []byte) []spelling {
	all := []spelling{
		{name: name, literal: b},
		{name: name + ", in hex", pattern: joined(b, "(?i)", "[^0-9a-z]{0,24}(?:0?x)?", func(c byte) string { return optionalZero(fmt.Sprintf("%02x", c)) })},
		{name: name + ", in decimal", pattern: joined(b, "", "[^0-9]{1,24}0*", func(c byte) string { return fmt.Sprint(c) })},
		{name: name + ", in octal", pattern: joined(b, "", "[^0-9]{1,24}0*", func(c byte) string { return fmt.Sprintf("%o", c) })},
	}
	for shift := range 3 {
		all = append(all, spelling{name: fmt.Sprintf("%s, in base64 from byte %d of 3", name, shift), pattern: inBase64(b, shift)})
	}
	return all
}

// joined matches the bytes one by one, with something between them.
func joined(b []byte, flags, between string, one func(byte) string) *regexp.Regexp {
	patterns := make([]string, len(b))
	for i, c := range b {
		patterns[i] = one(c)
	}
	return regexp.MustCompile(flags + strings.Join(patterns, between))
}

func optionalZero(hex string) string {
	if hex[0] == '0' {
		return "0?" + hex[1:]
	}
	return hex
}

// escaped matches bytes that Go, C, JSON and URLs have escaped where they must, once or several times over. What is not
// UTF-8 is one replacement character to package regexp, and may have become one. The first byte, a letter, is as it is.
func escaped(b []byte) string {
	var p strings.Builder
	p.WriteByte(b[0])
	for _, c := range b[1:] {
		is := regexp.QuoteMeta(string(rune(c)))
		if c >= 0x80 {
			is = `\x{FFFD}|\\+ufffd`
		}
		short := strings.TrimPrefix(strings.Trim(strconv.Quote(string(rune(c))), `"`), `\`)
		fmt.Fprintf(&p, `(?i:%s|\\+(?:x%02x|u00%02x|%03o|%s)|%%(?:25)*%02x)`, is, c, c, c, regexp.QuoteMeta(short), c)
	}
	return p.String()
}

// inBase64 matches the characters that follow from b alone when shift bytes, modulo 3, are in front of it, in the
// standard alphabet or the one for URLs, and broken into lines or not.
func inBase64(b []byte, shift int) *regexp.Regexp {
	text := base64.StdEncoding.EncodeToString(append(make([]byte, shift), b...))
	text = text[(shift*8+5)/6 : (shift+len(b))*8/6]
	characters := make([]string, len(text))
	for i := range text {
		switch text[i] {
		case '+':
			characters[i] = "[+-]"
		case '/':
			characters[i] = "[/_]"
		default:
			characters[i] = text[i : i+1]
		}
	}
	return regexp.MustCompile(strings.Join(characters, `(?:\\r|\\n|\s){0,3}`))
}
