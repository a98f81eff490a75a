package devserver_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/wormlog/wormlog/archive/devserver"
)

const content = "123456789"

func base64Of(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

func sha256Of(body string) string {
	sum := sha256.Sum256([]byte(body))
	return base64Of(sum[:])
}

func md5Of(body string) string {
	sum := md5.Sum([]byte(body))
	return base64Of(sum[:])
}

func TestPutLockHeaders(t *testing.T) {
	mode, date, hold := "X-Amz-Object-Lock-Mode", "X-Amz-Object-Lock-Retain-Until-Date", "X-Amz-Object-Lock-Legal-Hold"
	future := "2027-01-01T00:00:00Z"
	tests := []struct {
		name    string
		header  map[string]string
		code    string
		message string
	}{
		{"mode without date", map[string]string{mode: "COMPLIANCE"}, "InvalidArgument", "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"},
		{"date without mode", map[string]string{date: future}, "InvalidArgument", "must both be supplied"},
		{"date in the past", map[string]string{mode: "COMPLIANCE", date: "2026-01-01T00:00:00Z"}, "InvalidArgument", "The retain until date must be in the future!"},
		{"date that is now", map[string]string{mode: "COMPLIANCE", date: "2026-11-22T17:26:00Z"}, "InvalidArgument", "The retain until date must be in the future!"},
		{"no date", map[string]string{mode: "COMPLIANCE", date: "tomorrow"}, "InvalidArgument", "ISO 8601"},
		{"mode in lower case", map[string]string{mode: "compliance", date: future}, "InvalidArgument", "Unknown wormMode directive."},
		{"hold in lower case", map[string]string{hold: "on"}, "InvalidArgument", "Legal Hold must be either of"},
		{"event hold", map[string]string{"X-Amz-Object-Lock-Event-Hold": "ON"}, "NotImplemented", "event-hold"},
		{"pair", map[string]string{mode: "GOVERNANCE", date: future}, "", ""},
		{"hold alone", map[string]string{hold: "ON"}, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, devserver.Config{})
			test.header["Content-MD5"] = md5Of(content)
			reply, body := send(t, f.url, "PUT", "/audit/k", test.header, []byte(content))
			if test.code == "" {
				if reply.StatusCode != 200 {
					t.Fatal(reply.Status, body)
				}
				return
			}
			if !strings.Contains(body, "<Code>"+test.code+"</Code>") || !strings.Contains(strings.ReplaceAll(body, "&#39;", "'"), test.message) {
				t.Fatalf("%s: %s", reply.Status, body)
			}
			if _, err := f.head(t, "k", ""); err == nil {
				t.Fatal("it was stored all the same")
			}
		})
	}
}

func TestPutChecksums(t *testing.T) {
	crc32Of := func(table *crc32.Table) string {
		sum := crc32.Checksum([]byte(content), table)
		return base64Of([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	}
	tests := []struct {
		name   string
		header map[string]string
		status int
		code   string
		stored string // the checksum header that HEAD then shows
	}{
		{"right MD5", map[string]string{"Content-MD5": md5Of(content)}, 200, "", "X-Amz-Checksum-Crc64nvme"},
		{"wrong MD5", map[string]string{"Content-MD5": md5Of("other")}, 400, "BadDigest", ""},
		{"no MD5 at all", map[string]string{"Content-MD5": "x"}, 400, "InvalidDigest", ""},
		{"right SHA-256", map[string]string{"X-Amz-Checksum-Sha256": sha256Of(content)}, 200, "", "X-Amz-Checksum-Sha256"},
		{"wrong SHA-256", map[string]string{"X-Amz-Checksum-Sha256": sha256Of("other")}, 400, "BadDigest", ""},
		{"no SHA-256 at all", map[string]string{"X-Amz-Checksum-Sha256": "AAAA"}, 400, "InvalidRequest", ""},
		{"right CRC32", map[string]string{"X-Amz-Checksum-Crc32": crc32Of(crc32.IEEETable)}, 200, "", "X-Amz-Checksum-Crc32"},
		{"right CRC32C", map[string]string{"X-Amz-Checksum-Crc32c": crc32Of(crc32.MakeTable(crc32.Castagnoli))}, 200, "", "X-Amz-Checksum-Crc32c"},
		{"CRC64NVME of the catalogue", map[string]string{"X-Amz-Checksum-Crc64nvme": base64Of([]byte{0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88})}, 200, "", "X-Amz-Checksum-Crc64nvme"},
		{"another CRC64", map[string]string{"X-Amz-Checksum-Crc64nvme": base64Of(crc64.New(crc64.MakeTable(crc64.ECMA)).Sum(nil))}, 400, "BadDigest", ""},
		{"two algorithms", map[string]string{"X-Amz-Checksum-Sha256": sha256Of(content), "X-Amz-Checksum-Crc32": crc32Of(crc32.IEEETable)}, 400, "InvalidRequest", ""},
		{"unknown algorithm", map[string]string{"X-Amz-Checksum-Xxhash64": "AAAA"}, 501, "NotImplemented", ""},
		{"algorithm without value", map[string]string{"X-Amz-Sdk-Checksum-Algorithm": "SHA256"}, 400, "InvalidRequest", ""},
		{"wrong payload hash", map[string]string{"X-Amz-Content-Sha256": strings.Repeat("0", 64)}, 400, "XAmzContentSHA256Mismatch", ""},
		{"none", nil, 200, "", "X-Amz-Checksum-Crc64nvme"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, devserver.Config{})
			reply, body := send(t, f.url, "PUT", "/audit/k", test.header, []byte(content))
			if test.code != "" {
				refused(t, reply, body, test.status, test.code)
				if _, err := f.head(t, "k", ""); err == nil {
					t.Fatal("it was stored all the same")
				}
				return
			}
			head, _ := send(t, f.url, "HEAD", "/audit/k", map[string]string{"X-Amz-Checksum-Mode": "ENABLED"}, nil)
			if reply.StatusCode != 200 || head.Header.Get(test.stored) == "" || head.Header.Get(test.stored) != reply.Header.Get(test.stored) {
				t.Fatalf("%s %s\n%v", reply.Status, body, head.Header)
			}
			if plain, _ := send(t, f.url, "HEAD", "/audit/k", nil, nil); plain.Header.Get(test.stored) != "" {
				t.Fatal("the checksum is shown to those who did not ask")
			}
		})
	}
}

func TestLockedPutNeedsChecksum(t *testing.T) {
	lock := map[string]string{"X-Amz-Object-Lock-Mode": "COMPLIANCE", "X-Amz-Object-Lock-Retain-Until-Date": "2027-01-01T00:00:00Z"}
	sum := sha256.Sum256([]byte(content))
	payloadHash := map[string]string{"X-Amz-Content-Sha256": fmt.Sprintf("%x", sum)}
	tests := []struct {
		name    string
		header  map[string]string
		byRule  bool // the bucket's default retention locks it
		refused bool
	}{
		{"retention", lock, false, true},
		{"retention, payload hash only", payloadHash, true, true},
		{"hold", map[string]string{"X-Amz-Object-Lock-Legal-Hold": "ON"}, false, true},
		{"bucket default", nil, true, true},
		{"bucket default with MD5", map[string]string{"Content-MD5": md5Of(content)}, true, false},
		{"bucket default with checksum", map[string]string{"X-Amz-Checksum-Sha256": sha256Of(content)}, true, false},
		{"no lock", nil, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, devserver.Config{})
			if test.byRule {
				f.setDefault(t, &types.DefaultRetention{Mode: toComply, Days: aws.Int32(1)})
			}
			reply, body := send(t, f.url, "PUT", "/audit/k", test.header, []byte(content))
			if !test.refused && reply.StatusCode != 200 {
				t.Fatal(reply.Status, body)
			}
			if test.refused {
				refused(t, reply, body, 400, "InvalidRequest")
				if !strings.Contains(body, "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters") {
					t.Fatal(body)
				}
			}
		})
	}
}

// setDefault sets the bucket's default retention; nil removes it.
func (f *fixture) setDefault(t *testing.T, rule *types.DefaultRetention) {
	t.Helper()
	config := &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled}
	if rule != nil {
		config.Rule = &types.ObjectLockRule{DefaultRetention: rule}
	}
	_, err := f.s3.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{Bucket: aws.String(bucket), ObjectLockConfiguration: config})
	failsWith(t, err, 0, "")
}

func TestDefaultRetention(t *testing.T) {
	f := serve(t, devserver.Config{})
	before := f.mustPut(t, "before")
	f.setDefault(t, &types.DefaultRetention{Mode: toComply, Years: aws.Int32(7)})
	stamped, shorter := f.mustPut(t, "stamped"), f.mustPut(t, "shorter", locked(governance, 1))
	f.setDefault(t, nil)
	after := f.mustPut(t, "after")
	if got := f.mustHead(t, "stamped", stamped); got.ObjectLockMode != compliance || !got.ObjectLockRetainUntilDate.Equal(*at(2555)) {
		t.Errorf("stamped: %s until %v", got.ObjectLockMode, got.ObjectLockRetainUntilDate)
	}
	if got := f.mustHead(t, "shorter", shorter); got.ObjectLockMode != governance || !got.ObjectLockRetainUntilDate.Equal(*at(1)) {
		t.Errorf("the default is no floor, yet: %s until %v", got.ObjectLockMode, got.ObjectLockRetainUntilDate)
	}
	for key, v := range map[string]string{"before": before, "after": after} {
		if got := f.mustHead(t, key, v); got.ObjectLockMode != "" {
			t.Errorf("%s: %s", key, got.ObjectLockMode)
		}
	}
}

func TestCreateOnly(t *testing.T) {
	f := serve(t, devserver.Config{})
	first := f.mustPut(t, "k", locked(compliance, 1), createOnly)
	_, err := f.put(t, "k", locked(compliance, 1), createOnly)
	failsWith(t, err, 412, "PreconditionFailed")
	_, err = f.remove(t, "k", "", false)
	failsWith(t, err, 0, "")
	second := f.mustPut(t, "k", locked(compliance, 1), createOnly) // a marker counts as absent
	if first == second {
		t.Fatal("one version ID twice")
	}
	third := f.mustPut(t, "k") // without the condition it stacks
	if got := f.mustHead(t, "k", ""); *got.VersionId != third {
		t.Fatalf("latest %s, want %s", *got.VersionId, third)
	}
	f.mustHead(t, "k", first)
}

func TestIfMatch(t *testing.T) {
	f := serve(t, devserver.Config{})
	match := func(etag string) func(*s3.PutObjectInput) {
		return func(in *s3.PutObjectInput) { in.IfMatch = &etag }
	}
	_, err := f.put(t, "k", match("*"))
	failsWith(t, err, 404, "NoSuchKey")
	out, err := f.put(t, "k")
	failsWith(t, err, 0, "")
	_, err = f.put(t, "k", match(`"0"`))
	failsWith(t, err, 412, "PreconditionFailed")
	_, err = f.put(t, "k", match(*out.ETag))
	failsWith(t, err, 0, "")
	_, err = f.put(t, "k", func(in *s3.PutObjectInput) { in.IfNoneMatch = out.ETag })
	failsWith(t, err, 501, "NotImplemented")
}

// chunked is the aws-chunked form of the body, in chunks of 4 bytes.
func chunked(body, trailer string) []byte {
	var b strings.Builder
	for len(body) > 0 {
		n := min(4, len(body))
		fmt.Fprintf(&b, "%x;chunk-signature=0\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return []byte(b.String() + "0;chunk-signature=0\r\n" + trailer + "\r\n")
}

func TestChunkedBody(t *testing.T) {
	right := "x-amz-checksum-sha256:" + sha256Of(content) + "\r\n"
	tests := []struct {
		name    string
		trailer string // announced
		body    []byte
		length  string
		status  int
		code    string
	}{
		{"trailer", "x-amz-checksum-sha256", chunked(content, right), "9", 200, ""},
		{"signed trailer", "x-amz-checksum-sha256", chunked(content, right+"x-amz-trailer-signature:0\r\n"), "9", 200, ""},
		{"no trailer", "", chunked(content, ""), "9", 400, "InvalidRequest"}, // no checksum, and it is locked
		{"wrong trailer", "x-amz-checksum-sha256", chunked(content, "x-amz-checksum-sha256:"+sha256Of("x")+"\r\n"), "9", 400, "BadDigest"},
		{"trailer missing", "x-amz-checksum-sha256", chunked(content, ""), "9", 400, "MalformedTrailerError"},
		{"trailer not announced", "", chunked(content, right), "9", 400, "MalformedTrailerError"},
		{"another length", "x-amz-checksum-sha256", chunked(content, right), "8", 400, "IncompleteBody"},
		{"no length", "x-amz-checksum-sha256", chunked(content, right), "", 411, "MissingContentLength"},
		{"cut", "x-amz-checksum-sha256", chunked(content, right)[:30], "9", 400, "IncompleteBody"},
		{"no framing", "x-amz-checksum-sha256", []byte(content + "\r\n"), "9", 400, "InvalidRequest"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, devserver.Config{})
			header := map[string]string{"X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "Content-Encoding": "aws-chunked",
				"X-Amz-Object-Lock-Legal-Hold": "ON"}
			if test.trailer != "" {
				header["X-Amz-Trailer"] = test.trailer
			}
			if test.length != "" {
				header["X-Amz-Decoded-Content-Length"] = test.length
			}
			reply, body := send(t, f.url, "PUT", "/audit/k", header, test.body)
			if test.code != "" {
				refused(t, reply, body, test.status, test.code)
				return
			}
			got, stored := send(t, f.url, "GET", "/audit/k", nil, nil)
			if reply.StatusCode != 200 || stored != content || got.Header.Get("Content-Encoding") != "" {
				t.Fatalf("%s %s; stored %q %v", reply.Status, body, stored, got.Header)
			}
		})
	}
}

// What is not known is 501 and changes nothing: it is never a plain object.
func TestUnknownIsNotImplemented(t *testing.T) {
	tests := []struct{ method, path, header string }{
		{"PUT", "/audit/k?tagging", ""}, {"GET", "/audit/k?tagging", ""}, {"DELETE", "/audit/k?tagging", ""},
		{"PUT", "/audit/k?acl", ""}, {"GET", "/audit/k?acl", ""}, {"GET", "/audit/k?torrent", ""}, {"GET", "/audit/k?attributes", ""},
		{"PUT", "/audit/k?annotation=x", ""}, {"PUT", "/audit/k?encryption", ""}, {"PUT", "/audit/k?unheard-of", ""},
		{"DELETE", "/audit/k?unheard-of", ""}, {"GET", "/audit/k?partNumber=1", ""}, {"GET", "/audit/k?response-content-type=x", ""},
		{"POST", "/audit/k?uploads", ""}, {"PUT", "/audit/k?partNumber=1&uploadId=1", ""}, {"POST", "/audit/k?restore", ""}, {"POST", "/audit/k", ""},
		{"PUT", "/audit?tagging", ""}, {"PUT", "/audit?cors", ""}, {"GET", "/audit?acl", ""}, {"GET", "/audit?inventory", ""}, {"GET", "/audit?uploads", ""},
		{"PUT", "/audit?unheard-of", ""}, {"DELETE", "/audit?unheard-of", ""}, {"GET", "/audit", ""}, {"POST", "/audit", ""}, {"POST", "/", ""},
		{"PUT", "/audit/k", "X-Amz-Copy-Source"}, {"PUT", "/audit/k", "X-Amz-Tagging"}, {"PUT", "/audit/k", "X-Amz-Acl"},
		{"PUT", "/audit/k", "X-Amz-Write-Offset-Bytes"}, {"PUT", "/audit/k", "X-Amz-Server-Side-Encryption-Customer-Key"},
		{"PUT", "/audit/k", "X-Amz-Website-Redirect-Location"}, {"GET", "/audit/k", "X-Amz-Unheard-Of"},
	}
	f := serve(t, devserver.Config{})
	v := f.mustPut(t, "k")
	for _, test := range tests {
		t.Run(strings.TrimSpace(test.method+" "+test.path+" "+test.header), func(t *testing.T) {
			header := map[string]string{}
			if test.header != "" {
				header[test.header] = "x"
			}
			reply, body := send(t, f.url, test.method, test.path, header, []byte("<x/>"))
			refused(t, reply, body, 501, "NotImplemented")
		})
	}
	if all, err := f.Raw().Versions(bucket, ""); err != nil || len(all) != 1 || all[0].VersionID != v {
		t.Fatalf("the bucket changed: %+v, %v", all, err)
	}
}

func TestGetObject(t *testing.T) {
	f := serve(t, devserver.Config{})
	v := f.mustPut(t, "k", func(in *s3.PutObjectInput) {
		in.Body = strings.NewReader(content)
		in.Metadata = map[string]string{"Nonce": "7"}
		in.ContentType = aws.String("application/json")
		in.ServerSideEncryption = types.ServerSideEncryptionAes256
	})
	f.mustPut(t, "k")
	out, err := f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), VersionId: &v})
	failsWith(t, err, 0, "")
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	failsWith(t, err, 0, "")
	if string(body) != content || *out.VersionId != v || out.Metadata["nonce"] != "7" || *out.ContentType != "application/json" ||
		out.ServerSideEncryption != types.ServerSideEncryptionAes256 || !out.LastModified.Equal(start) {
		t.Fatalf("%q %+v", body, out)
	}
	_, err = f.head(t, "k", "nonesuch")
	failsWith(t, err, 404, "NotFound")
	reply, text := send(t, f.url, "GET", "/audit/k?versionId=nonesuch", nil, nil)
	refused(t, reply, text, 404, "NoSuchVersion")
	reply, text = send(t, f.url, "GET", "/audit/k?versionId=", nil, nil)
	refused(t, reply, text, 400, "InvalidArgument")
	reply, text = send(t, f.url, "GET", "/nonesuch/k", nil, nil)
	refused(t, reply, text, 404, "NoSuchBucket")
}

func TestRange(t *testing.T) {
	f := serve(t, devserver.Config{})
	f.mustPut(t, "k", func(in *s3.PutObjectInput) { in.Body = strings.NewReader(content) })
	tests := []struct {
		header string
		status int
		body   string
		part   string
	}{
		{"bytes=0-3", 206, "1234", "bytes 0-3/9"},
		{"bytes=7-", 206, "89", "bytes 7-8/9"},
		{"bytes=-2", 206, "89", "bytes 7-8/9"},
		{"bytes=-20", 206, content, "bytes 0-8/9"},
		{"bytes=4-99", 206, "56789", "bytes 4-8/9"},
		{"bytes=9-", 416, "", "bytes */9"},
		{"bytes=-0", 416, "", "bytes */9"},
		{"bytes=3-1", 200, content, ""},
		{"bytes=0-1,3-4", 200, content, ""},
		{"lines=0-1", 200, content, ""},
	}
	for _, test := range tests {
		t.Run(test.header, func(t *testing.T) {
			reply, body := send(t, f.url, "GET", "/audit/k", map[string]string{"Range": test.header}, nil)
			if reply.StatusCode != test.status || reply.Header.Get("Content-Range") != test.part || (test.body != "" && body != test.body) {
				t.Fatalf("%s %q %q", reply.Status, reply.Header.Get("Content-Range"), body)
			}
		})
	}
}

func TestDeleteMarkerReplies(t *testing.T) {
	f := serve(t, devserver.Config{})
	f.mustPut(t, "k")
	marker, err := f.remove(t, "k", "", false)
	failsWith(t, err, 0, "")
	reply, body := send(t, f.url, "GET", "/audit/k", nil, nil)
	refused(t, reply, body, 404, "NoSuchKey")
	if reply.Header.Get("X-Amz-Delete-Marker") != "true" || reply.Header.Get("X-Amz-Version-Id") != *marker.VersionId {
		t.Fatal(reply.Header)
	}
	reply, body = send(t, f.url, "GET", "/audit/k?versionId="+*marker.VersionId, nil, nil)
	refused(t, reply, body, 405, "MethodNotAllowed")
	if reply.Header.Get("X-Amz-Delete-Marker") != "true" || reply.Header.Get("Last-Modified") == "" {
		t.Fatal(reply.Header)
	}
	reply, _ = send(t, f.url, "HEAD", "/audit/k?versionId="+*marker.VersionId, nil, nil)
	if reply.StatusCode != 405 {
		t.Fatal(reply.Status)
	}
	reply, body = send(t, f.url, "GET", "/audit/never", nil, nil)
	refused(t, reply, body, 404, "NoSuchKey")
	if reply.Header.Get("X-Amz-Delete-Marker") != "" {
		t.Fatal(reply.Header)
	}
}

func TestEveryReplyIsDatedAndNumbered(t *testing.T) {
	f := serve(t, devserver.Config{})
	for _, path := range []string{"/", "/audit?list-type=2", "/audit/absent", "/audit/k?unheard-of"} {
		reply, _ := send(t, f.url, "GET", path, nil, nil)
		if reply.Header.Get("Date") != "Sun, 22 Nov 2026 17:26:00 GMT" || len(reply.Header.Get("X-Amz-Request-Id")) != 16 {
			t.Errorf("%s: %v", path, reply.Header)
		}
	}
}
