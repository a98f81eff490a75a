// Package vectors makes the files of testdata/vectors that have a log to live in: the worked example and, for every kind
// of object, valid and invalid ones by name.
//
//	files, err := vectors.Files()   // path below testdata/vectors -> content, the same at every run
//
// It is written from docs/format.md alone and shares no code with the packages archive and keys, so that the vectors
// test those and are no copy of what they do. Everything is fixed: seeds, times, names.
package vectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Vector is one file: an input and what a reader must make of it. Which members are used depends on the folder.
type Vector struct {
	Description string `json:"description"`
	// Input is what is parsed. InputBase64 takes its place where it is no text.
	Input       string `json:"input,omitempty"`
	InputBase64 []byte `json:"input_base64,omitempty"`
	// Repeat says what the text "<repeat>" in Input stands for, to keep big inputs out of the file.
	Repeat *Repeat `json:"repeat,omitempty"`
	// Name is the name the object is found under: a log ID that is pinned, or a key ID.
	Name string `json:"name,omitempty"`
	// Records are the other key records of the archive that a key record is judged in.
	Records []string `json:"records,omitempty"`
	// KeyID and PublicKey are of the key that must have signed.
	KeyID     string `json:"key_id,omitempty"`
	PublicKey string `json:"public_key,omitempty"`
	// Previous is the stored manifest before.
	Previous string `json:"previous,omitempty"`
	// Role and Type are those of the control stream and the entry that an act is found in.
	Role string `json:"role,omitempty"`
	Type string `json:"type,omitempty"`
	// RawBytes is the raw_bytes that the manifest states of a segment, RawSHA256 the digest of what it decodes to.
	RawBytes  uint64 `json:"raw_bytes,omitempty"`
	RawSHA256 string `json:"raw_sha256,omitempty"`
	// Error is the class of failure; absent in valid vectors.
	Error string `json:"error,omitempty"`
}

// Repeat is a text and how often it stands in the place of "<repeat>".
type Repeat struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// Classes of failure, in the order of judgement.
const (
	hashMismatch  = "hash-mismatch"  // not what its name, pin or manifest says
	unknownFormat = "unknown-format" // another release may read it
	malformed     = "malformed"      // not what a writer produces
	wrongLog      = "wrong-log"      // belongs to another log
	unknownKey    = "unknown-key"    // signed by a key of which there is no record
	badSignature  = "bad-signature"  // not signed by the key that must sign
	chainBroken   = "chain-broken"   // does not follow the manifest before
	treeMismatch  = "tree-mismatch"  // the trees do not add up
	badFrame      = "frame"          // not one conforming zstd frame
)

// Bytes is the input with the repetition carried out.
func (v *Vector) Bytes() []byte {
	if v.InputBase64 != nil {
		return v.InputBase64
	}
	if v.Repeat == nil {
		return []byte(v.Input)
	}
	return []byte(strings.ReplaceAll(v.Input, "<repeat>", strings.Repeat(v.Repeat.Text, v.Repeat.Count)))
}

// set makes the vector of a folder and a name.
type set struct {
	files map[string][]byte
}

// Files returns every generated file by its path below testdata/vectors.
func Files() (map[string][]byte, error) {
	s := &set{files: map[string][]byte{}}
	e := newExample()
	for path, b := range e.files() {
		s.files["example/"+path] = b
	}
	s.genesis(e)
	s.records(e)
	s.manifests(e)
	s.receipts(e)
	s.acts()
	s.attestations()
	s.heads(e)
	s.trust(e)
	s.segments(e)
	s.checkpoints()
	return s.files, nil
}

func (s *set) add(folder, name string, v Vector) {
	if v.Input != "" && !utf8.ValidString(v.Input) {
		v.InputBase64, v.Input = []byte(v.Input), ""
	}
	dir := "valid"
	if v.Error != "" {
		dir = "invalid"
	}
	path := folder + "/" + dir + "/" + name + ".json"
	if _, ok := s.files[path]; ok {
		panic("two vectors " + path)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	s.files[path] = b.Bytes()
}

// replace is strings.Replace of the first old, which must be there.
func replace(s, old, new string) string {
	if !strings.Contains(s, old) {
		panic(fmt.Sprintf("no %q in %.200q", old, s))
	}
	return strings.Replace(s, old, new, 1)
}

// edit is a mutation of a text.
type edit func(string) string

// swap is the edit that replaces the first old.
func swap(old, new string) edit { return func(s string) string { return replace(s, old, new) } }
