package keys

import (
	"bytes"
	"strings"
	"testing"
)

// TestAuthoritySigner: whatever the secret of the online authority holds, it signs records as its own ID.
func TestAuthoritySigner(t *testing.T) {
	authority, err := NewAuthorityKey("online")
	if err != nil {
		t.Fatal(err)
	}
	bundle, record := newTestKey(t, RoleOnline, "online.*", AlgorithmEd25519)
	_, minted := newTestKey(t, RoleWriter, "payments.*", AlgorithmHMACSHA256)
	for name, c := range map[string]struct {
		secret func() ([]byte, error)
		id     ID
		log    LogID
		public PublicKey
	}{
		"authority":          {authority.Secret, authority.Authority().ID(), "", authority.Authority().PublicKey},
		"authority of a log": {authority.WithLog(testLog).Secret, authority.Authority().ID(), testLog, authority.Authority().PublicKey},
		"online":             {bundle.Secret, bundle.KeyID(), testLog, record.PublicKey},
	} {
		secret, err := c.secret()
		if err != nil {
			t.Fatal(err)
		}
		a, err := ParseAuthoritySigner(append(secret, '\n'))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if a.ID() != c.id || a.LogID() != c.log || a.Signer().KeyID() != c.id {
			t.Errorf("%s: key %s of log %q signs as %s", name, a.ID(), a.LogID(), a.Signer().KeyID())
		}
		stored, _, err := SignRecord(minted, a.Signer())
		if err != nil {
			t.Fatal(err)
		}
		_, o, err := ParseRecord(stored)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyLine(KindKey, testLog, c.id, c.public, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A signing secret named by mistake is told from one that is no secret of ours.
func TestAuthoritySignerOfAnotherRole(t *testing.T) {
	b, _ := newTestKey(t, RoleWriter, "payments.*", AlgorithmHMACSHA256)
	secret, err := b.Secret()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseAuthoritySigner(secret); err == nil || !strings.Contains(err.Error(), "role writer") {
		t.Errorf("a writer's bundle: %v", err)
	}
	if _, err := ParseAuthoritySigner(bytes.ToUpper(secret)); err == nil || !strings.Contains(err.Error(), "no authority key") {
		t.Errorf("no secret of ours: %v", err)
	}
}

// A key of role online is for key records alone.
func TestOnlineKeySignsNoEntries(t *testing.T) {
	b, r := newTestKey(t, RoleOnline, "online.*", AlgorithmEd25519)
	k, err := b.SigningKey(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.EntrySigner("online." + ulidText); err == nil {
		t.Error("a key of role online signs entries")
	}
}
