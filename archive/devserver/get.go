package devserver

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func (s *Server) getObject(c *call) error  { return s.readObject(c, true) }
func (s *Server) headObject(c *call) error { return s.readObject(c, false) }

// readObject answers GET and HEAD of an object or one of its versions.
func (s *Server) readObject(c *call, withBody bool) error {
	action := "s3:GetObject"
	if c.query.Has("versionId") {
		action = "s3:GetObjectVersion"
	}
	if err := s.permit(c, action); err != nil {
		return err
	}
	v, body, err := s.openObject(c)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := checkGetConditions(c.r.Header, v); err != nil {
		return err
	}
	start, length, ranged, err := parseRange(c.r.Header.Get("Range"), v.Size)
	if err != nil {
		return err
	}
	h := c.w.Header()
	s.describe(c, v)
	if !ranged && strings.EqualFold(c.r.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") {
		v.writeChecksums(h)
	}
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	status := http.StatusOK
	if ranged {
		status = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, start+length-1, v.Size))
	}
	c.w.WriteHeader(status)
	if withBody {
		io.Copy(c.w, io.NewSectionReader(body, start, length)) // a short copy breaks the connection, which the client sees
	}
	return nil
}

// describe writes the headers that tell about the version. The lock is shown to
// those only who may read it.
func (s *Server) describe(c *call, v *version) {
	h := c.w.Header()
	for name, value := range v.Header {
		if _, isMeta := metaName(name); isMeta {
			h[strings.ToLower(name)] = []string{value} // as S3 sends them, for clients that look at case
			continue
		}
		h.Set(name, value)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "binary/octet-stream")
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("ETag", `"`+v.ETag+`"`)
	h.Set("Last-Modified", v.Modified.Format(http.TimeFormat))
	setVersionID(h, v)
	if v.Lock.Mode != "" && s.can(c, "s3:GetObjectRetention") {
		h.Set(headerMode, v.Lock.Mode)
		h.Set(headerUntil, lockDate(v.Lock.RetainUntil))
	}
	if v.Lock.LegalHold != "" && s.can(c, "s3:GetObjectLegalHold") {
		h.Set(headerHold, v.Lock.LegalHold)
	}
}

// openObject finds the version and opens its body, which then stays readable
// whatever happens to the version.
func (s *Server) openObject(c *call) (*version, body, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.find(c)
	if err != nil {
		return nil, nil, err
	}
	body, err := s.bodies.open(v)
	return v, body, err
}

// find is the version that the call is about, not a marker. The caller holds
// s.mu.
func (s *Server) find(c *call) (*version, error) {
	b, err := s.bucketOf(c)
	if err != nil {
		return nil, err
	}
	if c.query.Has("versionId") {
		return s.findVersion(c, b)
	}
	v := b.latest(c.key)
	if v == nil || v.Marker {
		return nil, s.errNoKey(c, v)
	}
	return v, nil
}

// findVersion is find for a version that is named.
func (s *Server) findVersion(c *call, b *bucket) (*version, error) {
	id := c.query.Get("versionId")
	if id == "" {
		return nil, invalidArgument("Version id cannot be the empty string", "versionId", "")
	}
	v := b.version(c.key, id)
	switch {
	case v == nil && !s.can(c, "s3:ListBucket"):
		return nil, s.permit(c, "s3:ListBucket")
	case v == nil:
		return nil, notFound("NoSuchVersion", "The specified version does not exist.", "Key", c.key, "VersionId", id)
	case v.Marker:
		return nil, &apiError{Status: http.StatusMethodNotAllowed, Code: "MethodNotAllowed",
			Message: "The specified method is not allowed against this resource.",
			Details: []string{"Method", c.r.Method, "ResourceType", "DeleteMarker"},
			Header: map[string]string{headerMarker: "true", headerVersion: v.ID, "Allow": "DELETE",
				"Last-Modified": v.Modified.Format(http.TimeFormat)}}
	}
	return v, nil
}

// errNoKey is the answer where there is no object, or a marker on top; without
// s3:ListBucket AWS does not tell that it is absent.
func (s *Server) errNoKey(c *call, marker *version) error {
	if err := s.permit(c, "s3:ListBucket"); err != nil {
		return err
	}
	e := notFound("NoSuchKey", "The specified key does not exist.", "Key", c.key)
	if marker != nil {
		e.Header = map[string]string{headerMarker: "true", headerVersion: marker.ID}
	}
	return e
}

// matchesETag reports whether the ETag is in the list of a condition.
func matchesETag(list, etag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.Trim(strings.TrimPrefix(strings.TrimSpace(one), "W/"), `"`)
		if one == "*" || one == etag {
			return true
		}
	}
	return false
}

// checkGetConditions judges the conditions of RFC 9110 section 13 in its order.
func checkGetConditions(h http.Header, v *version) error {
	since := func(name string) (time.Time, bool) {
		t, err := http.ParseTime(h.Get(name))
		return t, err == nil
	}
	if match := h.Get("If-Match"); match != "" {
		if !matchesETag(match, v.ETag) {
			return errPrecondition("If-Match")
		}
	} else if t, ok := since("If-Unmodified-Since"); ok && v.Modified.After(t) {
		return errPrecondition("If-Unmodified-Since")
	}
	unmodified := &apiError{Status: http.StatusNotModified, Code: "NotModified"}
	if match := h.Get("If-None-Match"); match != "" {
		if matchesETag(match, v.ETag) {
			return unmodified
		}
	} else if t, ok := since("If-Modified-Since"); ok && !v.Modified.After(t) {
		return unmodified
	}
	return nil
}

// parseRange reads a Range of one part. What is no such range is ignored, as
// RFC 9110 section 14.2 has it; one beyond the end is 416.
func parseRange(header string, size int64) (start, length int64, ranged bool, err error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	from, to, dash := strings.Cut(spec, "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return 0, size, false, nil
	}
	outside := &apiError{Status: http.StatusRequestedRangeNotSatisfiable, Code: "InvalidRange",
		Message: "The requested range is not satisfiable",
		Details: []string{"RangeRequested", header, "ActualObjectSize", strconv.FormatInt(size, 10)},
		Header:  map[string]string{"Content-Range": fmt.Sprintf("bytes */%d", size)}}
	first, firstErr := strconv.ParseInt(from, 10, 64)
	last, lastErr := strconv.ParseInt(to, 10, 64)
	switch {
	case from == "" && lastErr == nil: // the last so many bytes
		if last <= 0 || size == 0 {
			return 0, 0, false, outside
		}
		start = max(0, size-last)
		return start, size - start, true, nil
	case firstErr != nil || (to != "" && lastErr != nil) || (to != "" && last < first):
		return 0, size, false, nil
	case first >= size:
		return 0, 0, false, outside
	case to == "" || last >= size:
		last = size - 1
	}
	return first, last - first + 1, true, nil
}
