package devserver

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// FuzzDecodeChunked checks that no framing yields more or fewer bytes than were
// announced, or a trailer that was not.
func FuzzDecodeChunked(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"), 3, "x-amz-checksum-crc32")
	f.Add([]byte("3;chunk-signature=0\r\nabc\r\n0;chunk-signature=0\r\n\r\n"), 3, "")
	f.Add([]byte("ffffffff\r\n"), 0, "")
	f.Fuzz(func(t *testing.T, framed []byte, length int, trailer string) {
		h := http.Header{"X-Amz-Decoded-Content-Length": {strconv.Itoa(length)}, "X-Amz-Trailer": {trailer}}
		before := len(h)
		data, err := decodeChunked(framed, h)
		if err != nil {
			return
		}
		if len(data) != length {
			t.Fatalf("%d bytes, announced %d", len(data), length)
		}
		if len(h) > before+strings.Count(trailer, ",")+1 {
			t.Fatalf("trailers %v, announced %q", h, trailer)
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-3", "bytes=-2", "bytes=5-", "bytes=9-1", "bytes=-", "x"} {
		f.Add(seed, int64(9))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		start, length, ranged, err := parseRange(header, size)
		if err == nil && (start < 0 || length < 0 || start+length > size || (ranged && length == 0)) {
			t.Fatalf("%d bytes from %d of %d", length, start, size)
		}
	})
}
