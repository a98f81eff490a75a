package devserver

import (
	"fmt"
	"net/http"
	"strings"
)

// credential is the SigV4 credential of a request, access key ID first, then
// date, region, service; from the header or a presigned URL.
func credential(r *http.Request) []string {
	if _, rest, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		scope, _, _ := strings.Cut(rest, ",")
		return strings.Split(strings.TrimSpace(scope), "/")
	}
	return strings.Split(r.URL.Query().Get("X-Amz-Credential"), "/")
}

// callerOf is the access key ID that a request names, or "".
func callerOf(r *http.Request) string { return credential(r)[0] }

// checkCaller refuses requests without credentials, which also keeps web pages
// from writing here, and those that a test rejects.
func (s *Server) checkCaller(c *call) error {
	if c.caller == "" {
		return &apiError{Status: http.StatusForbidden, Code: "AccessDenied", Message: "Access Denied"}
	}
	switch s.control.credentialFault(c.caller) {
	case TokenExpired:
		return invalid("ExpiredToken", "The provided token has expired.")
	case AccessKeyUnknown:
		return &apiError{Status: http.StatusForbidden, Code: "InvalidAccessKeyId",
			Message: "The AWS Access Key Id you provided does not exist in our records.", Details: []string{"AWSAccessKeyId", c.caller}}
	case SignatureWrong:
		return &apiError{Status: http.StatusForbidden, Code: "SignatureDoesNotMatch",
			Message: "The request signature we calculated does not match the signature you provided. Check your key and signing method."}
	}
	if scope := credential(c.r); s.config.Region != "" && len(scope) >= 3 && scope[2] != s.config.Region {
		e := invalid("AuthorizationHeaderMalformed",
			fmt.Sprintf("The authorization header is malformed; the region '%s' is wrong; expecting '%s'", scope[2], s.config.Region), "Region", s.config.Region)
		e.Header = map[string]string{"X-Amz-Bucket-Region": s.config.Region}
		return e
	}
	return nil
}

// can reports whether the caller has the permission for what the call is about.
func (s *Server) can(c *call, action string) bool {
	return s.control.allowed(c.caller, action, c.resource())
}

// permit is can, as the error that S3 gives.
func (s *Server) permit(c *call, action string) error {
	if s.can(c, action) {
		return nil
	}
	return &apiError{Status: http.StatusForbidden, Code: "AccessDenied", Message: fmt.Sprintf(
		"User: arn:aws:iam::%s:user/%s is not authorized to perform: %s on resource: \"arn:aws:s3:::%s\" because no identity-based policy allows the %s action",
		AccountID, c.caller, action, strings.TrimSuffix(c.bucket+"/"+c.key, "/"), action)}
}
