package vectors

import (
	"encoding/base64"
	"strings"
)

func (s *set) segments(e *example) {
	content := e.raw
	valid := func(name, description, bytes, raw string) {
		s.add("segment", name, Vector{Description: description, InputBase64: []byte(bytes), RawBytes: uint64(len(raw)), RawSHA256: hexSum(raw)})
	}
	invalid := func(name, description, class, bytes string, raw int) {
		s.add("segment", name, Vector{Description: description, InputBase64: []byte(bytes), RawBytes: uint64(raw), Error: class})
	}
	size := le(uint64(len(content)), 4)
	body := stored(content) + checksum(content)
	n := len(content)
	windowed := func(descriptor string) string {
		return magic + "\x04" + descriptor + stored(content) + checksum(content)
	}

	valid("example", "the segment of the example: stored blocks, single segment", frame(content), content)
	valid("compressed", "the same lines as zstd 1.5 compresses them", compressed(), content)
	valid("windowed", "a window instead of a content size", windowed("\x00"), content)
	valid("window-8-mib", "the largest window", windowed("\x68"), content)
	valid("content-size-8-bytes", "a content size in eight bytes", magic+"\xe4"+le(uint64(n), 8)+body, content)
	valid("empty-last-block", "the last block is empty", magic+"\xa4"+size+le(uint64(n)<<3, 3)+content+"\x01\x00\x00"+checksum(content), content)
	valid("dictionary-0", "a dictionary ID of 0 says that there is none", magic+"\xa5"+"\x00"+size+body, content)

	for _, c := range []struct{ name, description, bytes string }{
		{"empty", "no bytes at all", ""},
		{"not-compressed", "the lines themselves", content},
		{"gzip", "another compression", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + content},
		{"magic-legacy", "the magic number of zstd 0.7", "\x27\xb5\x2f\xfd" + frame(content)[4:]},
		{"magic-only", "only the magic number", magic},
		{"no-checksum", "a frame without checksum", magic + "\xa0" + size + stored(content)},
		{"checksum-wrong", "a wrong checksum", frame(content)[:len(frame(content))-1] + "\x00"},
		{"content-altered", "a letter of the content is another one", replace(frame(content), "approved", "approvef")},
		{"dictionary", "a dictionary ID", magic + "\xa5" + "\x07" + size + body},
		{"reserved-bit", "the reserved bit of the frame header", magic + "\xac" + size + body},
		{"window-over-8-mib", "a window of 9 MiB", windowed("\x69")},
		{"window-16-mib", "a window of 16 MiB", windowed("\x70")},
		{"single-segment-over-8-mib", "a content size, and so a window, over 8 MiB", magic + "\xa4" + le(8<<20+1, 4) + zeros(8<<20+1) + checksum(strings.Repeat("\x00", 8<<20+1))},
		{"block-type-reserved", "a block of the reserved type", magic + "\xa4" + size + le(1|3<<1|uint64(n)<<3, 3) + content + checksum(content)},
		{"no-last-block", "no block is the last one", magic + "\xa4" + size + le(uint64(n)<<3, 3) + content + checksum(content)},
		{"content-size-larger", "the frame says that it holds a byte more", magic + "\xa4" + le(uint64(n)+1, 4) + body},
		{"content-size-smaller", "the frame says that it holds a byte less", magic + "\xa4" + le(uint64(n)-1, 4) + body},
		{"skippable-before", "a skippable frame in front", "\x50\x2a\x4d\x18" + le(4, 4) + "note" + frame(content)},
		{"skippable-after", "a skippable frame behind", frame(content) + "\x5f\x2a\x4d\x18" + le(4, 4) + "note"},
		{"skippable-only", "nothing but a skippable frame", "\x50\x2a\x4d\x18" + le(4, 4) + "note"},
		{"second-frame", "the lines in two frames", frame(e.lines[0]+"\n") + frame(e.lines[1]+"\n"+e.lines[2]+"\n")},
		{"second-frame-empty", "an empty frame behind", frame(content) + magic + "\x24\x00\x01\x00\x00" + checksum("")},
		{"trailing-byte", "a byte behind the frame", frame(content) + "\x00"},
		{"trailing-newline", "a newline behind the frame", frame(content) + "\n"},
		{"leading-newline", "a newline in front of the frame", "\n" + frame(content)},
		{"truncated-checksum", "the checksum's last byte is missing", frame(content)[:len(frame(content))-1]},
		{"truncated-block", "the end is missing", frame(content)[:len(frame(content))/2]},
		{"truncated-block-header", "it ends in a block header", frame(content)[:11]},
		{"truncated-header", "it ends in the frame header", frame(content)[:6]},
	} {
		invalid(c.name, c.description, badFrame, c.bytes, n)
	}
	s.segmentsBombs(invalid)
	for _, c := range []struct{ name, description, content string }{
		{"lines-no-last-newline", "no newline ends the last line", strings.TrimSuffix(content, "\n")},
		{"lines-carriage-return", "the lines end in CR LF", strings.ReplaceAll(content, "\n", "\r\n")},
		{"lines-empty-line", "an empty line", e.lines[0] + "\n\n" + e.lines[1] + "\n"},
		{"lines-empty-line-last", "an empty line at the end", content + "\n"},
		{"lines-byte-order-mark", "a byte order mark", "\ufeff" + content},
		{"lines-space", "a space behind a line", e.lines[0] + " \n"},
		{"lines-not-entries", "a line of other JSON", content + "{}\n"},
	} {
		invalid(c.name, c.description, malformed, frame(c.content), len(c.content))
	}
	invalid("raw-bytes-more", "the manifest says a byte more", hashMismatch, frame(content), n+1)
	invalid("raw-bytes-less", "the manifest says a byte less", badFrame, frame(content), n-1)
}

func (s *set) segmentsBombs(invalid func(name, description, class, bytes string, raw int)) {
	const stated = 1 << 20
	invalid("bomb", "64 MiB of zeros, and the frame does not say so", badFrame, magic+"\x04\x58"+zeros(64<<20)+"\x00\x00\x00\x00", stated)
	invalid("bomb-sized", "7 MiB of zeros, and the frame says so", badFrame, magic+"\xa4"+le(7<<20, 4)+zeros(7<<20)+"\x00\x00\x00\x00", stated)
	invalid("bomb-understated", "7 MiB of zeros, and the frame says 1 MiB", badFrame, magic+"\xa4"+le(stated, 4)+zeros(7<<20)+"\x00\x00\x00\x00", stated)
	invalid("content-size-huge", "a frame that says 2^64-1 bytes", badFrame, magic+"\xc4\x58"+strings.Repeat("\xff", 8)+zeros(1)+"\x00\x00\x00\x00", stated)
}

// compressed is what zstd -19 --check made of the example's lines, once.
func compressed() string {
	b, err := base64.StdEncoding.DecodeString(compressedExample)
	if err != nil {
		panic(err)
	}
	return string(b)
}

const compressedExample = "KLUv/QRoZQ8ARt1jKjCzDsAIC4MuDAxUvDunyTy7/bTlNtv9//////c+mqaJldrKVwSGQhioAlYAVABZAOnmrNv+a/yXdTt/7Q0h6kqhQBVdW+" +
	"9UdL2Xi8zGsRAvl8Q66VylxkJOXGeL0wj5/vicXbm7l9D2tf/wzqfWZ7jNs8QfNkHscTrMX8dF78c30dHLUf8KGuzz5raqiZfsSjU5S2XXdRP4" +
	"+n4IGI+fHsGc0XrLefs01mu63ZanqPva5wx2G8tNVn0Nj+/iZkdf+4UiQSIOYgh+XsfpjLH+Kp0OJRkT2vTd648fBcyCo3p66ePQRuM1I2hF47" +
	"UWqgKH1K2TJm0NXAAYDPYix3gVOnfpqv21590km2ECggCPzWQzlsE1ThRxB3aeFsUMYiyW5X4NewSd+0pN9zbB7cDbXW6Xpx8AGOwNHefTH40C" +
	"JJ/K1KRj/vjdx9tNGpm8XZ2c1TokMSzIS3pwChLl0swVH6PN+1F2Cronsni6nPAmxbp0zVJFqdSqa3jTMO541jAhg7wD/nzC3ErICtqhQE4BIy" +
	"BwggmMVXkiZDYEwGjR+Qphg6O6UCrNjWQ3ZPsOOHFSl2RI5tOF7h0QLZ+pU/rbBPemuNaIoRmgG5wNRkC2AZ0N+SR0VuHk3oGzV8SCYUMLCldJ" +
	"04BYIIQBA6uQqQ=="
