package devserver

import (
	"encoding/xml"
	"errors"
	"net/http"
)

// apiError is an error reply of S3 or Secrets Manager.
type apiError struct {
	Status  int
	Code    string
	Message string
	Details []string          // further elements of the XML, names and values in turn
	Header  map[string]string // further reply headers
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

func invalid(code, message string, details ...string) *apiError {
	return &apiError{Status: http.StatusBadRequest, Code: code, Message: message, Details: details}
}

// invalidArgument is S3's answer to a header or parameter it cannot accept.
func invalidArgument(message, name, value string) *apiError {
	return invalid("InvalidArgument", message, "ArgumentName", name, "ArgumentValue", value)
}

func notFound(code, message string, details ...string) *apiError {
	return &apiError{Status: http.StatusNotFound, Code: code, Message: message, Details: details}
}

func notImplemented(what string) *apiError {
	return &apiError{Status: http.StatusNotImplemented, Code: "NotImplemented",
		Message: "A header you provided implies functionality that is not implemented (" + what + ")",
		Details: []string{"Header", what}}
}

func malformedXML() *apiError {
	return invalid("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
}

// errLocked refuses what a lock forbids. IAM refusals have the same code; only
// the message tells them apart.
func errLocked() *apiError {
	return &apiError{Status: http.StatusForbidden, Code: "AccessDenied",
		Message: "Access Denied because object protected by object lock."}
}

func errNoLockOnBucket() *apiError {
	return invalid("InvalidRequest", "Bucket is missing Object Lock Configuration")
}

func errPrecondition(name string) *apiError {
	return &apiError{Status: http.StatusPreconditionFailed, Code: "PreconditionFailed",
		Message: "At least one of the pre-conditions you specified did not hold",
		Details: []string{"Condition", name}}
}

// asAPIError makes an internal failure, such as a full disk, the 500 it is.
func asAPIError(err error) *apiError {
	var api *apiError
	if errors.As(err, &api) {
		return api
	}
	return &apiError{Status: http.StatusInternalServerError, Code: "InternalError", Message: err.Error()}
}

// errorDocument is S3's XML of an error.
type errorDocument struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Details   []element
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
}

// element is one text element with a name of its own.
type element struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

func (e *apiError) document(requestID string) errorDocument {
	doc := errorDocument{Code: e.Code, Message: e.Message, RequestID: requestID, HostID: "wormlog-dev"}
	for i := 0; i+1 < len(e.Details); i += 2 {
		doc.Details = append(doc.Details, element{xml.Name{Local: e.Details[i]}, e.Details[i+1]})
	}
	return doc
}
