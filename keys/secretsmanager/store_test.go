package secretsmanager

import (
	"errors"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/keys"
)

func TestCreateNeverOverwrites(t *testing.T) {
	f := newFake()
	s := Store{API: f}
	b, value := newBundle(t)
	for range 2 { // the same again is success
		if err := s.CreateBundle(t.Context(), signing, b); err != nil {
			t.Fatal(err)
		}
	}
	if v := f.secrets[signing].versions[InitialVersion(signing)]; v != value {
		t.Error("the secret does not hold the bundle under the version its record names")
	}
	other, _ := newBundle(t)
	err := s.CreateBundle(t.Context(), signing, other)
	if !errors.Is(err, keys.ErrExists) {
		t.Errorf("%v, want ErrExists", err)
	}
	wantCurrent(t, newProvider(t, f, nil), b)
}

func TestCreateFillsAnEmptySecret(t *testing.T) {
	f := newFake()
	f.secrets[signing] = &secret{versions: map[string]string{}}
	// Terraform made the secret; whoever fills it may not create any.
	b, _ := newBundle(t)
	if err := (Store{API: f}).CreateBundle(t.Context(), signing, b); err != nil {
		t.Fatal(err)
	}
	if n := f.count("CreateSecret"); n != 0 {
		t.Errorf("CreateSecret was called %d times", n)
	}
	wantCurrent(t, newProvider(t, f, nil), b)
}

// TestTwoCreators stores another bundle between the look and the write.
func TestTwoCreators(t *testing.T) {
	for _, call := range []string{"PutSecretValue", "CreateSecret"} {
		f := newFake()
		faster, fasterValue := newBundle(t)
		slower, _ := newBundle(t)
		f.fail("GetSecretValue", false, apiError("ResourceNotFoundException", "not yet"))
		if call == "CreateSecret" {
			f.fail("PutSecretValue", false, apiError("ResourceNotFoundException", "not yet"))
		}
		f.set(signing, InitialVersion(signing), fasterValue)
		if err := (Store{API: f}).CreateBundle(t.Context(), signing, slower); !errors.Is(err, keys.ErrExists) {
			t.Errorf("%s: %v, want ErrExists", call, err)
		}
		wantCurrent(t, newProvider(t, f, nil), faster)
	}
}

// TestCreateUnderFaults fails every call of a creation in both forms, then repeats it.
func TestCreateUnderFaults(t *testing.T) {
	for _, start := range []string{"absent", "empty"} {
		for _, call := range []string{"GetSecretValue", "PutSecretValue", "CreateSecret"} {
			for _, after := range []bool{false, true} {
				f := newFake()
				if start == "empty" {
					f.secrets[signing] = &secret{versions: map[string]string{}}
				}
				f.fail(call, after, errLost)
				b, _ := newBundle(t)
				took := after && (call == "CreateSecret" && start == "absent" || call == "PutSecretValue" && start == "empty")
				met := call != "CreateSecret" || start == "absent"
				err := (Store{API: f}).CreateBundle(t.Context(), signing, b)
				if wantOK := took || !met; (err == nil) != wantOK {
					t.Errorf("%s, %s, after %t: %v", start, call, after, err)
				}
				if err := (Store{API: f}).CreateBundle(t.Context(), signing, b); err != nil {
					t.Errorf("%s, %s, after %t, repeated: %v", start, call, after, err)
				}
				wantCurrent(t, newProvider(t, f, nil), b)
			}
		}
	}
}

func TestCreateUnknownOutcomeIsNotSuccess(t *testing.T) {
	f := newFake()
	b, _ := newBundle(t)
	f.fail("GetSecretValue", false, apiError("ResourceNotFoundException", ""))
	f.fail("CreateSecret", true, errLost)
	f.fail("GetSecretValue", false, errLost)
	if err := (Store{API: f}).CreateBundle(t.Context(), signing, b); err == nil || !strings.Contains(err.Error(), "outcome is unknown") {
		t.Errorf("%v, want an unknown outcome", err)
	}
}

func TestAuthorityIsStoredAndLoaded(t *testing.T) {
	f := newFake()
	s := Store{API: f, KMSKeyID: "alias/wormlog"}
	k, err := keys.NewAuthorityKey("online")
	if err != nil {
		t.Fatal(err)
	}
	k = k.WithLog(testLog)
	const name = "wormlog/authority"
	if _, err := s.LoadAuthority(t.Context(), name); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	if err := s.CreateAuthority(t.Context(), name, k); err != nil {
		t.Fatal(err)
	}
	got, err := s.LoadAuthority(t.Context(), name)
	if err != nil || got.Authority().ID() != k.Authority().ID() || got.LogID() != testLog {
		t.Errorf("%v, %v", got, err)
	}
	_, value := newBundle(t)
	f.set(name, "v2", value)
	if _, err := s.LoadAuthority(t.Context(), name); err == nil || !strings.Contains(err.Error(), "no authority key") {
		t.Errorf("a bundle as authority key: %v", err)
	}
}

func TestCopies(t *testing.T) {
	f := newFake()
	b, value := newBundle(t)
	c := Copies{API: f, Prefix: "wormlog/verification/"}
	name := "wormlog/verification/" + string(b.KeyID())
	if c.Name(b.KeyID()) != name {
		t.Errorf("name %s", c.Name(b.KeyID()))
	}
	if _, err := c.EntryKey(t.Context(), b.KeyID()); !errors.Is(err, keys.ErrNoVerificationCopy) {
		t.Errorf("%v, want ErrNoVerificationCopy", err)
	}
	for range 2 {
		if err := c.PutCopy(t.Context(), b.VerificationCopy()); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.EntryKey(t.Context(), b.KeyID()); err != nil || got.KeyID() != b.KeyID() {
		t.Errorf("%v, %v", got, err)
	}
	f.fail("GetSecretValue", false, apiError("AccessDeniedException", "not authorized"))
	if _, err := c.EntryKey(t.Context(), b.KeyID()); !errors.Is(err, keys.ErrDenied) || errors.Is(err, keys.ErrNoVerificationCopy) {
		t.Errorf("%v, want ErrDenied", err)
	}
	f.fail("GetSecretValue", false, errLost)
	if _, err := c.EntryKey(t.Context(), b.KeyID()); err == nil || errors.Is(err, keys.ErrDenied) || errors.Is(err, keys.ErrNoVerificationCopy) {
		t.Errorf("%v, want neither absent nor denied", err)
	}
	if _, err := c.EntryKey(t.Context(), "../payments"); err == nil {
		t.Error("a path passes as key ID")
	}
	other, _ := newBundle(t)
	f.set(name, "v2", stored(t, other.VerificationCopy()))
	if _, err := c.EntryKey(t.Context(), b.KeyID()); !errors.Is(err, keys.ErrMismatch) {
		t.Errorf("%v, want ErrMismatch", err)
	}
	f.set(name, "v3", value)
	if _, err := c.EntryKey(t.Context(), b.KeyID()); err == nil || strings.Contains(err.Error(), value) {
		t.Errorf("a bundle as copy: %v", err)
	}
	if err := c.PutCopy(t.Context(), b.VerificationCopy()); !errors.Is(err, keys.ErrExists) {
		t.Errorf("%v, want ErrExists", err)
	}
}
