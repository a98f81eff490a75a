package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestBundleRoundTrip(t *testing.T) {
	hmacBundle, _ := newTestKey(t, RoleWriter, "payments.*", AlgorithmHMACSHA256)
	edBundle, _ := newTestKey(t, RoleCustodian, "custodian.*", AlgorithmEd25519)
	for _, b := range []*Bundle{hmacBundle, edBundle, vectorBundle(t)} {
		secret, err := b.Secret()
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range [][]byte{secret, append(bytes.Clone(secret), '\n')} {
			got, err := ParseBundle(stored)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, b) {
				t.Error("a bundle changes when it is stored")
			}
		}
		if bytes.ContainsAny(secret, "\n ") {
			t.Errorf("the secret of %s is not one line of canonical JSON", b.KeyID())
		}
	}
}

func TestBundleBytes(t *testing.T) {
	secret, err := vectorBundle(t).Secret()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"format":"wormlog/v1-draft","log_id":"` + string(testLog) + `","key_id":"` + string(vectorKeyID) + `","role":"writer",` +
		`"entry_key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","manifest_key":"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="}`
	if string(secret) != want {
		t.Errorf("bundle\n got %s\nwant %s", secret, want)
	}
}

func TestFreshKeysFitTheirRecords(t *testing.T) {
	for _, alg := range []Algorithm{AlgorithmEd25519, AlgorithmHMACSHA256} {
		b, r := newTestKey(t, RoleWriter, "payments.*", alg)
		if b.LogID() != testLog || b.Role() != RoleWriter {
			t.Errorf("bundle of log %s, role %s", b.LogID(), b.Role())
		}
		k, err := b.SigningKey(r)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := r.ID()
		if k.ID() != id || k.Signer().KeyID() != id || !reflect.DeepEqual(k.Record(), r) {
			t.Errorf("signing key %s, record %s", k.ID(), id)
		}
		s, err := k.EntrySigner(testStream)
		if err != nil {
			t.Fatal(err)
		}
		v, err := r.EntryVerifier(testStream, b.VerificationCopy())
		if err != nil {
			t.Fatal(err)
		}
		sig, err := s.AppendSignature(nil, []byte("{}"))
		if err != nil || !v.VerifyEntry([]byte("{}"), sig) {
			t.Errorf("%s: the verifier refuses what the signer signed (%v)", alg, err)
		}
		o, err := signLine(KindReceipt, testLog, []byte("{}"), k.Signer())
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyLine(KindReceipt, testLog, id, r.PublicKey, o); err != nil {
			t.Error(err)
		}
		_, err = k.EntrySigner("payroll." + ulidText)
		wantError(t, err, "payroll", "payments.*")
		_, err = r.EntryVerifier("payroll."+ulidText, b.VerificationCopy())
		wantError(t, err, "payroll")
	}
	_, _, err := NewKey(testLog, RoleVerifier, "verifier.*", AlgorithmHMACSHA256, map[string]string{"a": "b"}, "")
	wantError(t, err, "ed25519 only")
}

func TestSigningKeyRefusesStrangers(t *testing.T) {
	b, r := newTestKey(t, RoleWriter, "payments.*", AlgorithmHMACSHA256)
	other, otherRecord := newTestKey(t, RoleWriter, "payments.*", AlgorithmHMACSHA256)
	if _, err := b.SigningKey(otherRecord); !errors.Is(err, ErrMismatch) {
		t.Errorf("another record: %v", err)
	}
	id, _ := r.ID()
	for name, forged := range map[string]*Bundle{
		"log":             {log: testLog[:63] + "0", redacted: redactedBundle(id), role: b.role, entry: b.entry, manifest: b.manifest},
		"role":            {log: b.log, redacted: redactedBundle(id), role: RoleCustodian, entry: b.entry, manifest: b.manifest},
		"manifest key":    {log: b.log, redacted: redactedBundle(id), role: b.role, entry: b.entry, manifest: other.manifest},
		"entry key":       {log: b.log, redacted: redactedBundle(id), role: b.role, entry: other.entry, manifest: b.manifest},
		"entry algorithm": {log: b.log, redacted: redactedBundle(id), role: b.role, manifest: b.manifest},
	} {
		_, err := forged.SigningKey(r)
		if !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v, want ErrMismatch", name, err)
		}
		t.Run(name, func(t *testing.T) { wantError(t, err, name, string(id)) })
	}
	r.Streams = "*"
	if _, err := b.SigningKey(r); err == nil {
		t.Error("a record that means nothing passes")
	}
}

func TestVerificationCopyMustFitTheCommitment(t *testing.T) {
	b, r := newTestKey(t, RoleWriter, "payments.*", AlgorithmHMACSHA256)
	other, _ := newTestKey(t, RoleWriter, "payments.*", AlgorithmHMACSHA256)
	c := b.VerificationCopy()
	for name, bad := range map[string]*VerificationCopy{
		"another key's": other.VerificationCopy(),
		"renamed":       {log: c.log, redacted: redactedCopy(c.id), entry: other.entry},
		"another log's": {log: testLog[:63] + "0", redacted: redactedCopy(c.id), entry: c.entry},
	} {
		if _, err := r.EntryVerifier(testStream, bad); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v, want ErrMismatch", name, err)
		}
	}
	if _, err := r.EntryVerifier(testStream, nil); !errors.Is(err, ErrNoVerificationCopy) {
		t.Errorf("no copy: %v, want ErrNoVerificationCopy", err)
	}
	ed, _ := newTestKey(t, RoleWriter, "payments.*", AlgorithmEd25519)
	if ed.VerificationCopy() != nil {
		t.Error("an Ed25519 key has a verification copy")
	}
	secret, err := c.Secret()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseVerificationCopy(secret)
	if err != nil || !reflect.DeepEqual(got, c) || got.KeyID() != b.KeyID() || got.LogID() != testLog {
		t.Errorf("a copy changes when it is stored (%v)", err)
	}
}

func TestAuthorityKey(t *testing.T) {
	k := newTestAuthority(t, "recovery")
	for _, k := range []*AuthorityKey{k, k.WithLog(testLog)} {
		secret, err := k.Secret()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseAuthorityKey(secret)
		if err != nil || !reflect.DeepEqual(got, k) {
			t.Errorf("an authority key changes when it is stored (%v)", err)
		}
		if (k.LogID() != "") != bytes.Contains(secret, []byte(`"log_id"`)) {
			t.Error("log_id is there without a log, or missing with one")
		}
	}
	a := k.Authority()
	if err := a.Valid(); err != nil {
		t.Error(err)
	}
	if a.Name != "recovery" || a.ID() != k.Signer().KeyID() {
		t.Errorf("authority %s, key %s, signer %s", a.Name, a.ID(), k.Signer().KeyID())
	}
	for name, bad := range map[string]Authority{
		"name":      {"a b", a.Algorithm, a.PublicKey},
		"no name":   {"", a.Algorithm, a.PublicKey},
		"algorithm": {a.Name, AlgorithmHMACSHA256, a.PublicKey},
		"key":       {a.Name, a.Algorithm, a.PublicKey[1:]},
	} {
		if bad.Valid() == nil {
			t.Errorf("%s: passes", name)
		}
	}
	if id := (Authority{}).ID(); id != "" {
		t.Errorf("no key has the ID %s", id)
	}
	if _, err := NewAuthorityKey("a/b"); err == nil {
		t.Error("a name with a slash passes")
	}
}

func TestStreamKey(t *testing.T) {
	k, err := NewStreamKey()
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.PublicKey().Ed25519()
	if err != nil || StreamKeyID(k.PublicKey()) != k.ID() || k.Signer().KeyID() != k.ID() {
		t.Fatalf("stream key %s: %v", k.ID(), err)
	}
	o, err := signLine(KindManifest, testLog, []byte("{}"), k.Signer())
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyLine(KindManifest, testLog, k.ID(), k.PublicKey(), o); err != nil {
		t.Error(err)
	}
	private := k.private.get().key
	signer := k.Signer()
	k.Destroy()
	k.Destroy()
	if _, err := signer.Sign(nil); err == nil {
		t.Error("a destroyed key signs")
	}
	if len(bytes.Trim(private, "\x00")) > 0 {
		t.Error("Destroy leaves the private key in memory")
	}
}

// TestSecretsAreParsedStrictly breaks each kind of secret in every way and looks for the input in the errors.
func TestSecretsAreParsedStrictly(t *testing.T) {
	b := vectorBundle(t)
	bundle, _ := b.Secret()
	verification, _ := b.VerificationCopy().Secret()
	authority, _ := newAuthorityKey(testLog, "online", vectorPrivate.Seed()).Secret()
	online := Bundle{redacted: redactedBundle(vectorKeyID), log: testLog, role: RoleOnline, manifest: b.manifest}
	onlineSecret, _ := online.Secret()
	short := base64.StdEncoding.EncodeToString(make([]byte, 31))
	for name, c := range map[string]struct {
		parse   func([]byte) error
		stored  string
		secrets []string
	}{
		"bundle":    {func(b []byte) error { _, err := ParseBundle(b); return err }, string(bundle), []string{b64(vectorEntryKey), b64(vectorPrivate.Seed())}},
		"copy":      {func(b []byte) error { _, err := ParseVerificationCopy(b); return err }, string(verification), []string{b64(vectorEntryKey)}},
		"authority": {func(b []byte) error { _, err := ParseAuthorityKey(b); return err }, string(authority), []string{b64(vectorPrivate.Seed())}},
		"signer":    {parseAuthoritySigner, string(authority), []string{b64(vectorPrivate.Seed())}},
		"online":    {parseAuthoritySigner, string(onlineSecret), []string{b64(vectorPrivate.Seed())}},
	} {
		if err := c.parse([]byte(c.stored)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		later := strings.Replace(c.stored, FormatDraft, "wormlog/v9", 1)
		if err := c.parse([]byte(later)); !errors.Is(err, ErrUnknownFormat) {
			t.Errorf("%s: later format: %v", name, err)
		}
		bad := []string{
			"", "null", "{}", "sk_live_hunter2", "\"sk_live_hunter2\"", later[:len(later)-1],
			c.stored + "\n\n", c.stored + " ", " " + c.stored, c.stored[:len(c.stored)-1],
			strings.Replace(c.stored, ":", ": ", 1),
			strings.Replace(c.stored, `{`, `{"sk_live_hunter2":"",`, 1),
			strings.Replace(c.stored, FormatDraft, "", 1),
			strings.Replace(c.stored, string(testLog), "sk_live_hunter2", 1),
			strings.Replace(c.stored, string(vectorKeyID), "sk_live_hunter2", 1),
			strings.Replace(c.stored, `"writer"`, `"sk_live_hunter2"`, 1),
			strings.Replace(c.stored, `"writer"`, `"custodian"`, 1),
			strings.Replace(c.stored, `"role":"online"`, `"role":"writer"`, 1),
			strings.Replace(c.stored, `"role":"online"`, `"role":"sk_live_hunter2"`, 1),
			strings.Replace(c.stored, `"online"`, `"sk_live hunter2"`, 1),
			strings.Repeat("sk_live_hunter2", MaxSecret/10),
		}
		for _, s := range c.secrets {
			bad = append(bad, strings.Replace(c.stored, s, short, 1), strings.Replace(c.stored, s, "", 1),
				strings.Replace(c.stored, s, "sk_live_hunter2", 1), strings.Replace(c.stored, `"`+s+`"`, "null", 1))
		}
		for _, in := range bad {
			if in == c.stored {
				continue // the change does not apply to this kind
			}
			err := c.parse([]byte(in))
			if err == nil {
				t.Errorf("%s: parsed %.200s", name, in)
				continue
			}
			for _, s := range append(c.secrets, "hunter2") {
				if strings.Contains(err.Error(), s) {
					t.Errorf("%s: error %q holds the input", name, err)
				}
			}
		}
	}
}

func parseAuthoritySigner(b []byte) error { _, err := ParseAuthoritySigner(b); return err }

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func FuzzParseSecrets(f *testing.F) {
	b := vectorBundle(f)
	for _, secret := range []func() ([]byte, error){
		b.Secret, b.VerificationCopy().Secret, newAuthorityKey(testLog, "online", vectorPrivate.Seed()).Secret,
	} {
		s, err := secret()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if v, err := ParseBundle(in); err == nil {
			sameSecret(t, in, v.Secret)
		}
		if v, err := ParseVerificationCopy(in); err == nil {
			sameSecret(t, in, v.Secret)
		}
		authority, authorityErr := ParseAuthorityKey(in)
		if authorityErr == nil {
			sameSecret(t, in, authority.Secret)
		}
		bundle, bundleErr := ParseBundle(in)
		_, err := ParseAuthoritySigner(in)
		if want := authorityErr == nil || bundleErr == nil && bundle.Role() == RoleOnline; want != (err == nil) {
			t.Fatalf("%q as a signer of key records: %v, as an authority key: %v, as a bundle: %v", in, err, authorityErr, bundleErr)
		}
	})
}

func sameSecret(t *testing.T, in []byte, secret func() ([]byte, error)) {
	t.Helper()
	out, err := secret()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, bytes.TrimSuffix(in, []byte{'\n'})) {
		t.Fatalf("parsed %q, wrote %q", in, out)
	}
}
