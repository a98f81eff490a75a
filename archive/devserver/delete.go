package devserver

import (
	"encoding/xml"
	"net/http"
	"strings"
)

// deleteObject puts a marker on the key, or removes the version named for good
// if no lock protects it.
func (s *Server) deleteObject(c *call) error {
	if c.r.Header.Get("If-Match") != "" {
		return notImplemented("If-Match")
	}
	id := c.query.Get("versionId")
	if c.query.Has("versionId") && id == "" {
		return invalidArgument("Version id cannot be the empty string", "versionId", "")
	}
	done, err := s.deleteOne(c, id)
	if err != nil {
		return err
	}
	h := c.w.Header()
	if done.marker {
		h.Set(headerMarker, "true")
	}
	if done.versionID != "" {
		h.Set(headerVersion, done.versionID)
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// deletion is what became of one key.
type deletion struct {
	marker    bool   // a marker was made, or the version removed was one
	versionID string // of the marker made or the version removed; "" without versioning
}

// deleteOne deletes c.key, or its version id if that is not empty.
func (s *Server) deleteOne(c *call, id string) (deletion, error) {
	action := "s3:DeleteObject"
	if id != "" {
		action = "s3:DeleteObjectVersion"
	}
	if err := s.permit(c, action); err != nil {
		return deletion{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucketOf(c)
	if err != nil {
		return deletion{}, err
	}
	bypass, err := s.bypass(c, b)
	if err != nil {
		return deletion{}, err
	}
	if id == "" {
		return s.mark(b, c.key)
	}
	v := b.version(c.key, id)
	if v == nil {
		return deletion{versionID: id}, nil // to delete what is not there succeeds
	}
	if err := v.Lock.checkDelete(s.now(), bypass); err != nil {
		return deletion{}, err
	}
	return deletion{v.Marker, id}, s.commit(record{Remove: &removal{b.Name, c.key, id}})
}

// mark hides the key under a delete marker, which no lock prevents. Without
// versioning the object itself goes.
func (s *Server) mark(b *bucket, key string) (deletion, error) {
	if b.Versioning == "" {
		return deletion{}, s.commit(record{Remove: &removal{b.Name, key, nullVersion}})
	}
	marker := &version{Key: key, Marker: true, Modified: s.now()}
	if err := s.add(b, marker); err != nil {
		return deletion{}, err
	}
	return deletion{true, marker.ID}, nil
}

// bypass reports whether the caller bypasses GOVERNANCE: it must say so and be
// allowed to.
func (s *Server) bypass(c *call, b *bucket) (bool, error) {
	if !strings.EqualFold(c.r.Header.Get(headerBypass), "true") {
		return false, nil
	}
	if !b.Lock {
		return false, invalid("InvalidArgument", "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.")
	}
	return s.can(c, "s3:BypassGovernanceRetention"), nil
}

// deleteRequest is the body of DeleteObjects.
type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Objects []struct {
		Key       string
		VersionID string `xml:"VersionId"`
	} `xml:"Object"`
}

// deleteResult is its reply.
type deleteResult struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
	Deleted []deletedEntry
	Errors  []deleteError `xml:"Error"`
}

type deletedEntry struct {
	Key             string
	VersionID       string `xml:"VersionId,omitempty"`
	Marker          bool   `xml:"DeleteMarker,omitempty"`
	MarkerVersionID string `xml:"DeleteMarkerVersionId,omitempty"`
}

type deleteError struct {
	Key       string
	VersionID string `xml:"VersionId,omitempty"`
	Code      string
	Message   string
}

// deleteObjects deletes each key by itself: 200 with an error for each refused.
func (s *Server) deleteObjects(c *call) error {
	var request deleteRequest
	if err := c.readXML(&request); err != nil {
		return err
	}
	if n := len(request.Objects); n == 0 || n > maxPage {
		return malformedXML()
	}
	s.mu.Lock()
	_, err := s.bucketOf(c)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	var result deleteResult
	for _, object := range request.Objects {
		one := *c
		one.key = object.Key
		done, err := s.deleteOne(&one, object.VersionID)
		if err != nil {
			e := asAPIError(err)
			result.Errors = append(result.Errors, deleteError{object.Key, object.VersionID, e.Code, e.Message})
			continue
		}
		if !request.Quiet {
			result.Deleted = append(result.Deleted, done.entry(object.Key, object.VersionID))
		}
	}
	return c.xml(http.StatusOK, result)
}

func (d deletion) entry(key, id string) deletedEntry {
	e := deletedEntry{Key: key, VersionID: id, Marker: d.marker}
	if d.marker {
		e.MarkerVersionID = d.versionID
	}
	return e
}

// readXML reads a body that must come with a checksum, as the SDK models demand
// of every call that changes locks or deletes.
func (c *call) readXML(into any) error {
	p, err := readPayload(c.r)
	if err != nil {
		return err
	}
	if !p.checked {
		return invalid("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	if err := xml.Unmarshal(p.data, into); err != nil {
		return malformedXML()
	}
	return nil
}
