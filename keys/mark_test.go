//go:build markedkeys

package keys

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/internal/leaks"
)

// fresh is one of everything that holds a secret, made as in production.
type fresh struct {
	bundle    *Bundle
	key       *SigningKey
	copy      *VerificationCopy
	authority *AuthorityKey
	stream    *StreamKey
	entries   EntrySigner
	verifier  EntryVerifier
	ed25519   EntrySigner
}

func newFresh(t *testing.T) fresh {
	t.Helper()
	b, r := newTestKey(t, RoleWriter, "payments.*", AlgorithmHMACSHA256)
	key, err := b.SigningKey(r)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := NewStreamKey()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := key.EntrySigner(testStream)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := r.EntryVerifier(testStream, b.VerificationCopy())
	if err != nil {
		t.Fatal(err)
	}
	return fresh{b, key, b.VerificationCopy(), newTestAuthority(t, "online"), stream, entries, verifier, NewEd25519EntrySigner(b.private(), testLog, testID)}
}

// values are the parts of f as a program may hand them to a printer: by pointer, by value, inside other things.
func (f *fresh) values() []any {
	return []any{
		f.bundle, *f.bundle, f.key, *f.key, f.copy, *f.copy, f.authority, *f.authority, f.stream, *f.stream, f.entries, f.verifier, f.ed25519,
		f.key.Signer(), f.authority.Signer(), f.stream.Signer(), f, *f, []any{f.bundle, *f.bundle, f.authority},
		struct{ Key any }{*f.bundle}, fmt.Errorf("no use for %v", *f.bundle), errors.Join(fmt.Errorf("%+v", f)),
	}
}

func TestEverySecretIsMarked(t *testing.T) {
	f := newFresh(t)
	secrets := map[string]func() ([]byte, error){
		"bundle": f.bundle.Secret, "verification copy": f.copy.Secret, "authority key": f.authority.Secret,
		"stream key": func() ([]byte, error) { return f.stream.private.get().key, nil },
	}
	for name, secret := range secrets {
		b, err := secret()
		if err != nil || len(leaks.Find(b)) == 0 {
			t.Errorf("the %s is not marked (%v), so no leak of it would be found", name, err)
		}
	}
	bundle, err := f.bundle.Secret()
	if err != nil || bytes.Count(bundle, []byte(leaks.Mark)) != 2 {
		t.Errorf("not both seeds of the bundle are marked (%v)", err)
	}
}

func TestNothingShowsAMarkedSecret(t *testing.T) {
	f := newFresh(t)
	for i, v := range f.values() {
		text := shown(t, v)
		var b bytes.Buffer
		err := gob.NewEncoder(&b).Encode(v)
		for _, s := range append(text, b.String(), fmt.Sprint(err)) {
			for _, found := range leaks.Find([]byte(s)) {
				t.Errorf("value %d, a %T: %s in %.300q", i, v, found.Spelling, s)
			}
		}
	}
}

// Whoever may write to a log's secrets can put any text there, and an error must not carry it on: it may be the secret of
// somebody else.
func TestParsersQuoteNoSecret(t *testing.T) {
	f := newFresh(t)
	bundle, err := f.bundle.Secret()
	if err != nil {
		t.Fatal(err)
	}
	authority, err := f.authority.Secret()
	if err != nil {
		t.Fatal(err)
	}
	member := `"manifest_key":"`
	at := bytes.Index(bundle, []byte(member)) + len(member)
	key := string(bundle[at : at+44])
	for name, input := range map[string]string{
		"a pasted key": key, "a pasted key, quoted": `"` + key + `"`, "cut short": string(bundle[:at+40]), "indented": strings.ReplaceAll(string(bundle), ",", ",\n "),
		"another kind of secret": string(authority), "twice": string(bundle) + string(bundle), "a key too short": strings.Replace(string(bundle), key, key[:40], 1),
		"a key too long": strings.Replace(string(bundle), key, key[:40]+key, 1), "the key as member": strings.Replace(string(bundle), "manifest_key", key, 1),
		"the key as role": strings.Replace(string(bundle), `"writer"`, `"`+key+`"`, 1), "the key as format": strings.Replace(string(bundle), FormatDraft, key, 1),
		"the key as key ID":    strings.Replace(string(bundle), string(f.bundle.KeyID()), key[:32], 1),
		"the key as log ID":    strings.Replace(string(bundle), string(testLog), key, 1),
		"the key as authority": strings.Replace(string(authority), `"online"`, `"`+key+` "`, 1),
		"over the limit":       strings.Repeat(key, MaxSecret/44+1), "as record": `{"format":"` + key + `"}` + "\n",
	} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(input), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("WORMLOG_TEST_SECRET", input)
		_, err1 := ParseBundle([]byte(input))
		_, err2 := ParseVerificationCopy([]byte(input))
		_, err3 := ParseAuthorityKey([]byte(input))
		_, _, err4 := ParseRecord([]byte(input))
		_, err5 := FileProvider{path}.Current(t.Context())
		_, err6 := EnvProvider{"WORMLOG_TEST_SECRET"}.Current(t.Context())
		err7 := WriteSecretFile(path, []byte(key))
		for i, err := range []error{err1, err2, err3, err4, err5, err6, err7} {
			if found := leaks.Find(fmt.Appendf(nil, "%v %+v %#v", err, err, err)); len(found) > 0 {
				t.Errorf("%s: parser %d quotes it: %v", name, i, err)
			}
		}
	}
}

// A crash prints the value it is about and the arguments of all functions on all stacks, as words in hex.
func TestCrashesShowNoSecret(t *testing.T) {
	const about = "WORMLOG_TEST_CRASH"
	f := newFresh(t)
	values := f.values()
	if n := os.Getenv(about); n != "" {
		var i int
		if _, err := fmt.Sscan(n, &i); err != nil {
			t.Fatal(err)
		}
		crash(f, values[i])
	}
	for i := range values {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashesShowNoSecret$", "-test.v")
		c.Env = append(os.Environ(), fmt.Sprintf("%s=%d", about, i), "GOTRACEBACK=system")
		said, err := c.CombinedOutput()
		if err == nil || !bytes.Contains(said, []byte("panic: ")) || !bytes.Contains(said, []byte("goroutine ")) {
			t.Fatalf("value %d: no crash (%v)\n%s", i, err, said)
		}
		for _, found := range leaks.Find(said) {
			t.Errorf("value %d, a %T: %s\n%s", i, values[i], found.Spelling, said)
		}
	}
}

//go:noinline
func crash(_ fresh, v any) { panic(v) }
