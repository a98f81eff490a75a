package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible makes one line of text harmless for a terminal and for whoever reads it: names of objects, version IDs and what
// servers say are anybody's. What is not printable (controls, escape sequences, line ends, marks that turn the direction
// of writing, bytes that are no UTF-8) is written as a Go string has it, such as \x1b. JSON has the exact text.
func visible(line string) string {
	if utf8.ValidString(line) && !strings.ContainsFunc(line, unprintable) {
		return line
	}
	var b strings.Builder
	for len(line) > 0 {
		r, n := utf8.DecodeRuneInString(line)
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(line[0]), 16))
		case unprintable(r):
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		default:
			b.WriteRune(r)
		}
		line = line[n:]
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
