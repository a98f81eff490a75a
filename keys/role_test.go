package keys

import (
	"strings"
	"testing"
)

const ulidText = "01JD8Z6Y3M5N7P9QRSTVWXYZ01"

func TestPatterns(t *testing.T) {
	w63 := strings.Repeat("a", 63)
	for _, c := range []struct {
		role    Role
		pattern string
		ok      bool
	}{
		{RoleWriter, "payments.*", true},
		{RoleWriter, "0-.*", true},
		{RoleWriter, w63 + ".*", true},
		{RoleWriter, "payments." + ulidText, true},
		{RoleWriter, w63 + "a.*", false},
		{RoleWriter, "", false},
		{RoleWriter, "*", false},
		{RoleWriter, ".*", false},
		{RoleWriter, "payments", false},
		{RoleWriter, "payments.", false},
		{RoleWriter, "payments.**", false},
		{RoleWriter, "pay*", false},
		{RoleWriter, "pay*.*", false},
		{RoleWriter, "-payments.*", false},
		{RoleWriter, "Payments.*", false},
		{RoleWriter, "pay_ments.*", false},
		{RoleWriter, "päyments.*", false},
		{RoleWriter, "a.b.*", false},
		{RoleWriter, "payments." + strings.ToLower(ulidText), false},
		{RoleWriter, "payments.8" + ulidText[1:], false},
		{RoleWriter, "payments." + ulidText[1:], false},
		{RoleWriter, "payments." + ulidText[:25] + "U", false},
		{RoleWriter, "payments." + ulidText + ".*", false},
		{RoleWriter, "authority.*", false},
		{RoleWriter, "custodian." + ulidText, false},
		{RoleWriter, "verifier.*", false},
		{RoleWriter, "verifier2.*", true},
		{RoleAuthority, "authority.*", true},
		{RoleAuthority, "custodian.*", false},
		{RoleCustodian, "custodian." + ulidText, true},
		{RoleVerifier, "verifier.*", true},
		{RoleVerifier, "payments.*", false},
		{RoleOnline, "online.*", true},
		{RoleOnline, "online." + ulidText, false},
		{RoleOnline, "online2.*", false},
		{RoleOnline, "authority.*", false},
		{RoleWriter, "online.*", false},
		{RoleWriter, "online." + ulidText, false},
		{RoleWriter, "online2.*", true},
		{RoleAuthority, "online.*", false},
		{RoleWriter, "writer.*", true},
	} {
		if err := checkPattern(c.role, c.pattern); (err == nil) != c.ok {
			t.Errorf("role %s, pattern %q: %v", c.role, c.pattern, err)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		pattern, stream string
		want            bool
	}{
		{"payments.*", "payments." + ulidText, true},
		{"payments." + ulidText, "payments." + ulidText, true},
		{"payments." + ulidText, "payments.01JD8Z6Y3M5N7P9QRSTVWXYZ02", false},
		{"payments.*", "payments2." + ulidText, false},
		{"payments.*", "pay." + ulidText, false},
		{"payments.*", "payments.*", false},
		{"payments.*", "payments.x", false},
		{"payments.*", "payments." + strings.ToLower(ulidText), false},
		{"payments.*", "", false},
		{"", "", false},
		{"online.*", "online." + ulidText, false},
	} {
		if got := (Record{Streams: c.pattern}).Covers(c.stream); got != c.want {
			t.Errorf("pattern %q covers %q: %t", c.pattern, c.stream, got)
		}
	}
}

func TestIdentityForms(t *testing.T) {
	for _, l := range []LogID{"", "ab", LogID(strings.ToUpper(string(testLog))), testLog + "0", testLog[:63] + "g"} {
		if l.Valid() == nil {
			t.Errorf("log ID %q passes", l)
		}
	}
	for _, id := range []ID{"", "ab", ID(strings.ToUpper(string(testID))), testID + "0", testID[:31] + "/"} {
		if id.Valid() == nil {
			t.Errorf("key ID %q passes", id)
		}
	}
	if err := testLog.Valid(); err != nil {
		t.Error(err)
	}
	if err := testID.Valid(); err != nil {
		t.Error(err)
	}
	if Role("root").Valid() == nil || RoleCustodian.Valid() != nil || RoleOnline.Valid() != nil {
		t.Error("Role.Valid knows the wrong roles")
	}
	for role, want := range map[Role]bool{RoleWriter: false, RoleAuthority: true, RoleCustodian: false, RoleVerifier: false, RoleOnline: true} {
		if got := role.NeedsRecovery(); got != want {
			t.Errorf("records of role %s need the recovery key: %t", role, got)
		}
	}
}
