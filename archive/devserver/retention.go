package devserver

import (
	"encoding/xml"
	"net/http"
)

// retentionDocument is the Retention of one version. An empty one removes it,
// where that is allowed.
type retentionDocument struct {
	XMLName xml.Name `xml:"Retention"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Mode    string   `xml:",omitempty"`
	Until   string   `xml:"RetainUntilDate,omitempty"`
}

// holdDocument is the LegalHold of one version.
type holdDocument struct {
	XMLName xml.Name `xml:"LegalHold"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Status  string
}

const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// findLockable is find for a call on a version's lock, which only buckets with
// Object Lock have. The caller holds s.mu.
func (s *Server) findLockable(c *call) (*bucket, *version, error) {
	b, err := s.bucketOf(c)
	if err != nil {
		return nil, nil, err
	}
	if !b.Lock {
		return nil, nil, errNoLockOnBucket()
	}
	v := b.latest(c.key)
	if v != nil && v.Marker && !c.query.Has("versionId") {
		return nil, nil, &apiError{Status: http.StatusMethodNotAllowed, Code: "MethodNotAllowed",
			Message: "The specified method is not allowed against this resource.",
			Details: []string{"Method", c.r.Method, "ResourceType", "DeleteMarker"},
			Header:  map[string]string{headerMarker: "true", headerVersion: v.ID}}
	}
	v, err = s.find(c)
	return b, v, err
}

func errNoLock() *apiError {
	return notFound("NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration")
}

func (s *Server) getRetention(c *call) error {
	s.mu.Lock()
	_, v, err := s.findLockable(c)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if v.Lock.Mode == "" {
		return errNoLock()
	}
	return c.xml(http.StatusOK, retentionDocument{Xmlns: s3Namespace, Mode: v.Lock.Mode, Until: lockDate(v.Lock.RetainUntil)})
}

func (s *Server) putRetention(c *call) error {
	var doc retentionDocument
	if err := c.readXML(&doc); err != nil {
		return err
	}
	if (doc.Mode == "") != (doc.Until == "") {
		return malformedXML()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, v, err := s.findLockable(c)
	if err != nil {
		return err
	}
	now := s.now()
	lock := Lock{LegalHold: v.Lock.LegalHold, Mode: doc.Mode}
	if doc.Mode != "" {
		if doc.Mode != Compliance && doc.Mode != Governance {
			return malformedXML()
		}
		if lock.RetainUntil, err = parseRetention(doc.Mode, doc.Until, "Mode", "RetainUntilDate", now); err != nil {
			return err
		}
	}
	bypass, err := s.bypass(c, b)
	if err != nil {
		return err
	}
	if err := v.Lock.checkRetention(lock.Mode, lock.RetainUntil, now, bypass); err != nil {
		return err
	}
	return s.relock(c, b, v, lock)
}

func (s *Server) getLegalHold(c *call) error {
	s.mu.Lock()
	_, v, err := s.findLockable(c)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if v.Lock.LegalHold == "" {
		return errNoLock()
	}
	return c.xml(http.StatusOK, holdDocument{Xmlns: s3Namespace, Status: v.Lock.LegalHold})
}

func (s *Server) putLegalHold(c *call) error {
	var doc holdDocument
	if err := c.readXML(&doc); err != nil {
		return err
	}
	if doc.Status != HoldOn && doc.Status != HoldOff {
		return malformedXML()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, v, err := s.findLockable(c)
	if err != nil {
		return err
	}
	lock := v.Lock
	lock.LegalHold = doc.Status
	return s.relock(c, b, v, lock)
}

// relock gives the version another lock; its date stays. The caller holds s.mu.
func (s *Server) relock(c *call, b *bucket, v *version, lock Lock) error {
	changed := *v
	changed.Lock = lock
	if err := s.commit(record{Version: &versionRecord{Bucket: b.Name, Version: &changed}}); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}
