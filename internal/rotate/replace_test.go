package rotate_test

import (
	"testing"

	"github.com/wormlog/wormlog/internal/rotate/rotatetest"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// The recovery key makes new keys of the roles online and authority, and what they replace need not be there.
func TestReplace(t *testing.T) {
	s := rotatetest.New(t, keys.AlgorithmHMACSHA256)
	online := secretsmanager.KeySpec{Role: keys.RoleOnline, Streams: "online.*"}
	recovery := s.Recovery.WithLog(s.Log.ID).AuthoritySigner()
	for _, secret := range []string{rotatetest.Authority, "wormlog/new"} {
		done, err := s.Job().Replace(t.Context(), secret, online, recovery)
		if err != nil || done.Key == "" || done.NotRetired != nil {
			t.Fatalf("%+v, %v", done, err)
		}
		job := s.Job()
		job.AuthoritySecret = secret
		rotated, err := job.Run(t.Context(), rotatetest.Signing)
		if err != nil {
			t.Fatal(err)
		}
		if id := s.Write(`{}`); id != rotated.Key {
			t.Errorf("key %s signs, want %s", id, rotated.Key)
		}
	}
	acts := secretsmanager.KeySpec{Role: keys.RoleAuthority, Streams: "authority.*"}
	done, err := s.Job().Replace(t.Context(), rotatetest.Acts, acts, recovery)
	if err != nil || done.Previous != s.ActsKey {
		t.Fatalf("%+v, %v", done, err)
	}
	if rotated, err := s.Job().Run(t.Context(), rotatetest.Signing); err != nil || len(rotated.Retired) != 1 {
		t.Fatalf("%+v, %v", rotated, err)
	}
	intact(t, s)
}

// Only recovery vouches for these roles, and it for no other.
func TestReplaceByTheWrongKey(t *testing.T) {
	s := rotatetest.New(t, keys.AlgorithmEd25519)
	s.Write(`{}`)
	online, err := secretsmanager.Store{API: s.API}.LoadAuthoritySigner(t.Context(), rotatetest.Authority)
	if err != nil {
		t.Fatal(err)
	}
	for role, by := range map[keys.Role]keys.AuthoritySigner{
		keys.RoleOnline: online, keys.RoleAuthority: online, keys.RoleCustodian: s.Recovery.AuthoritySigner(),
	} {
		spec := secretsmanager.KeySpec{Role: role, Streams: string(role) + ".*"}
		if done, err := s.Job().Replace(t.Context(), "wormlog/new", spec, by); err == nil || done.Key != "" {
			t.Errorf("role %s: %+v", role, done)
		}
	}
	intact(t, s)
}
