package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lineReader cuts a stream into lines of bounded length.
type lineReader struct {
	r     *bufio.Reader
	limit int
	n     uint64 // of the line returned last, from 1
	read  uint64 // bytes
	buf   []byte
}

func newLineReader(r io.Reader, limit int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 1<<20), limit: limit}
}

// errLineTooLong: a line is over the limit. It was passed over whole, and the next call returns the line behind it.
var errLineTooLong = errors.New("the line is too long")

// next returns the next line without its newline, valid until the next call. The last line needs none. io.EOF: there is
// no more.
func (l *lineReader) next() ([]byte, error) {
	l.buf = l.buf[:0]
	tooLong := false
	for {
		part, err := l.r.ReadSlice('\n')
		l.read += uint64(len(part))
		if ended := err == nil; ended {
			part = part[:len(part)-1]
			if len(l.buf) == 0 && len(part) <= l.limit && !tooLong {
				l.n++
				return part, nil
			}
		}
		if tooLong = tooLong || len(l.buf)+len(part) > l.limit; !tooLong {
			l.buf = append(l.buf, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(l.buf) == 0 && !tooLong:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		}
		l.n++
		if tooLong {
			return nil, errLineTooLong
		}
		return l.buf, nil
	}
}

// blank says whether a line has nothing but whitespace, as the end of a file often has.
func blank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }
