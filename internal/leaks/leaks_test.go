package leaks

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// marked is a seed as a marked build makes it.
func marked(t *testing.T) []byte {
	t.Helper()
	mark, err := base64.StdEncoding.DecodeString(Mark)
	if err != nil || len(mark) != 12 {
		t.Fatalf("the mark has %d bytes, %v", len(mark), err)
	}
	return append(mark, "of the rest nothing "...)
}

// A scanner that is blind would find nothing too: every way of writing a secret must be seen, wherever it stands.
func TestFindSeesPlantedSecrets(t *testing.T) {
	seed := marked(t)
	private := ed25519.NewKeyFromSeed(seed)
	text := base64.StdEncoding.EncodeToString(seed)
	bundle := []byte(`{"format":"wormlog/v1-draft","manifest_key":"` + text + `"}`)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct{ Seed []byte }
	planted := map[string]string{
		"the key in PEM":       string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		"base64 for URLs":      base64.URLEncoding.EncodeToString(seed),
		"base64 of the bundle": base64.StdEncoding.EncodeToString(bundle),
		"hex dump":             hex.Dump(append([]byte("0123"), seed...)),
		"lower case":           strings.ToLower(text),
		"query":                url.QueryEscape(string(seed)),
		"openssl":              strings.ReplaceAll(fmt.Sprintf("% x", seed), " ", ":"),
		"path":                 url.PathEscape(text),
		"gzip":                 compressed(t, bundle, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }),
		"zstd":                 compressed(t, bundle, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
	}
	for name, value := range map[string]any{
		"seed": seed, "array": [32]byte(seed), "text": text, "private key": private, "bundle": bundle, "struct": holder{seed}, "pointer": &holder{seed},
		"string": string(seed), "nested": map[string]any{"a": []holder{{seed}}}, "error": fmt.Errorf("bad key %q", bundle),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%+q", "%x", "%X", "% x", "%# x", "%#X", "%d", "%o", "%#o"} {
			planted[name+" "+verb] = fmt.Sprintf(verb, value)
		}
		if j, err := json.Marshal(value); err == nil && name != "error" {
			planted[name+" JSON"] = string(j)
			planted[name+" JSON twice"] = mustJSON(t, string(j))
			var indented bytes.Buffer
			if err := json.Indent(&indented, j, "", "        "); err != nil {
				t.Fatal(err)
			}
			planted[name+" JSON indented"] = indented.String()
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", value)
		planted[name+" slog"] = log.String()
	}
	var coded bytes.Buffer
	if err := gob.NewEncoder(&coded).Encode(holder{seed}); err != nil {
		t.Fatal(err)
	}
	planted["gob"] = coded.String()
	for name, secret := range planted {
		in := secret
		if name != "gzip" && name != "zstd" {
			in = strings.Repeat("an innocent line\n", 100) + "key=" + secret + ".\n"
		}
		if len(Find([]byte(in))) == 0 {
			t.Errorf("%s: not seen: %.200q", name, secret)
		}
	}
}

func compressed(t *testing.T, b []byte, open func(io.Writer) (io.WriteCloser, error)) string {
	t.Helper()
	var out bytes.Buffer
	w, err := open(&out)
	if err == nil {
		_, err = w.Write(append(bytes.Repeat([]byte("many lines\n"), 1000), b...))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func mustJSON(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFindIsSilentOnTheInnocent(t *testing.T) {
	random := make([]byte, 4<<20)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "random": random, "hex": []byte(hex.EncodeToString(random)), "base64": []byte(base64.StdEncoding.EncodeToString(random)),
		"decimal": []byte(fmt.Sprint(random[:1<<20])), "broken gzip": {0x1f, 0x8b, 1}, "broken zstd": {0x28, 0xb5, 0x2f, 0xfd, 1},
		"half a mark": []byte(Mark[:8]),
	} {
		if found := Find(b); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	for _, doc := range docs {
		b, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		if found := Find(b); len(found) > 0 {
			t.Errorf("%s: %v", doc, found)
		}
	}
}
