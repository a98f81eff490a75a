package keys

import (
	"errors"
	"fmt"
	"strings"
)

// Role says what a key may sign for. Roles authority, custodian and verifier own the control streams of the same name.
// Role online owns no stream: its keys sign key records in the place of genesis's online authority.
type Role string

// The roles.
const (
	RoleWriter    Role = "writer"
	RoleAuthority Role = "authority"
	RoleCustodian Role = "custodian"
	RoleVerifier  Role = "verifier"
	RoleOnline    Role = "online"
)

// Valid reports whether the role is one of the five.
func (r Role) Valid() error {
	switch r {
	case RoleWriter, RoleAuthority, RoleCustodian, RoleVerifier, RoleOnline:
		return nil
	}
	return errors.New("a role is writer, authority, custodian, verifier or online")
}

// NeedsRecovery reports whether key records of this role are signed by the recovery authority alone. All others are signed
// by an online authority, that of genesis or a key of role online: it can mint neither its like nor a key that acknowledges
// and revokes.
func (r Role) NeedsRecovery() bool { return r == RoleAuthority || r == RoleOnline }

// reserved reports whether writer is the name of another role than writer, which no writer may have.
func reserved(writer string) bool { return writer != string(RoleWriter) && Role(writer).Valid() == nil }

// onlinePattern is the pattern of every key of role online.
const onlinePattern = string(RoleOnline) + ".*"

// checkPattern reports whether a key of this role may have this stream pattern: a writer name and ".*", or one whole
// stream name; control roles own exactly their own streams, and nobody else does. Role online owns none, and says so by the
// one pattern online.*, as no stream is named.
func checkPattern(role Role, pattern string) error {
	writer, rest, _ := strings.Cut(pattern, ".")
	if !writerName(writer) || (rest != "*" && !ulidName(rest)) {
		return errors.New(`a stream pattern is a writer name followed by ".*", or one whole stream name`)
	}
	if role == RoleWriter && reserved(writer) {
		return fmt.Errorf("streams of %s belong to that role alone; choose another writer name", writer)
	}
	if role == RoleOnline && pattern != onlinePattern {
		return fmt.Errorf("a key of role %s has the pattern %s, which no stream fits", role, onlinePattern)
	}
	if role != RoleWriter && writer != string(role) {
		return fmt.Errorf("a key of role %s signs streams of writer %s only", role, role)
	}
	return nil
}

// covers reports whether the stream fits the pattern. No stream is named online.
func covers(pattern, stream string) bool {
	writer, rest, _ := strings.Cut(stream, ".")
	if !writerName(writer) || !ulidName(rest) || writer == string(RoleOnline) {
		return false
	}
	return pattern == stream || pattern == writer+".*"
}

// writerName reports whether s matches [a-z0-9][a-z0-9-]{0,62}.
func writerName(s string) bool {
	if len(s) < 1 || len(s) > 63 || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return true
}

// ulidName reports whether s is a ULID in its one canonical spelling: 26 upper-case digits of Crockford's base 32, with a
// time in the years 2000 to 9999.
func ulidName(s string) bool {
	if len(s) != 26 || s[:10] < "00VHNCZB00" || s[:10] > "76EZ91ZPZZ" {
		return false
	}
	return strings.Trim(s, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == ""
}
