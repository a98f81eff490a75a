package devserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// secretRequest has the members of all the calls that are known.
type secretRequest struct {
	SecretID            string `json:"SecretId"`
	Name                string
	Description         string
	KMSKeyID            string `json:"KmsKeyId"`
	ClientRequestToken  string
	SecretString        *string
	SecretBinary        []byte
	Tags                []tag
	VersionID           string `json:"VersionId"`
	VersionStage        string
	VersionStages       []string
	MoveToVersionID     string `json:"MoveToVersionId"`
	RemoveFromVersionID string `json:"RemoveFromVersionId"`

	ForceDeleteWithoutRecovery bool
	RecoveryWindowInDays       *int

	ResourcePolicy    string
	BlockPublicPolicy bool

	RotationLambdaARN string
	RotationRules     *rotationRules
	RotateImmediately *bool
	RotationToken     string

	MaxResults             int
	NextToken              string
	IncludeDeprecated      bool
	IncludePlannedDeletion bool
	SortOrder              string
}

// secretCall is one call on its way through.
type secretCall struct {
	*call
	name string
	in   secretRequest
}

// resource is the secret's name, whichever way it was named.
func (s *Server) secretResource(c *secretCall) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.findSecret(c.in.SecretID); x != nil {
		return x.Name
	}
	return c.in.SecretID + c.in.Name // one of them is empty
}

// serveSecrets answers one call in the JSON 1.1 protocol.
func (s *Server) serveSecrets(c *call) {
	name, _ := strings.CutPrefix(c.r.Header.Get("X-Amz-Target"), "secretsmanager.")
	run, known := secretCalls[name]
	if !known {
		s.control.count("Unknown")
		c.failSecret(invalid("UnknownOperationException", fmt.Sprintf("The operation %q is not implemented.", name)))
		return
	}
	s.control.count(name)
	sc := &secretCall{call: c, name: name}
	err := sc.decode()
	resource := s.secretResource(sc)
	handle := func(w http.ResponseWriter) {
		inner := *sc.call
		inner.w = w
		reply, err := any(nil), err
		if err == nil {
			reply, err = s.runSecrets(sc, resource, run)
		}
		if err != nil {
			inner.failSecret(err)
			return
		}
		inner.json(http.StatusOK, reply)
	}
	if f := s.control.fault(name, resource); f != nil {
		f.strike(c.w, c.r, handle, func(e *apiError) { c.failSecret(e) })
		return
	}
	handle(c.w)
}

// decode reads the request. A member that is not known here is refused, since
// to ignore it might change the meaning.
func (c *secretCall) decode() error {
	p, err := readPayload(c.r)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(strings.NewReader(string(p.data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c.in); err != nil {
		return invalid("SerializationException", "The request is not understood: "+err.Error())
	}
	return nil
}

// runSecrets checks the caller and runs the call with s.mu held.
func (s *Server) runSecrets(c *secretCall, resource string, run func(*Server, *secretCall) (any, error)) (any, error) {
	if err := s.checkSecretsCaller(c); err != nil {
		return nil, err
	}
	action := "secretsmanager:" + c.name
	if !s.control.allowed(c.caller, action, resource) {
		return nil, invalid("AccessDeniedException", fmt.Sprintf(
			"User: arn:aws:iam::%s:user/%s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
			AccountID, c.caller, action, resource, action))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return run(s, c)
}

// checkSecretsCaller is checkCaller in the words of this service.
func (s *Server) checkSecretsCaller(c *secretCall) error {
	if c.caller == "" {
		return invalid("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	switch s.control.credentialFault(c.caller) {
	case TokenExpired:
		return invalid("ExpiredTokenException", "The security token included in the request is expired")
	case AccessKeyUnknown:
		return invalid("UnrecognizedClientException", "The security token included in the request is invalid.")
	case SignatureWrong:
		return invalid("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.")
	}
	if scope := credential(c.r); s.config.Region != "" && len(scope) >= 3 && scope[2] != s.config.Region {
		return invalid("InvalidSignatureException", fmt.Sprintf("Credential should be scoped to a valid region, not '%s'.", scope[2]))
	}
	return nil
}

// failSecret writes an error as this service does: 400 for nearly everything.
func (c *call) failSecret(err error) {
	e := asAPIError(err)
	c.w.Header().Set("X-Amzn-Errortype", e.Code)
	c.json(e.Status, struct {
		Type    string `json:"__type"`
		Message string `json:"Message"`
	}{e.Code, e.Message})
}

func (c *call) json(status int, reply any) {
	body, err := json.Marshal(reply)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"__type":"InternalServiceError"}`)
	}
	c.w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	c.w.WriteHeader(status)
	c.w.Write(body) // a client that went away is its own affair
}

// seconds is a date as this protocol writes it, nil if it is zero.
func seconds(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	s := float64(t.Unix())
	return &s
}

// window cuts a page of at most max from n things; the token is a position.
func window(n, limit int, token string) (from, to int, next string, err error) {
	if token != "" {
		if from, err = strconv.Atoi(token); err != nil || from < 0 || from > n {
			return 0, 0, "", invalid("InvalidNextTokenException", "You specified an invalid value for NextToken.")
		}
	}
	if limit <= 0 || limit > 100 {
		limit = 100
	}
	to = min(n, from+limit)
	if to < n {
		next = strconv.Itoa(to)
	}
	return from, to, next, nil
}
