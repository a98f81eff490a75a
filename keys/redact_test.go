package keys

import (
	"bytes"
	"encoding/hex"
	stdjson "encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// holder is somebody else's struct, whose unexported fields fmt reads without asking their methods.
type holder struct {
	bundle    Bundle
	pointer   *Bundle
	key       SigningKey
	copy      VerificationCopy
	authority AuthorityKey
	online    AuthoritySigner
	stream    StreamKey
	signer    Signer
	entries   EntrySigner
	verifier  EntryVerifier
}

func TestNothingPrintsASecret(t *testing.T) {
	b := vectorBundle(t)
	key, err := b.SigningKey(vectorRecord())
	if err != nil {
		t.Fatal(err)
	}
	c := b.VerificationCopy()
	a := newAuthorityKey(testLog, "online", vectorPrivate.Seed())
	stream := &StreamKey{redacted: redacted{"stream key", testID}, public: vectorPublic, private: hide(&streamSecret{key: vectorPrivate})}
	entries, err := key.EntrySigner(testStream)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := vectorRecord().EntryVerifier(testStream, c)
	if err != nil {
		t.Fatal(err)
	}
	ed := NewEd25519EntrySigner(vectorPrivate, testLog, testID)
	online := a.AuthoritySigner()
	h := holder{*b, b, *key, *c, *a, online, *stream, key.Signer(), entries, verifier}
	for _, v := range []any{
		b, *b, key, *key, c, *c, a, *a, online, &online, online.Signer(), stream, *stream, stream.Signer(), key.Signer(), entries, verifier, ed, h, &h,
		[]*Bundle{b}, []Bundle{*b}, map[string]any{"a": *b, "b": a}, struct{ B any }{*b}, &struct{ B Bundle }{*b},
	} {
		for _, text := range shown(t, v) {
			if s := leak(text, entries.(hmacSigner).get()); s != "" {
				t.Errorf("%T shows %s: %.300s", v, s, text)
			}
		}
	}
	for _, v := range []fmt.Formatter{b, *b, key, c, a, online, key.Signer().(*signer)} {
		if got := fmt.Sprintf("%v", v); !strings.HasSuffix(got, " [secret]") {
			t.Errorf("%T prints as %q", v, got)
		}
	}
}

func shown(t *testing.T, v any) []string {
	t.Helper()
	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		out = append(out, fmt.Sprintf(verb, v))
	}
	if s, ok := v.(fmt.Stringer); ok {
		out = append(out, s.String())
	}
	if s, ok := v.(fmt.GoStringer); ok {
		out = append(out, s.GoString())
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
	j1, err1 := stdjson.Marshal(v)
	j2, err2 := json.Marshal(v, json.Deterministic(true))
	return append(out, log.String(), string(j1), string(j2), fmt.Sprint(err1), fmt.Sprint(err2))
}

// leak names a secret that the text holds in any of its usual spellings, pieces included.
func leak(text string, m *entryMAC) string {
	lower := strings.ToLower(text)
	for name, secret := range map[string][]byte{
		"the entry key": vectorEntryKey, "the manifest key": vectorPrivate.Seed(), "the saved state": m.inner[4:36], "the outer state": m.outer[4:36],
	} {
		part := secret[8:20]
		for _, spelling := range []string{
			hex.EncodeToString(part), strings.Trim(fmt.Sprint(part), "[]"), strings.ToLower(b64(secret)), strings.ToLower(b64(part)),
			strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte{"), "}"), string(part),
		} {
			if strings.Contains(lower, strings.ToLower(spelling)) {
				return name
			}
		}
	}
	return ""
}
