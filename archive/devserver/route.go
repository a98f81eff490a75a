package devserver

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// scope is what a request's path names.
type scope int

const (
	onService scope = iota
	onBucket
	onObject
)

// operation is one S3 call that is known here.
type operation struct {
	name   string
	method string
	scope  scope
	sub    string   // the query key that selects it; "" for the plain call
	params []string // other query keys it understands
	action string   // the IAM action it needs
	run    func(*Server, *call) error
}

// operations are tried in order, so a sub-resource comes before the plain call.
var operations = []operation{
	{"ListBuckets", "GET", onService, "", nil, "s3:ListAllMyBuckets", (*Server).listBuckets},

	{"ListObjectsV2", "GET", onBucket, "list-type", []string{"prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type", "fetch-owner"}, "s3:ListBucket", (*Server).listObjects},
	{"ListObjectVersions", "GET", onBucket, "versions", []string{"prefix", "delimiter", "max-keys", "key-marker", "version-id-marker", "encoding-type"}, "s3:ListBucketVersions", (*Server).listVersions},
	{"GetBucketLocation", "GET", onBucket, "location", nil, "s3:GetBucketLocation", (*Server).getLocation},
	{"GetBucketVersioning", "GET", onBucket, "versioning", nil, "s3:GetBucketVersioning", (*Server).getVersioning},
	{"PutBucketVersioning", "PUT", onBucket, "versioning", nil, "s3:PutBucketVersioning", (*Server).putVersioning},
	{"GetObjectLockConfiguration", "GET", onBucket, "object-lock", nil, "s3:GetBucketObjectLockConfiguration", (*Server).getLockConfiguration},
	{"PutObjectLockConfiguration", "PUT", onBucket, "object-lock", nil, "s3:PutBucketObjectLockConfiguration", (*Server).putLockConfiguration},
	{"GetBucketEncryption", "GET", onBucket, "encryption", nil, "s3:GetEncryptionConfiguration", (*Server).getDocument},
	{"PutBucketEncryption", "PUT", onBucket, "encryption", nil, "s3:PutEncryptionConfiguration", (*Server).putDocument},
	{"GetBucketPolicy", "GET", onBucket, "policy", nil, "s3:GetBucketPolicy", (*Server).getDocument},
	{"PutBucketPolicy", "PUT", onBucket, "policy", nil, "s3:PutBucketPolicy", (*Server).putDocument},
	{"DeleteBucketPolicy", "DELETE", onBucket, "policy", nil, "s3:DeleteBucketPolicy", (*Server).deleteDocument},
	{"GetPublicAccessBlock", "GET", onBucket, "publicAccessBlock", nil, "s3:GetBucketPublicAccessBlock", (*Server).getDocument},
	{"PutPublicAccessBlock", "PUT", onBucket, "publicAccessBlock", nil, "s3:PutBucketPublicAccessBlock", (*Server).putDocument},
	{"DeletePublicAccessBlock", "DELETE", onBucket, "publicAccessBlock", nil, "s3:PutBucketPublicAccessBlock", (*Server).deleteDocument},
	{"GetBucketLifecycleConfiguration", "GET", onBucket, "lifecycle", nil, "s3:GetLifecycleConfiguration", (*Server).getDocument},
	{"PutBucketLifecycleConfiguration", "PUT", onBucket, "lifecycle", nil, "s3:PutLifecycleConfiguration", (*Server).putDocument},
	{"DeleteBucketLifecycle", "DELETE", onBucket, "lifecycle", nil, "s3:PutLifecycleConfiguration", (*Server).deleteDocument},
	{"GetBucketReplication", "GET", onBucket, "replication", nil, "s3:GetReplicationConfiguration", (*Server).getDocument},
	{"PutBucketReplication", "PUT", onBucket, "replication", nil, "s3:PutReplicationConfiguration", (*Server).putDocument},
	{"DeleteBucketReplication", "DELETE", onBucket, "replication", nil, "s3:PutReplicationConfiguration", (*Server).deleteDocument},
	{"DeleteObjects", "POST", onBucket, "delete", nil, "", (*Server).deleteObjects},
	{"CreateBucket", "PUT", onBucket, "", nil, "s3:CreateBucket", (*Server).createBucket},
	{"HeadBucket", "HEAD", onBucket, "", nil, "s3:ListBucket", (*Server).headBucket},
	{"DeleteBucket", "DELETE", onBucket, "", nil, "s3:DeleteBucket", (*Server).deleteBucket},

	{"GetObjectRetention", "GET", onObject, "retention", []string{"versionId"}, "s3:GetObjectRetention", (*Server).getRetention},
	{"PutObjectRetention", "PUT", onObject, "retention", []string{"versionId"}, "s3:PutObjectRetention", (*Server).putRetention},
	{"GetObjectLegalHold", "GET", onObject, "legal-hold", []string{"versionId"}, "s3:GetObjectLegalHold", (*Server).getLegalHold},
	{"PutObjectLegalHold", "PUT", onObject, "legal-hold", []string{"versionId"}, "s3:PutObjectLegalHold", (*Server).putLegalHold},
	{"CreateMultipartUpload", "POST", onObject, "uploads", nil, "s3:PutObject", (*Server).noMultipart},
	{"UploadPart", "PUT", onObject, "uploadId", []string{"partNumber"}, "s3:PutObject", (*Server).noMultipart},
	{"PutObject", "PUT", onObject, "", nil, "s3:PutObject", (*Server).putObject},
	{"GetObject", "GET", onObject, "", []string{"versionId"}, "", (*Server).getObject},
	{"HeadObject", "HEAD", onObject, "", []string{"versionId"}, "", (*Server).headObject},
	{"DeleteObject", "DELETE", onObject, "", []string{"versionId"}, "", (*Server).deleteObject},
}

// call is one request on its way through.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	op     *operation
	id     string // request ID
	caller string // access key ID
	bucket string
	key    string
	query  url.Values
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := make([]byte, 8)
	rand.Read(id)
	c := &call{w: w, r: r, id: strings.ToUpper(hex.EncodeToString(id)), query: r.URL.Query(), caller: callerOf(r)}
	h := w.Header()
	h.Set("Date", s.now().Format(http.TimeFormat))
	h.Set("Server", s.config.ServerHeader)
	if _, isSecrets := r.Header["X-Amz-Target"]; isSecrets {
		h.Set("X-Amzn-Requestid", c.id)
		s.serveSecrets(c)
		return
	}
	h.Set("X-Amz-Request-Id", c.id)
	h.Set("X-Amz-Id-2", "wormlog-dev")
	s.serveS3(c)
}

// serveS3 finds the operation and runs it, or lets a fault run it.
func (s *Server) serveS3(c *call) {
	what := c.parsePath()
	op, err := findOperation(c.r.Method, what, c.query)
	if err != nil {
		s.control.count("Unknown")
		c.fail(err)
		return
	}
	c.op = op
	s.control.count(op.name)
	handle := func(w http.ResponseWriter) {
		inner := *c
		inner.w = w
		if err := s.runS3(&inner); err != nil {
			inner.fail(err)
		}
	}
	if f := s.control.fault(op.name, c.resource()); f != nil {
		f.strike(c.w, c.r, handle, func(e *apiError) { c.fail(e) })
		return
	}
	handle(c.w)
}

// runS3 checks who asks and for what, and runs the operation.
func (s *Server) runS3(c *call) error {
	if err := s.checkCaller(c); err != nil {
		return err
	}
	if owner := c.r.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != AccountID {
		return &apiError{Status: http.StatusForbidden, Code: "AccessDenied", Message: "Access Denied"}
	}
	if err := c.checkHeaders(); err != nil {
		return err
	}
	if c.op.action != "" {
		if err := s.permit(c, c.op.action); err != nil {
			return err
		}
	}
	return c.op.run(s, c)
}

// parsePath takes bucket and key from a path-style URL.
func (c *call) parsePath() scope {
	path := strings.TrimPrefix(c.r.URL.Path, "/")
	c.bucket, c.key, _ = strings.Cut(path, "/")
	switch {
	case c.bucket == "":
		return onService
	case c.key == "":
		return onBucket
	}
	return onObject
}

// resource is what permissions and faults are scoped by.
func (c *call) resource() string {
	if c.key == "" {
		return c.query.Get("prefix")
	}
	return c.key
}

// findOperation selects the operation. A query key it does not understand makes
// the request unknown: an unknown sub-resource is never the object itself.
func findOperation(method string, what scope, query url.Values) (*operation, error) {
	for i := range operations {
		op := &operations[i]
		if op.method != method || op.scope != what || (op.sub != "" && !query.Has(op.sub)) {
			continue
		}
		for name := range query {
			known := name == op.sub || name == "x-id" || strings.HasPrefix(strings.ToLower(name), "x-amz-") || slices.Contains(op.params, name)
			if !known {
				return nil, notImplemented(name)
			}
		}
		return op, nil
	}
	return nil, notImplemented(strings.Join(append([]string{method}, slices.Sorted(maps.Keys(query))...), " "))
}

// checkHeaders answers 501 if the request has an x-amz header that the operation
// does not know: to ignore one is to promise what is not done.
func (c *call) checkHeaders() error {
	for name := range c.r.Header {
		lower := strings.ToLower(name)
		known := !strings.HasPrefix(lower, "x-amz-") || strings.HasPrefix(lower, "x-amz-meta-") ||
			strings.HasPrefix(lower, "x-amz-checksum-") || slices.Contains(commonHeaders, lower) ||
			slices.Contains(operationHeaders[c.op.name], lower)
		if !known {
			return notImplemented(lower)
		}
	}
	return nil
}

// commonHeaders are understood, or mean nothing here, on every call.
var commonHeaders = []string{
	"x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent",
	"x-amz-expected-bucket-owner", "x-amz-request-payer", "x-amz-trailer",
	"x-amz-decoded-content-length", "x-amz-sdk-checksum-algorithm", "x-amz-te",
	"x-amz-optional-object-attributes",
}

// operationHeaders are understood on single calls.
var operationHeaders = map[string][]string{
	"CreateBucket": {"x-amz-bucket-object-lock-enabled", "x-amz-object-ownership"},
	"PutObject": {"x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold",
		"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
		"x-amz-server-side-encryption-bucket-key-enabled", "x-amz-storage-class"},
	"PutObjectRetention": {"x-amz-bypass-governance-retention"},
	"DeleteObject":       {"x-amz-bypass-governance-retention"},
	"DeleteObjects":      {"x-amz-bypass-governance-retention"},
}

// fail writes the error as S3 does; a HEAD has no body.
func (c *call) fail(err error) {
	e := asAPIError(err)
	for name, value := range e.Header {
		c.w.Header().Set(name, value)
	}
	if c.r.Method == http.MethodHead || e.Status == http.StatusNotModified {
		c.w.WriteHeader(e.Status)
		return
	}
	c.xml(e.Status, e.document(c.id))
}

// xml writes a document as the reply.
func (c *call) xml(status int, document any) error {
	body, err := xml.Marshal(document)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/xml")
	c.w.WriteHeader(status)
	c.w.Write(append([]byte(xml.Header), body...)) // a client that went away is its own affair
	return nil
}
