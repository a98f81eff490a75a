package devserver

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// control is what tests set: permissions, credentials, faults, listing order.
type control struct {
	mu       sync.Mutex
	denials  []*denial
	only     map[string][]string // caller → actions
	rejected map[string]CredentialFault
	faults   []*armed
	misorder Misorder
	counts   map[string]int
}

func (c *control) init() {
	c.only = map[string][]string{}
	c.rejected = map[string]CredentialFault{}
	c.counts = map[string]int{}
}

// denial is one permission taken away.
type denial struct {
	action  string
	prefix  string
	callers []string
}

// Deny takes one permission away, by its IAM action name such as
// "s3:GetObjectRetention" or "secretsmanager:GetSecretValue"; a "*" at the end
// matches any rest. It holds for object keys (for listings: the prefix listed;
// for secrets: the name) that begin with prefix, and for the callers with these
// access key IDs, or everybody if none is named. The function it returns gives
// the permission back.
//
// Without s3:GetObjectRetention or s3:GetObjectLegalHold, GET and HEAD succeed
// and leave those lock headers out; without s3:ListBucket, a missing object is
// 403 and not 404; all as on AWS.
func (s *Server) Deny(action, prefix string, accessKeyIDs ...string) (allow func()) {
	d := &denial{action, prefix, accessKeyIDs}
	c := &s.control
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denials = append(c.denials, d)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.denials = slices.DeleteFunc(c.denials, func(other *denial) bool { return other == d })
	}
}

// AllowOnly leaves the caller with this access key ID nothing but the actions
// named, as a role for one purpose has; no actions at all lifts the restriction.
func (s *Server) AllowOnly(accessKeyID string, actions ...string) {
	s.control.mu.Lock()
	defer s.control.mu.Unlock()
	if len(actions) == 0 {
		delete(s.control.only, accessKeyID)
		return
	}
	s.control.only[accessKeyID] = slices.Clone(actions)
}

// allowed reports whether the caller may do action on the key, prefix or name.
func (c *control) allowed(caller, action, resource string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if only, ok := c.only[caller]; ok {
		named := func(pattern string) bool { return matchAction(pattern, action) }
		if !slices.ContainsFunc(only, named) {
			return false
		}
	}
	for _, d := range c.denials {
		forCaller := len(d.callers) == 0 || slices.Contains(d.callers, caller)
		if forCaller && matchAction(d.action, action) && strings.HasPrefix(resource, d.prefix) {
			return false
		}
	}
	return true
}

func matchAction(pattern, action string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(action, prefix)
	}
	return pattern == action
}

// CredentialFault is what is wrong with a caller's credentials.
type CredentialFault int

// The ways in which AWS refuses credentials.
const (
	CredentialsAccepted CredentialFault = iota
	TokenExpired                        // the session has ended: ExpiredToken
	AccessKeyUnknown                    // there is no such key: InvalidAccessKeyId
	SignatureWrong                      // the secret key is not the right one: SignatureDoesNotMatch
)

// RejectCredentials makes every request of this access key ID fail as AWS fails
// it for that reason, until it is set to CredentialsAccepted.
func (s *Server) RejectCredentials(accessKeyID string, fault CredentialFault) {
	s.control.mu.Lock()
	defer s.control.mu.Unlock()
	s.control.rejected[accessKeyID] = fault
}

func (c *control) credentialFault(caller string) CredentialFault {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rejected[caller]
}

// Misorder is a wrong order of listings. Paging stays right: every entry comes
// exactly once.
type Misorder int

// The orders of ListObjectVersions and ListObjectsV2.
const (
	InOrder       Misorder = iota // by key, then newest first, as AWS
	PagesReversed                 // each page from its last entry to its first
	OldestFirst                   // by key, then oldest first
)

// Misorder sets the order of listings from now on.
func (s *Server) Misorder(order Misorder) {
	s.control.mu.Lock()
	defer s.control.mu.Unlock()
	s.control.misorder = order
}

func (c *control) listingOrder() Misorder {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.misorder
}

// Counts returns how many requests came in since the start or ResetCounts, by
// operation name ("PutObject", "GetSecretValue"), refused and faulted ones
// included. Requests that are no known operation count as "Unknown".
func (s *Server) Counts() map[string]int {
	s.control.mu.Lock()
	defer s.control.mu.Unlock()
	return maps.Clone(s.control.counts)
}

// ResetCounts sets every count to zero.
func (s *Server) ResetCounts() {
	s.control.mu.Lock()
	defer s.control.mu.Unlock()
	clear(s.control.counts)
}

func (c *control) count(operation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[operation]++
}
