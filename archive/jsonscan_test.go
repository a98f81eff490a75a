package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// dataVector is a file of testdata/vectors/data.
type dataVector struct {
	Description   string       `json:"description"`
	Input         *string      `json:"input"`
	InputBase64   []byte       `json:"input_base64"`
	Compact       *string      `json:"compact"`
	CompactBase64 []byte       `json:"compact_base64"`
	Reason        payloadFault `json:"reason"`
	Accepts       bool         `json:"verifier_accepts_input"`
}

func (v dataVector) input() []byte   { return textOr(v.Input, v.InputBase64) }
func (v dataVector) compact() []byte { return textOr(v.Compact, v.CompactBase64) }

func textOr(s *string, b []byte) []byte {
	if s != nil {
		return []byte(*s)
	}
	return b
}

// readVectors reads all files of a folder of testdata/vectors, by name.
func readVectors[T any](t testing.TB, folder string) map[string]T {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../testdata/vectors", folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s (%v)", folder, err)
	}
	vectors := map[string]T{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var v T
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		vectors[strings.TrimSuffix(filepath.Base(f), ".json")] = v
	}
	return vectors
}

func TestDataVectorsValid(t *testing.T) {
	for name, v := range readVectors[dataVector](t, "data/valid") {
		t.Run(name, func(t *testing.T) {
			got, err := appendCompact([]byte("before"), v.input())
			if want := "before" + string(v.compact()); err != nil || string(got) != want {
				t.Errorf("appendCompact = %q, %v; want %q", got, err, want)
			}
			if !validCompact(v.compact()) {
				t.Errorf("validCompact(%q) = false", v.compact())
			}
			if got := validCompact(v.input()); got != v.Accepts {
				t.Errorf("validCompact(%q) = %v", v.input(), got)
			}
		})
	}
}

func TestDataVectorsInvalid(t *testing.T) {
	for name, v := range readVectors[dataVector](t, "data/invalid") {
		t.Run(name, func(t *testing.T) {
			got, err := appendCompact([]byte("before"), v.input())
			if string(got) != "before" {
				t.Errorf("appendCompact = %q", got)
			}
			var fault *payloadError
			if !errors.As(err, &fault) || fault.fault != v.Reason {
				t.Errorf("appendCompact(%q): %v; want %q", v.input(), err, v.Reason)
			}
			if got := validCompact(v.input()); got != v.Accepts {
				t.Errorf("validCompact(%q) = %v", v.input(), got)
			}
		})
	}
}

func TestFaultPosition(t *testing.T) {
	for input, want := range map[string]int{
		"": 0, " x": 1, `{"a":1,}`: 7, `{"a":01}`: 6, `{"a":tru}`: 8, `"abcdefghij` + "\x01" + `"`: 11,
		`{"a":1,"b":2,"a":3}`: 13, `["\ud83d\ude00 \udead"]`: 15, "\"a\xff\"": 2, "{} {}": 3, `"\u12x4"`: 5, "[1,2": 4,
		strings.Repeat("[", 600): 512,
	} {
		_, err := appendCompact(nil, []byte(input))
		var fault *payloadError
		if !errors.As(err, &fault) || fault.at != want {
			t.Errorf("%.30q: %v; want byte %d", input, err, want)
		}
	}
}

// Real logs are compact already, or become what encoding/json makes of them.
func TestCompactRealLogs(t *testing.T) {
	for _, file := range []string{"invictus-cloudtrail/cloudtrail.ndjson", "stratus-red-team/cloudtrail-detonations.ndjson",
		"falco-k8s-audit/k8s-audit.ndjson", "eje/v8-eleanor_audit.jsonl", "eje/signature-vectors.ndjson"} {
		for i, line := range realLines(t, file) {
			var indented, want bytes.Buffer
			if json.Indent(&indented, line, "", "\t") != nil || json.Compact(&want, line) != nil {
				t.Fatalf("%s:%d is not JSON", file, i+1)
			}
			for _, input := range [][]byte{line, indented.Bytes()} {
				got, err := appendCompact(nil, input)
				if err != nil && file == "eje/signature-vectors.ndjson" {
					continue // holds a lone surrogate on purpose
				}
				if err != nil || !bytes.Equal(got, want.Bytes()) {
					t.Errorf("%s:%d: %v", file, i+1, err)
				}
			}
			if !validCompact(want.Bytes()) {
				t.Errorf("%s:%d: validCompact = false", file, i+1)
			}
		}
	}
}

func realLines(t testing.TB, file string) (lines [][]byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../testdata/logs", file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		lines = append(lines, bytes.TrimSuffix(line, []byte{'\n'}))
	}
	return lines
}

// What is large must end, and without taking much memory. Quadratic work here would run for minutes.
func TestScanLarge(t *testing.T) {
	const size = 16 << 20
	open := bytes.Repeat([]byte{'['}, size)
	if validCompact(open) {
		t.Error("16 MiB of [ are accepted")
	}
	closed := append(bytes.Repeat([]byte{'['}, size/2), bytes.Repeat([]byte{']'}, size/2)...)
	if !validCompact(closed) {
		t.Error("8 Mi of [ and 8 Mi of ] are refused")
	}
	closed[len(closed)-1] = '}'
	if validCompact(closed) {
		t.Error("a wrong last bracket is accepted")
	}
	if _, err := appendCompact(nil, open); err == nil {
		t.Error("16 MiB of [ are JSON")
	}
	members := manyMembers(300_000, "")
	if got, err := appendCompact(nil, members); err != nil || !bytes.Equal(got, members) {
		t.Errorf("300,000 members: %v", err)
	}
	if _, err := appendCompact(nil, manyMembers(300_000, `"name000000":0`)); err == nil || err.(*payloadError).fault != faultDuplicate {
		t.Errorf("300,000 members, one repeated: %v", err)
	}
	long := append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, size)...), '"')
	if got, err := appendCompact(nil, long); err != nil || len(got) != len(long) || !validCompact(long) {
		t.Errorf("a string of 16 MiB: %v", err)
	}
}

func manyMembers(n int, last string) []byte {
	b := []byte{'{'}
	for i := range n {
		b = fmt.Appendf(b, `"name%06d":0,`, i)
	}
	if last == "" {
		b[len(b)-1] = '}'
		return b
	}
	return append(append(b, last...), '}')
}

func TestScanAllocations(t *testing.T) {
	lines := realLines(t, "invictus-cloudtrail/cloudtrail.ndjson")
	dst := make([]byte, 0, 1<<20)
	i := 0
	if n := testing.AllocsPerRun(len(lines)-1, func() {
		if _, err := appendCompact(dst, lines[i]); err != nil {
			t.Fatal(err)
		}
		i++
	}); n != 0 {
		t.Errorf("appendCompact: %v allocations", n)
	}
	i = 0
	if n := testing.AllocsPerRun(len(lines)-1, func() { validCompact(lines[i]); i++ }); n != 0 {
		t.Errorf("validCompact: %v allocations", n)
	}
}

// oracle is what two other implementations make of src: its compact form, or false.
func oracle(src []byte) ([]byte, bool) {
	v := jsontext.Value(bytes.Clone(src))
	if err := v.Compact(); err != nil {
		return nil, false
	}
	// Compact accepts repeated names and invalid UTF-8; IsValid does not.
	return v, jsontext.Value(src).IsValid()
}

func addDataSeeds(f *testing.F) {
	for _, folder := range []string{"data/valid", "data/invalid"} {
		for _, v := range readVectors[dataVector](f, folder) {
			f.Add(v.input())
		}
	}
	for _, line := range realLines(f, "falco-k8s-audit/k8s-audit.ndjson")[:10] {
		f.Add(line)
	}
}

// Vectors and real entries with a few bytes changed, against both oracles: what fuzzing does, for the usual test run.
func TestScanMutations(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var seeds [][]byte
	for _, folder := range []string{"data/valid", "data/invalid"} {
		vectors := readVectors[dataVector](t, folder)
		for _, name := range slices.Sorted(maps.Keys(vectors)) {
			if v := vectors[name]; len(v.input()) < 200 {
				seeds = append(seeds, v.input())
			}
		}
	}
	seeds = append(seeds, realLines(t, "falco-k8s-audit/k8s-audit.ndjson")[:5]...)
	const bytesOfInterest = "\"\"\"\\\\{}[],,::\x00\x1f \t\n0123456789+-.eEuabdfnrt/\x7f\x80\xc3\xed\xff"
	for range 30_000 {
		b := bytes.Clone(seeds[r.IntN(len(seeds))])
		for range 1 + r.IntN(4) {
			i := r.IntN(len(b) + 1)
			b = slices.Replace(b, i, min(i+r.IntN(3), len(b)), bytesOfInterest[r.IntN(len(bytesOfInterest))])
		}
		compareAppendCompact(t, b)
		compareValidCompact(t, b)
	}
}

func FuzzAppendCompact(f *testing.F) {
	addDataSeeds(f)
	f.Fuzz(compareAppendCompact)
}

func FuzzValidCompact(f *testing.F) {
	addDataSeeds(f)
	f.Fuzz(compareValidCompact)
}

func compareAppendCompact(t *testing.T, src []byte) {
	got, err := appendCompact([]byte("x"), src)
	var fault *payloadError
	if errors.As(err, &fault) && fault.fault == faultDepth {
		return // the oracle allows 10,000
	}
	want, ok := oracle(src)
	if ok != (err == nil) {
		t.Fatalf("appendCompact(%q): %v, oracle %v", src, err, ok)
	}
	if ok && string(got) != "x"+string(want) {
		t.Fatalf("appendCompact(%q) = %q, oracle %q", src, got, want)
	}
	if !ok && string(got) != "x" {
		t.Fatalf("appendCompact(%q) appended %q", src, got)
	}
	if ok && !validCompact(got[1:]) {
		t.Fatalf("validCompact(%q) = false", got)
	}
}

func compareValidCompact(t *testing.T, data []byte) {
	var compact bytes.Buffer
	// encoding/json judges grammar alone, as validCompact does.
	want := json.Valid(data) && json.Compact(&compact, data) == nil && bytes.Equal(compact.Bytes(), data)
	if got := validCompact(data); got != want {
		t.Fatalf("validCompact(%q) = %v, oracle %v", data, got, want)
	}
}

func benchmarkLines(b *testing.B, f func(line []byte) bool) {
	lines := realLines(b, "invictus-cloudtrail/cloudtrail.ndjson")
	size := 0
	for _, l := range lines {
		size += len(l)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, l := range lines {
			if !f(l) {
				b.Fatal("not accepted")
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(lines)), "ns/entry")
}

func BenchmarkAppendCompact(b *testing.B) {
	dst := make([]byte, 0, 1<<20)
	benchmarkLines(b, func(line []byte) bool {
		_, err := appendCompact(dst, line)
		return err == nil
	})
}

func BenchmarkValidCompact(b *testing.B) { benchmarkLines(b, validCompact) }

func BenchmarkAppendCompactManyMembers(b *testing.B) {
	members := manyMembers(1_000_000, "")
	dst := make([]byte, 0, len(members))
	b.SetBytes(int64(len(members)))
	for b.Loop() {
		if _, err := appendCompact(dst, members); err != nil {
			b.Fatal(err)
		}
	}
}
