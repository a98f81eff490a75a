package main

import (
	"bytes"
	"fmt"
	"os"
)

// openReceipts opens a file to which receipts are appended. What a crash has cut off at its end stays there, in a line of
// its own.
func openReceipts(path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := endLine(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// endLine ends the last line of a file that has another end. What cannot be read there, such as a pipe, is left alone.
func endLine(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = f.Write([]byte{'\n'})
	return err
}

// The beginnings of a receipt's lines, and the end of the second.
const (
	receiptBegins   = `{"format":`
	signatureBegins = `{"signatures":`
	signatureEnds   = `"}]}`
)

// splitReceipts cuts a file of receipts into objects of two lines. What a crash has cut off is left out and counted.
func splitReceipts(b []byte) (parts [][]byte, cut uint64, err error) {
	var begun []byte // from a receipt's first line on
	for number := 1; len(b) > 0; number++ {
		line, rest, whole := bytes.Cut(b, []byte{'\n'})
		switch {
		case !whole:
			return parts, cut + 1, nil
		case bytes.HasPrefix(line, []byte(receiptBegins)):
			if begun != nil {
				cut++
			}
			begun = b
		case begun != nil && bytes.HasPrefix(line, []byte(signatureBegins)) && bytes.HasSuffix(line, []byte(signatureEnds)):
			parts = append(parts, begun[:len(begun)-len(rest)])
			begun = nil
		case begun != nil && bytes.HasPrefix([]byte(signatureBegins), line[:min(len(line), len(signatureBegins))]),
			bytes.HasPrefix([]byte(receiptBegins), line):
			begun = nil
			cut++
		default:
			return nil, 0, fmt.Errorf("line %d is no part of a receipt", number)
		}
		b = rest
	}
	if begun != nil {
		cut++
	}
	return parts, cut, nil
}
