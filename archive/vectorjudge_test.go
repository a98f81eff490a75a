package archive_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/internal/vectors"
	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// judges say what is made of a vector. They judge in the order of docs/format.md, and return the bytes that the parsed
// value is written as.
var judges = map[string]func(t *testing.T, v *vectors.Vector) ([]byte, error){
	"genesis": judgeGenesis, "key": judgeRecord, "manifest": judgeManifest, "receipt": judgeReceipt, "act": judgeAct,
	"attestation": judgeAct, "heads": judgeHeads, "trust": judgeTrust, "segment": judgeSegment, "checkpoint": judgeCheckpoint,
}

func TestVectors(t *testing.T) {
	for folder, judge := range judges {
		for _, validity := range []string{"valid", "invalid"} {
			for name, v := range readVectors(t, folder+"/"+validity) {
				t.Run(folder+"/"+validity+"/"+name, func(t *testing.T) {
					again, err := judge(t, v)
					if got := class(err); got != v.Error {
						t.Fatalf("%s: class %q (%v), want %q", v.Description, got, err, v.Error)
					}
					if err == nil && again != nil && !bytes.Equal(again, v.Bytes()) {
						t.Errorf("%s: written again as\n%q, was\n%q", v.Description, again, v.Bytes())
					}
				})
			}
		}
	}
}

func readVectors(t testing.TB, folder string) map[string]*vectors.Vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(vectorsDir, folder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 && folder != "checkpoint/invalid" {
		t.Fatalf("no vectors in %s", folder)
	}
	all := map[string]*vectors.Vector{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		v := new(vectors.Vector)
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if (v.Error == "") != strings.HasSuffix(folder, "/valid") {
			t.Errorf("%s: in the wrong folder", f)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".json")] = v
	}
	return all
}

var (
	errHash  = errors.New("not what its hash says")
	errChain = errors.New("it does not follow the manifest before")
	errTree  = errors.New("the trees do not add up")
)

// class is the class of failure that an error stands for.
func class(err error) string {
	for _, c := range []struct {
		name string
		errs []error
	}{
		{"hash-mismatch", []error{errHash, archive.ErrRecordName}},
		{"unknown-format", []error{archive.ErrUnknownFormat}},
		{"malformed", []error{archive.ErrMalformed}},
		{"wrong-log", []error{archive.ErrWrongLog}},
		{"unknown-key", []error{archive.ErrUnknownSigner}},
		{"bad-signature", []error{keys.ErrBadSignature}},
		{"chain-broken", []error{errChain}},
		{"tree-mismatch", []error{errTree}},
		{"frame", []error{archive.ErrFrame}},
	} {
		for _, e := range c.errs {
			if errors.Is(err, e) {
				return c.name
			}
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// oneObject is a store that holds nothing but log.json.
type oneObject struct {
	archive.Store
	body []byte
}

func (o oneObject) Get(context.Context, string, string, int64) ([]byte, archive.Object, error) {
	return o.body, archive.Object{}, nil
}

func (o oneObject) Versions(context.Context, string, string) iter.Seq2[archive.Version, error] {
	return func(yield func(archive.Version, error) bool) {
		yield(archive.Version{Key: archive.GenesisKey, VersionID: "1", IsLatest: true}, nil)
	}
}

// recordStore is a store that holds nothing but key records.
type recordStore struct {
	archive.Store
	bodies map[string][]byte
}

// records is the store of key records under their names.
func records(stored []string) recordStore {
	r := recordStore{bodies: map[string][]byte{}}
	for _, s := range stored {
		id := lineobject.HexDigest(lineobject.FirstLine([]byte(s)))[:32]
		r.bodies[archive.RecordKey(keys.ID(id))] = []byte(s)
	}
	return r
}

func (r recordStore) Get(_ context.Context, key, _ string, _ int64) ([]byte, archive.Object, error) {
	b, ok := r.bodies[key]
	if !ok {
		return nil, archive.Object{}, archive.ErrNotFound
	}
	return b, archive.Object{Key: key}, nil
}

func (r recordStore) Versions(_ context.Context, key, _ string) iter.Seq2[archive.Version, error] {
	return func(yield func(archive.Version, error) bool) {
		yield(archive.Version{Key: key, VersionID: "1", IsLatest: true}, nil)
	}
}

func judgeGenesis(t *testing.T, v *vectors.Vector) ([]byte, error) {
	l, err := archive.OpenLog(t.Context(), oneObject{body: v.Bytes()}, keys.LogID(v.Name))
	if v.Name != "" && errors.Is(err, archive.ErrWrongLog) {
		return nil, errHash
	}
	if err != nil {
		return nil, err
	}
	return rewritten(t, v.Bytes(), l.Genesis), nil
}

// rewritten is a line object with line 1 written from the value that was parsed.
func rewritten(t *testing.T, b []byte, value any) []byte {
	t.Helper()
	o, err := lineobject.Split(b)
	if err != nil {
		t.Fatal(err)
	}
	if o.Line, err = lineobject.Marshal(value); err != nil {
		t.Fatal(err)
	}
	return o.Bytes()
}

// exampleLog is the log that all vectors belong to.
func exampleLog(t *testing.T) *archive.Log {
	t.Helper()
	l, err := archive.ParseLog(readExample(t, "archive/log.json"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func readExample(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectorsDir, "example", path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func judgeRecord(t *testing.T, v *vectors.Vector) ([]byte, error) {
	r, err := exampleLog(t).ParseRecord(t.Context(), records(v.Records), keys.ID(v.Name), v.Bytes())
	if err != nil {
		return nil, err
	}
	return rewritten(t, v.Bytes(), r), nil
}

func judgeManifest(t *testing.T, v *vectors.Vector) ([]byte, error) {
	m, o, err := archive.ParseManifest(v.Bytes())
	if err != nil {
		return nil, err
	}
	if err := judgeSigned(t, v, keys.KindManifest, m.LogID, o); err != nil {
		return nil, err
	}
	if v.Previous != "" {
		if err := follows([]byte(v.Previous), m); err != nil {
			return nil, err
		}
	}
	return rewritten(t, v.Bytes(), m), nil
}

func judgeSigned(t *testing.T, v *vectors.Vector, kind keys.Kind, log keys.LogID, o lineobject.Object) error {
	t.Helper()
	if want := exampleLog(t).ID; log != want {
		return fmt.Errorf("%w: %s", archive.ErrWrongLog, log)
	}
	public, err := base64.StdEncoding.DecodeString(v.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return keys.VerifyLine(kind, log, keys.ID(v.KeyID), public, o)
}

// follows says whether m is the next manifest behind the stored one.
func follows(stored []byte, m *archive.Manifest) error {
	before, _, err := archive.ParseManifest(stored)
	if err != nil {
		return err
	}
	if before.Final || m.Stream != before.Stream || m.Sequence != before.Sequence+1 ||
		m.Previous.SHA256 != archive.ManifestDigest(stored) {
		return errChain
	}
	if m.Begin() != before.Tree.Size {
		return errTree
	}
	sum := before.Range().Clone()
	for i := range m.Segments {
		if err := sum.Merge(m.Segments[i].Leaves()); err != nil {
			return err
		}
	}
	if !sum.Equal(m.Range()) {
		return errTree
	}
	return nil
}

func judgeReceipt(t *testing.T, v *vectors.Vector) ([]byte, error) {
	r, o, err := archive.ParseReceipt(v.Bytes())
	if err != nil {
		return nil, err
	}
	if err := judgeSigned(t, v, keys.KindReceipt, r.LogID, o); err != nil {
		return nil, err
	}
	return rewritten(t, v.Bytes(), r), nil
}

func judgeAct(t *testing.T, v *vectors.Vector) ([]byte, error) {
	act, err := archive.ParseAct(keys.Role(v.Role), v.Type, v.Bytes())
	if err != nil {
		return nil, err
	}
	b, err := archive.FormatAct(act)
	if err != nil {
		t.Fatal(err)
	}
	return b, nil
}

func judgeHeads(t *testing.T, v *vectors.Vector) ([]byte, error) {
	h, err := archive.ParseHeadFile(v.Bytes())
	if err != nil {
		return nil, err
	}
	b, err := archive.FormatHeadFile(h)
	if err != nil {
		t.Fatal(err)
	}
	return b, nil
}

func judgeTrust(t *testing.T, v *vectors.Vector) ([]byte, error) {
	f, err := archive.ParseTrustFile(v.Bytes())
	if errors.Is(err, archive.ErrWrongLog) {
		return nil, errHash
	}
	if err != nil {
		return nil, err
	}
	b, err := archive.FormatTrustFile(f)
	if err != nil {
		t.Fatal(err)
	}
	return b, nil
}

func judgeSegment(_ *testing.T, v *vectors.Vector) ([]byte, error) {
	raw, err := archive.DecodeSegment(v.Bytes(), v.RawBytes)
	if err != nil {
		return nil, err
	}
	if uint64(len(raw)) != v.RawBytes {
		return nil, errHash
	}
	if v.RawSHA256 != "" {
		if got := sha256.Sum256(raw); hex.EncodeToString(got[:]) != v.RawSHA256 {
			return nil, fmt.Errorf("decodes to SHA-256 %x", got)
		}
	}
	return nil, archive.EachLine(raw, func(line []byte) error {
		_, err := archive.ParseLine(line)
		return err
	})
}

func judgeCheckpoint(t *testing.T, v *vectors.Vector) ([]byte, error) {
	public, err := base64.StdEncoding.DecodeString(v.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := keys.PublicKey(public).Ed25519()
	if err != nil {
		t.Fatal(err)
	}
	verifierKey, err := note.NewEd25519VerifierKey(v.Name, ed25519.PublicKey(raw))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(v.Bytes(), note.VerifierList(verifier))
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(n.Text, v.Name+"\n") {
		return nil, fmt.Errorf("the first line of %q is not the name", n.Text)
	}
	return nil, nil
}
