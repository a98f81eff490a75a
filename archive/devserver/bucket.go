package devserver

import (
	"encoding/json"
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// newBucketDocuments is what AWS sets on every new bucket: encryption with S3's
// own keys since January 2023, public access blocked since April 2023.
var newBucketDocuments = map[string]string{
	"encryption":        `<ServerSideEncryptionConfiguration xmlns="` + s3Namespace + `"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>`,
	"publicAccessBlock": `<PublicAccessBlockConfiguration xmlns="` + s3Namespace + `"><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>`,
}

// absentDocuments are the errors for settings that a bucket does not have.
var absentDocuments = map[string][2]string{
	"encryption":        {"ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found"},
	"policy":            {"NoSuchBucketPolicy", "The bucket policy does not exist"},
	"publicAccessBlock": {"NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"},
	"lifecycle":         {"NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"},
	"replication":       {"ReplicationConfigurationNotFoundError", "The replication configuration was not found"},
}

// bucketCall runs f with the call's bucket and s.mu held.
func (s *Server) bucketCall(c *call, f func(*bucket) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucketOf(c)
	if err != nil {
		return err
	}
	return f(b)
}

// change commits new settings and answers with the status.
func (s *Server) change(c *call, settings bucketSettings, status int) error {
	if err := s.commit(record{Bucket: &settings}); err != nil {
		return err
	}
	c.w.WriteHeader(status)
	return nil
}

func (s *Server) listBuckets(c *call) error {
	type entry struct {
		Name         string
		CreationDate string
	}
	reply := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
		Owner   string   `xml:"Owner>ID"`
		Buckets []entry  `xml:"Buckets>Bucket"`
	}{Owner: AccountID}
	s.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		reply.Buckets = append(reply.Buckets, entry{name, listDate(s.buckets[name].Created)})
	}
	s.mu.Unlock()
	return c.xml(http.StatusOK, reply)
}

func (s *Server) createBucket(c *call) error {
	p, err := readPayload(c.r)
	if err != nil {
		return err
	}
	if len(p.data) > 0 {
		var body struct {
			XMLName  xml.Name `xml:"CreateBucketConfiguration"`
			Location string   `xml:"LocationConstraint"`
		}
		if xml.Unmarshal(p.data, &body) != nil {
			return malformedXML()
		}
		if s.config.Region != "" && body.Location != "" && body.Location != s.config.Region {
			return invalid("IllegalLocationConstraintException", "The "+body.Location+" location constraint is incompatible for the region specific endpoint this request was sent to.")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	lock := strings.EqualFold(c.r.Header.Get("X-Amz-Bucket-Object-Lock-Enabled"), "true")
	if err := s.addBucket(c.bucket, lock); err != nil {
		return err
	}
	c.w.Header().Set("Location", "/"+c.bucket)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) headBucket(c *call) error {
	return s.bucketCall(c, func(*bucket) error {
		c.w.Header().Set("X-Amz-Bucket-Region", s.region())
		c.w.WriteHeader(http.StatusOK)
		return nil
	})
}

func (s *Server) deleteBucket(c *call) error {
	return s.bucketCall(c, func(b *bucket) error {
		if len(b.objects) > 0 {
			return &apiError{Status: http.StatusConflict, Code: "BucketNotEmpty",
				Message: "The bucket you tried to delete is not empty. You must delete all versions in the bucket.", Details: []string{"BucketName", b.Name}}
		}
		if err := s.commit(record{DropBucket: b.Name}); err != nil {
			return err
		}
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

func (s *Server) getLocation(c *call) error {
	return s.bucketCall(c, func(*bucket) error {
		region := s.region()
		if region == "us-east-1" {
			region = "" // the oldest region has no name here
		}
		return c.xml(http.StatusOK, struct {
			XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
			Location string   `xml:",chardata"`
		}{Location: region})
	})
}

// versioningDocument is a bucket's VersioningConfiguration.
type versioningDocument struct {
	XMLName   xml.Name `xml:"VersioningConfiguration"`
	Xmlns     string   `xml:"xmlns,attr,omitempty"`
	Status    string   `xml:",omitempty"`
	MFADelete string   `xml:"MfaDelete,omitempty"`
}

func (s *Server) getVersioning(c *call) error {
	return s.bucketCall(c, func(b *bucket) error {
		return c.xml(http.StatusOK, versioningDocument{Xmlns: s3Namespace, Status: b.Versioning})
	})
}

func (s *Server) putVersioning(c *call) error {
	var doc versioningDocument
	if err := c.readXML(&doc); err != nil {
		return err
	}
	if doc.MFADelete != "" && doc.MFADelete != "Disabled" {
		return notImplemented("MfaDelete")
	}
	if doc.Status != versioningEnabled && doc.Status != versioningSuspended {
		return malformedXML()
	}
	return s.bucketCall(c, func(b *bucket) error {
		if b.Lock && doc.Status != versioningEnabled {
			return &apiError{Status: http.StatusConflict, Code: "InvalidBucketState",
				Message: "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."}
		}
		settings := b.settings()
		settings.Versioning = doc.Status
		return s.change(c, settings, http.StatusOK)
	})
}

// lockDocument is a bucket's ObjectLockConfiguration.
type lockDocument struct {
	XMLName xml.Name      `xml:"ObjectLockConfiguration"`
	Xmlns   string        `xml:"xmlns,attr,omitempty"`
	Enabled string        `xml:"ObjectLockEnabled"`
	Rule    *lockRule     `xml:",omitempty"`
	Unknown []unknownElem `xml:",any"`
}

type lockRule struct {
	Default *lockDefault  `xml:"DefaultRetention"`
	Unknown []unknownElem `xml:",any"`
}

type lockDefault struct {
	Mode    string
	Days    *int          `xml:",omitempty"`
	Years   *int          `xml:",omitempty"`
	Unknown []unknownElem `xml:",any"`
}

// unknownElem is an element that this server does not understand, such as
// DefaultEventHold; it is refused, not ignored.
type unknownElem struct{ XMLName xml.Name }

func (s *Server) getLockConfiguration(c *call) error {
	return s.bucketCall(c, func(b *bucket) error {
		if !b.Lock {
			return notFound("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket", "BucketName", b.Name)
		}
		doc := lockDocument{Xmlns: s3Namespace, Enabled: "Enabled"}
		if r := b.Default; r != nil {
			doc.Rule = &lockRule{Default: &lockDefault{Mode: r.Mode}}
			if r.Years > 0 {
				doc.Rule.Default.Years = &r.Years
			} else {
				doc.Rule.Default.Days = &r.Days
			}
		}
		return c.xml(http.StatusOK, doc)
	})
}

// putLockConfiguration switches Object Lock on for good and sets or removes the
// default retention.
func (s *Server) putLockConfiguration(c *call) error {
	var doc lockDocument
	if err := c.readXML(&doc); err != nil {
		return err
	}
	rule, err := doc.retentionRule()
	if err != nil {
		return err
	}
	return s.bucketCall(c, func(b *bucket) error {
		if b.Versioning != versioningEnabled {
			return &apiError{Status: http.StatusConflict, Code: "InvalidBucketState",
				Message: "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"}
		}
		settings := b.settings()
		settings.Lock, settings.Default = true, rule
		return s.change(c, settings, http.StatusOK)
	})
}

// retentionRule is the default retention in the document, checked; nil if none.
func (d *lockDocument) retentionRule() (*retentionRule, error) {
	switch {
	case d.Enabled != "Enabled":
		return nil, malformedXML()
	case len(d.Unknown) > 0:
		return nil, notImplemented(d.Unknown[0].XMLName.Local)
	case d.Rule == nil:
		return nil, nil
	case len(d.Rule.Unknown) > 0:
		return nil, notImplemented(d.Rule.Unknown[0].XMLName.Local)
	case d.Rule.Default == nil:
		return nil, malformedXML()
	case len(d.Rule.Default.Unknown) > 0:
		return nil, notImplemented(d.Rule.Default.Unknown[0].XMLName.Local)
	}
	return d.Rule.Default.rule()
}

// rule checks that there is a mode and exactly one period, within its bounds.
func (d *lockDefault) rule() (*retentionRule, error) {
	if (d.Mode != Compliance && d.Mode != Governance) || (d.Days == nil) == (d.Years == nil) {
		return nil, malformedXML()
	}
	rule := &retentionRule{Mode: d.Mode}
	period, limit := &rule.Days, 36500
	given := d.Days
	if d.Years != nil {
		period, limit, given = &rule.Years, 100, d.Years
	}
	if *given <= 0 {
		return nil, invalid("InvalidArgument", "Default retention period must be a positive integer value.")
	}
	if *given > limit {
		return nil, invalid("InvalidArgument", "Default retention period too large.")
	}
	*period = *given
	return rule, nil
}

// getDocument returns a setting as it was put, or the error for its absence.
func (s *Server) getDocument(c *call) error {
	return s.bucketCall(c, func(b *bucket) error {
		doc, ok := b.Documents[c.op.sub]
		if !ok {
			absent := absentDocuments[c.op.sub]
			return notFound(absent[0], absent[1], "BucketName", b.Name)
		}
		c.w.Header().Set("Content-Type", "application/xml")
		if c.op.sub == "policy" {
			c.w.Header().Set("Content-Type", "application/json")
		}
		c.w.WriteHeader(http.StatusOK)
		c.w.Write([]byte(doc))
		return nil
	})
}

// putDocument stores a setting. Only that it is XML, or JSON for a policy, is
// checked.
func (s *Server) putDocument(c *call) error {
	p, err := readPayload(c.r)
	if err != nil {
		return err
	}
	var any struct{ XMLName xml.Name }
	if c.op.sub == "policy" {
		if !json.Valid(p.data) {
			return invalid("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
		}
	} else if xml.Unmarshal(p.data, &any) != nil {
		return malformedXML()
	}
	return s.bucketCall(c, func(b *bucket) error {
		settings := b.settings()
		settings.Documents[c.op.sub] = string(p.data)
		status := http.StatusOK
		if c.op.sub == "policy" {
			status = http.StatusNoContent
		}
		return s.change(c, settings, status)
	})
}

func (s *Server) deleteDocument(c *call) error {
	return s.bucketCall(c, func(b *bucket) error {
		settings := b.settings()
		delete(settings.Documents, c.op.sub)
		return s.change(c, settings, http.StatusNoContent)
	})
}

// noMultipart says that there are no multipart uploads, under their own names.
func (s *Server) noMultipart(c *call) error { return notImplemented("uploads") }
