package s3lock

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wormlog/wormlog/archive"
)

// denial is a rule that a bucket policy should have: a Deny, for everyone, of all these actions on every object of the
// archive, under exactly this condition.
type denial struct {
	line      Line
	actions   []string
	condition func(conditions) bool
}

// denials are the rules of a policy that keeps an archive whole (User Guide, "Enforce conditional writes on Amazon S3
// buckets", "Managing Object Lock", and the condition keys of the Service Authorization Reference).
var denials = []denial{
	{Line{
		Setting: "policy: no deletes", Want: "Deny s3:DeleteObject and s3:DeleteObjectVersion",
		Threat: "a delete marker hides an object and lets a second version of it be written; versions go once their locks have ended",
		Fix:    "add a Deny for both actions, for every principal",
	}, []string{"s3:DeleteObject", "s3:DeleteObjectVersion"}, conditions.none},
	{Line{
		Setting: "policy: create-only", Want: "Deny s3:PutObject without If-None-Match",
		Threat: "a write without the condition stacks a version over an existing object",
		Fix:    `add a Deny of s3:PutObject with Null {"s3:if-none-match": "true"}`,
	}, []string{"s3:PutObject"}, conditions.createOnly},
	{Line{
		Setting: "policy: COMPLIANCE only", Want: "Deny s3:PutObject in any mode but COMPLIANCE",
		Threat: "a writer can leave objects unlocked, or in GOVERNANCE, which can be lifted",
		Fix:    `add a Deny of s3:PutObject with StringNotEquals {"s3:object-lock-mode": "COMPLIANCE"}`,
	}, []string{"s3:PutObject"}, conditions.complianceOnly},
	{Line{
		Setting: "policy: TLS only", Want: "Deny of requests without TLS",
		Threat: "logs and credentials' signatures can be read on the way",
		Fix:    `add a Deny of s3:* with Bool {"aws:SecureTransport": "false"}`,
	}, []string{"s3:PutObject", "s3:GetObject"}, conditions.plaintext},
}

// checkPolicy looks for the rules in the bucket's policy. It understands plain statements only: where a Deny of the action
// has another form, the answer is Unknown.
func (s *Store) checkPolicy(k archive.Known[string]) []Line {
	document, err := parsePolicy(k.Value)
	lines := make([]Line, 0, len(denials))
	for _, d := range denials {
		l := d.line
		switch {
		case k.Err != nil:
			l.Status, l.Got = Unknown, k.Err.Error()
		case k.Value == "":
			l.Status, l.Got = Fail, "the bucket has no policy"
		case err != nil:
			l.Status, l.Got = Unknown, err.Error()
		default:
			l.Status, l.Got = s.findDenial(document, d)
		}
		lines = append(lines, l)
	}
	return lines
}

func (s *Store) findDenial(p policyDocument, d denial) (Status, string) {
	unclear, found := false, 0
	for _, action := range d.actions {
		for _, st := range p.Statement {
			fits, understood := st.denies(action, s.sampleResources(), d.condition)
			if fits {
				found++
				break
			}
			unclear = unclear || !understood
		}
	}
	switch {
	case found == len(d.actions):
		return Pass, "denied"
	case unclear:
		return Unknown, "the policy denies this in a form that is not understood here; read it"
	}
	return Fail, "not denied by the policy"
}

// sampleResources are objects that a rule for the archive must cover: the first and the last part of it.
func (s *Store) sampleResources() []string {
	return []string{s.home.Bucket + "/" + s.full("control/authority/log"), s.home.Bucket + "/" + s.full("segments/date=2026-01-01/log")}
}

// The parts of a policy document that matter here (IAM User Guide, "Grammar of the IAM JSON policy language").
type policyDocument struct {
	Statement oneOrMany[statement]
}

type statement struct {
	Effect       string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Action       oneOrMany[string]
	NotAction    json.RawMessage
	Resource     oneOrMany[string]
	NotResource  json.RawMessage
	Condition    conditions
}

// conditions are operator -> key -> values.
type conditions map[string]map[string]oneOrMany[scalar]

func parsePolicy(text string) (policyDocument, error) {
	var p policyDocument
	if text == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return p, fmt.Errorf("the policy cannot be read: %w", err)
	}
	return p, nil
}

// denies says whether st denies action on all resources to everyone under exactly the condition. understood is false if
// it concerns the action but goes beyond what can be judged here.
func (st statement) denies(action string, resources []string, condition func(conditions) bool) (fits, understood bool) {
	if st.Effect != "Deny" {
		return false, true
	}
	if st.NotAction != nil || st.NotResource != nil || st.NotPrincipal != nil {
		return false, false
	}
	if !matchAny(st.Action, action, strings.ToLower) {
		return false, true
	}
	for _, r := range resources {
		if !matchAny(st.Resource, r, resourceName) {
			return false, true
		}
	}
	if !everyone(st.Principal) {
		return false, false
	}
	if condition(st.Condition) {
		return true, true
	}
	return false, len(st.Condition) == 0
}

func everyone(principal json.RawMessage) bool {
	var word string
	if json.Unmarshal(principal, &word) == nil {
		return word == "*"
	}
	var by map[string]oneOrMany[string]
	if json.Unmarshal(principal, &by) != nil {
		return false
	}
	for _, name := range by["AWS"] {
		if name == "*" {
			return true
		}
	}
	return false
}

func (c conditions) none() bool { return len(c) == 0 }

// createOnly also takes the exemption of multipart uploads, whose parts cannot carry the header.
func (c conditions) createOnly() bool {
	return c.is("Null", "s3:if-none-match", "true", "s3:ObjectCreationOperation")
}

func (c conditions) complianceOnly() bool {
	return c.is("StringNotEquals", "s3:object-lock-mode", "COMPLIANCE")
}

func (c conditions) plaintext() bool { return c.is("Bool", "aws:SecureTransport", "false") }

// is says whether this is the one condition, those on the keys in besides left aside. Operators and keys are compared
// without case, as IAM does.
func (c conditions) is(operator, key, value string, besides ...string) bool {
	found := false
	for op, keys := range c {
		for k, values := range keys {
			switch {
			case strings.EqualFold(op, operator) && strings.EqualFold(k, key) && len(values) == 1 && string(values[0]) == value:
				found = true
			case !slices.Contains(besides, k):
				return false
			}
		}
	}
	return found
}

func matchAny(patterns []string, name string, normal func(string) string) bool {
	for _, p := range patterns {
		if wildcard(normal(p), normal(name)) {
			return true
		}
	}
	return false
}

// resourceName takes the ARN's partition and service off.
func resourceName(arn string) string {
	if _, name, ok := strings.Cut(arn, ":::"); ok {
		return name
	}
	return arn
}

// wildcard matches IAM patterns: * for any run of characters, ? for one. On a mismatch it goes back to the last * only, so
// that no pattern takes long.
func wildcard(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// oneOrMany reads a value or a list of values.
type oneOrMany[T any] []T

func (m *oneOrMany[T]) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]T)(m))
	}
	var one T
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*m = oneOrMany[T]{one}
	return nil
}

// scalar is a condition's value, which IAM lets be a string, a boolean or a number.
type scalar string

func (s *scalar) UnmarshalJSON(text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	switch value.(type) {
	case string, bool, float64:
		*s = scalar(fmt.Sprint(value))
		return nil
	}
	return errors.New("a condition's value is neither text, number nor boolean")
}
