package devserver

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxBody is the most bytes of one request body.
const maxBody = 1 << 30

// payload is a request body, checked against everything the client said of it.
type payload struct {
	data      []byte
	algorithm string // of the x-amz-checksum-* sent, or ""
	checksum  string // its value, verified
	checked   bool   // Content-MD5 or x-amz-checksum-* came with it
}

// readPayload reads and checks the body. A body that ends early, or that differs
// from a digest, is an error, so that nothing takes effect.
func readPayload(r *http.Request) (*payload, error) {
	if r.ContentLength < 0 {
		return nil, &apiError{Status: http.StatusLengthRequired, Code: "MissingContentLength", Message: "You must provide the Content-Length HTTP header."}
	}
	if r.ContentLength > maxBody {
		return nil, invalid("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", "MaxSizeAllowed", strconv.Itoa(maxBody))
	}
	data := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, data); err != nil {
		return nil, errIncomplete()
	}
	sent := r.Header.Clone()
	hash := sent.Get("X-Amz-Content-Sha256")
	if strings.HasPrefix(hash, "STREAMING-") {
		var err error
		if data, err = decodeChunked(data, sent); err != nil {
			return nil, err
		}
	} else if err := verifyContentHash(hash, data); err != nil {
		return nil, err
	}
	hasMD5, err := verifyMD5(sent, data)
	if err != nil {
		return nil, err
	}
	algorithm, err := verifyChecksum(sent, data)
	if err != nil {
		return nil, err
	}
	p := &payload{data: data, algorithm: algorithm, checked: hasMD5 || algorithm != ""}
	if algorithm != "" {
		p.checksum = sent.Get(checksumHeader(algorithm))
	}
	return p, nil
}

func errIncomplete() *apiError {
	return invalid("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
}

// verifyContentHash checks the hash that a SigV4 signature covers. It is not a
// checksum in the sense of Object Lock.
func verifyContentHash(given string, data []byte) error {
	if given == "" || given == "UNSIGNED-PAYLOAD" {
		return nil
	}
	sum := sha256.Sum256(data)
	if want := hex.EncodeToString(sum[:]); given != want {
		return invalid("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.",
			"ClientComputedContentSHA256", given, "S3ComputedContentSHA256", want)
	}
	return nil
}

// decodeChunked takes the aws-chunked framing off ("Signature calculations:
// transferring payload in multiple chunks" in the S3 API reference) and adds
// trailers that were announced to the header. Chunk signatures are not verified.
func decodeChunked(framed []byte, h http.Header) ([]byte, error) {
	length, err := strconv.Atoi(h.Get("X-Amz-Decoded-Content-Length"))
	if err != nil || length < 0 {
		return nil, &apiError{Status: http.StatusLengthRequired, Code: "MissingContentLength", Message: "You must provide the x-amz-decoded-content-length HTTP header."}
	}
	in := bufio.NewReader(bytes.NewReader(framed))
	data := make([]byte, 0, min(length, len(framed)))
	for {
		chunk, err := readChunk(in)
		if err != nil {
			return nil, err
		}
		if len(chunk) == 0 {
			break
		}
		data = append(data, chunk...)
	}
	if len(data) != length {
		return nil, errIncomplete()
	}
	return data, readTrailers(in, h)
}

// readChunk reads one chunk with its line; the last one is empty.
func readChunk(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, errIncomplete()
	}
	digits, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ";")
	size, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || size > maxBody {
		return nil, invalid("InvalidRequest", "The chunk framing of the body is invalid.")
	}
	if size == 0 {
		return nil, nil
	}
	chunk := make([]byte, size+2) // with the CRLF behind it
	if _, err := io.ReadFull(in, chunk); err != nil {
		return nil, errIncomplete()
	}
	return chunk[:size], nil
}

// readTrailers adds the trailers to the header. Those announced must come, and
// no others.
func readTrailers(in *bufio.Reader, h http.Header) error {
	announced := map[string]bool{}
	for name := range strings.SplitSeq(h.Get("X-Amz-Trailer"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			announced[http.CanonicalHeaderKey(name)] = true
		}
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return errIncomplete()
		}
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		if ok && name != "X-Amz-Trailer-Signature" {
			if !announced[name] {
				return invalid("MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
			}
			delete(announced, name)
			h.Set(name, strings.TrimSpace(value))
		}
		if err != nil {
			break
		}
	}
	if len(announced) > 0 {
		return invalid("MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
	}
	return nil
}
