package devserver

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
)

// crc64NVME is the polynomial of CRC-64/NVME, reversed, which S3 uses when a
// client sends no checksum.
var crc64NVME = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// checksums are the algorithms of x-amz-checksum-* that are computed here.
var checksums = map[string]func() hash.Hash{
	"CRC32":     func() hash.Hash { return crc32.NewIEEE() },
	"CRC32C":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"CRC64NVME": func() hash.Hash { return crc64.New(crc64NVME) },
	"SHA1":      sha1.New,
	"SHA256":    sha256.New,
	"SHA512":    sha512.New,
	"MD5":       md5.New,
}

func checksumHeader(algorithm string) string {
	return http.CanonicalHeaderKey("x-amz-checksum-" + strings.ToLower(algorithm))
}

func checksum(algorithm string, data []byte) string {
	h := checksums[algorithm]()
	h.Write(data)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// verifyChecksum checks the one x-amz-checksum-* header or trailer there may be,
// and returns its algorithm, or "" if there is none.
func verifyChecksum(h http.Header, data []byte) (algorithm string, err error) {
	for name := range h {
		rest, ok := strings.CutPrefix(name, "X-Amz-Checksum-")
		if !ok || rest == "Algorithm" || rest == "Type" || rest == "Mode" {
			continue
		}
		if algorithm != "" {
			return "", invalid("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		algorithm = strings.ToUpper(rest)
	}
	if algorithm == "" {
		if h.Get("X-Amz-Sdk-Checksum-Algorithm") != "" {
			return "", invalid("InvalidRequest", "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
		}
		return "", nil
	}
	if checksums[algorithm] == nil {
		return "", notImplemented("x-amz-checksum-" + strings.ToLower(algorithm))
	}
	given, want := h.Get(checksumHeader(algorithm)), checksum(algorithm, data)
	if raw, err := base64.StdEncoding.DecodeString(given); err != nil || len(raw) != checksums[algorithm]().Size() {
		return "", invalid("InvalidRequest", "Value for x-amz-checksum-"+strings.ToLower(algorithm)+" header is invalid.")
	}
	if given != want {
		return "", invalid("BadDigest", "The "+algorithm+" you specified did not match the calculated checksum.")
	}
	return algorithm, nil
}

// verifyMD5 checks Content-MD5 and reports whether it was there.
func verifyMD5(h http.Header, data []byte) (given bool, err error) {
	value := h.Get("Content-Md5")
	if value == "" {
		return false, nil
	}
	if raw, err := base64.StdEncoding.DecodeString(value); err != nil || len(raw) != md5.Size {
		return false, invalid("InvalidDigest", "The Content-MD5 you specified was invalid.", "Content-MD5", value)
	}
	if want := checksum("MD5", data); value != want {
		return false, invalid("BadDigest", "The Content-MD5 you specified did not match what we received.",
			"ExpectedDigest", value, "CalculatedDigest", want)
	}
	return true, nil
}
