package devserver

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"strings"
)

// keptHeaders are stored with the object and returned with it.
var keptHeaders = []string{"Content-Type", "Cache-Control", "Content-Disposition", "Content-Language", "Expires"}

const (
	headerSSE       = "X-Amz-Server-Side-Encryption"
	headerKMSKey    = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"
	headerBucketKey = "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled"
	headerClass     = "X-Amz-Storage-Class"
	headerVersion   = "X-Amz-Version-Id"
	headerMarker    = "X-Amz-Delete-Marker"
)

const metaPrefix = "X-Amz-Meta-"

func metaHeader(name string) string { return http.CanonicalHeaderKey(metaPrefix + name) }

func metaName(header string) (string, bool) {
	name, ok := strings.CutPrefix(header, metaPrefix)
	return strings.ToLower(name), ok
}

// putObject stores the body as a new version, or nothing at all.
func (s *Server) putObject(c *call) error {
	h := c.r.Header
	if h.Get(headerMode) != "" {
		if err := s.permit(c, "s3:PutObjectRetention"); err != nil {
			return err
		}
	}
	if h.Get(headerHold) != "" {
		if err := s.permit(c, "s3:PutObjectLegalHold"); err != nil {
			return err
		}
	}
	p, err := readPayload(c.r)
	if err != nil {
		return err
	}
	v, err := newVersion(c.key, h, p)
	if err != nil {
		return err
	}
	if err := s.bodies.keep(v, p.data); err != nil {
		return err
	}
	if err := s.store(c, v, p.checked); err != nil {
		s.bodies.drop(v)
		return err
	}
	reply := c.w.Header()
	reply.Set("ETag", `"`+v.ETag+`"`)
	v.writeChecksums(reply)
	v.writeSSE(reply)
	setVersionID(reply, v)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// newVersion is the version that a PutObject describes, without lock and ID.
func newVersion(key string, h http.Header, p *payload) (*version, error) {
	if len(key) > 1024 {
		return nil, invalid("KeyTooLongError", "Your key is too long", "MaxSizeAllowed", "1024")
	}
	algorithm, value := p.algorithm, p.checksum
	if algorithm == "" { // S3 adds one when the client sends none
		algorithm, value = "CRC64NVME", checksum("CRC64NVME", p.data)
	}
	sum := md5.Sum(p.data)
	v := &version{
		Key: key, Size: int64(len(p.data)), ETag: hex.EncodeToString(sum[:]),
		Checksums: map[string]string{algorithm: value},
		Header:    map[string]string{},
	}
	for _, name := range keptHeaders {
		if value := h.Get(name); value != "" {
			v.Header[name] = value
		}
	}
	if encoding := withoutChunked(h.Get("Content-Encoding")); encoding != "" {
		v.Header["Content-Encoding"] = encoding
	}
	for name := range h {
		if strings.HasPrefix(name, metaPrefix) {
			v.Header[name] = h.Get(name)
		}
	}
	if class := h.Get(headerClass); class != "" && class != "STANDARD" {
		v.Header[headerClass] = class
	}
	return v, v.takeSSE(h)
}

// withoutChunked is the content encoding that is left of the object itself.
func withoutChunked(encoding string) string {
	var kept []string
	for part := range strings.SplitSeq(encoding, ",") {
		if part = strings.TrimSpace(part); part != "" && part != "aws-chunked" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ", ")
}

// takeSSE keeps the encryption asked for. Nothing is encrypted; but under KMS the
// ETag is no MD5, as on AWS.
func (v *version) takeSSE(h http.Header) error {
	switch sse := h.Get(headerSSE); sse {
	case "", "AES256":
		v.Header[headerSSE] = "AES256"
	case "aws:kms", "aws:kms:dsse":
		v.Header[headerSSE] = sse
		for _, name := range []string{headerKMSKey, headerBucketKey} {
			if value := h.Get(name); value != "" {
				v.Header[name] = value
			}
		}
		v.ETag = hex.EncodeToString([]byte(newVersionID()))[:32]
	default:
		return invalidArgument("The encryption method specified is not supported", "x-amz-server-side-encryption", sse)
	}
	return nil
}

// store checks what depends on the bucket and its present state, and adds the
// version, in one step.
func (s *Server) store(c *call, v *version, checked bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucketOf(c)
	if err != nil {
		return err
	}
	now := s.now()
	if v.Lock, err = b.putLock(c.r.Header, now); err != nil {
		return err
	}
	if !checked && v.Lock != (Lock{}) {
		return invalid("InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters")
	}
	if err := checkPutConditions(c.r.Header, b.latest(c.key)); err != nil {
		return err
	}
	v.Modified = now
	return s.add(b, v)
}

// checkPutConditions judges by the current version only, and a delete marker
// counts as absent (S3 User Guide, "Conditional writes").
func checkPutConditions(h http.Header, latest *version) error {
	exists := latest != nil && !latest.Marker
	switch match := h.Get("If-None-Match"); {
	case match != "" && match != "*":
		return notImplemented("If-None-Match")
	case match == "*" && exists:
		return errPrecondition("If-None-Match")
	}
	match := h.Get("If-Match")
	switch {
	case match == "":
		return nil
	case !exists:
		return notFound("NoSuchKey", "The specified key does not exist.")
	case !matchesETag(match, latest.ETag):
		return errPrecondition("If-Match")
	}
	return nil
}

// add makes the version the latest of its key. Without versioning it takes the
// place of the one called null.
func (s *Server) add(b *bucket, v *version) error {
	if b.Versioning == versioningEnabled {
		v.ID = newVersionID()
	} else {
		v.ID = nullVersion
		if old := b.version(v.Key, nullVersion); old != nil {
			if err := old.Lock.checkDelete(s.now(), false); err != nil {
				return err
			}
			if err := s.commit(record{Remove: &removal{b.Name, v.Key, nullVersion}}); err != nil {
				return err
			}
		}
	}
	return s.commit(record{Version: &versionRecord{Bucket: b.Name, Version: v}})
}

// bucketOf is the bucket of the call. The caller holds s.mu.
func (s *Server) bucketOf(c *call) (*bucket, error) {
	if b := s.buckets[c.bucket]; b != nil {
		return b, nil
	}
	return nil, notFound("NoSuchBucket", "The specified bucket does not exist", "BucketName", c.bucket)
}

func (v *version) writeChecksums(h http.Header) {
	for algorithm, value := range v.Checksums {
		h.Set(checksumHeader(algorithm), value)
		h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
}

func (v *version) writeSSE(h http.Header) {
	for _, name := range []string{headerSSE, headerKMSKey, headerBucketKey} {
		if value := v.Header[name]; value != "" {
			h.Set(name, value)
		}
	}
}

// setVersionID names the version, which a bucket that never had versioning does
// not do.
func setVersionID(h http.Header, v *version) {
	if v.ID != nullVersion {
		h.Set(headerVersion, v.ID)
	}
}
