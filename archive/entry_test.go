package archive

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

const (
	testKeyID  = keys.ID("0123456789abcdef0123456789abcdef")
	testStream = "billing-7.01KAPKJ2V0HJGQ3Z8M5T9X4B6C"
)

func testEntry() Entry {
	return Entry{
		Stream: testStream, ID: "01KAPKJ2V0AAAAAAAAAAAAAAAA", Type: "order.placed",
		Timestamp: time.Date(2026, 11, 22, 17, 26, 0, 123456789, time.UTC), Data: []byte(`{"amount":1.0}`),
	}
}

func formatLine(e *Entry, signature []byte) []byte {
	return appendLine(nil, testKeyID, signature, appendEntry(nil, e))
}

// again writes a parsed line anew, from what the Line says alone.
func again(t *testing.T, l *Line) []byte {
	t.Helper()
	e, err := l.Entry()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.check(); err != nil {
		t.Fatalf("an entry that was parsed cannot be written: %v", err)
	}
	return appendLine(nil, keys.ID(l.KeyID), l.Signature(), appendEntry(nil, &e))
}

// entryVector is a file of testdata/vectors/entry.
type entryVector struct {
	Description string   `json:"description"`
	Line        *string  `json:"line"`
	LineBase64  []byte   `json:"line_base64"`
	CriticalExt []string `json:"critical_ext"`
	Reason      string   `json:"reason"`
	Offset      int      `json:"offset"`
}

func (v entryVector) line() []byte { return textOr(v.Line, v.LineBase64) }

func TestEntryVectorsValid(t *testing.T) {
	for name, v := range readVectors[entryVector](t, "entry/valid") {
		t.Run(name, func(t *testing.T) {
			l, err := ParseLine(v.line())
			if err != nil {
				t.Fatalf("%q: %v", v.line(), err)
			}
			if got := again(t, &l); !bytes.Equal(got, v.line()) {
				t.Errorf("written again: %q\nwant %q", got, v.line())
			}
			if got := slices.Sorted(slices.Values(l.CriticalExt())); !slices.Equal(got, v.CriticalExt) {
				t.Errorf("CriticalExt() = %q, want %q", got, v.CriticalExt)
			}
		})
	}
}

func TestEntryVectorsInvalid(t *testing.T) {
	for name, v := range readVectors[entryVector](t, "entry/invalid") {
		t.Run(name, func(t *testing.T) {
			_, err := ParseLine(v.line())
			var m *MalformedError
			if !errors.As(err, &m) || !errors.Is(err, ErrMalformed) {
				t.Fatalf("%q: %v", v.line(), err)
			}
			if m.Reason != v.Reason || m.Offset != v.Offset {
				t.Errorf("%q: %v; want %s, at byte %d", v.line(), err, v.Reason, v.Offset)
			}
		})
	}
}

func TestParseLine(t *testing.T) {
	e := testEntry()
	e.Index, e.Meta = 7, map[string]string{"b": "\n", "a": "1"}
	signature := bytes.Repeat([]byte{9}, 64)
	l, err := ParseLine(formatLine(&e, signature))
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"KeyID":     {string(l.KeyID), string(testKeyID)},
		"Signature": {string(l.Signature()), string(signature)},
		"Signed": {string(l.Signed), `{"stream":"` + testStream + `","index":7,"id":"01KAPKJ2V0AAAAAAAAAAAAAAAA",` +
			`"timestamp":"2026-11-22T17:26:00.123456789Z","type":"order.placed","meta":{"a":"1","b":"\n"},"data":{"amount":1.0}}`},
		"Stream":    {string(l.Stream), testStream},
		"ID":        {string(l.ID), e.ID},
		"Timestamp": {string(l.Timestamp), "2026-11-22T17:26:00.123456789Z"},
		"Type":      {string(l.Type), e.Type},
		"Data":      {string(l.Data), string(e.Data)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %q, want %q", what, pair[0], pair[1])
		}
	}
	if l.Index != 7 || l.Binary {
		t.Errorf("Index = %d, Binary = %v", l.Index, l.Binary)
	}
}

// A Line that is parsed into again keeps nothing of the line before.
func TestParseLineAgain(t *testing.T) {
	full := testEntry()
	full.Source, full.Meta, full.Ext = map[string]string{"a": "1"}, map[string]string{"b": "1"}, map[string]string{"critical.x": "1"}
	full.Binary = true
	plain := testEntry()
	var l Line
	for _, b := range [][]byte{formatLine(&full, make([]byte, 64)), formatLine(&plain, make([]byte, 32))} {
		if err := l.parse(b); err != nil {
			t.Fatal(err)
		}
		if got := again(t, &l); !bytes.Equal(got, b) {
			t.Errorf("written again: %q\nwant %q", got, b)
		}
	}
	if l.CriticalExt() != nil || len(l.Signature()) != 32 {
		t.Errorf("CriticalExt() = %q, Signature() = %x", l.CriticalExt(), l.Signature())
	}
}

func TestLineEntryRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		e := randomEntry(r)
		if err := e.check(); err != nil {
			t.Fatal(err)
		}
		signature := make([]byte, []int{32, 64}[r.IntN(2)])
		for i := range signature {
			signature[i] = byte(r.Uint32())
		}
		b := formatLine(&e, signature)
		l, err := ParseLine(b)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		got, err := l.Entry()
		if err != nil || !sameEntry(got, e) {
			t.Fatalf("%q: %+v, %v; want %+v", b, got, err, e)
		}
		if !bytes.Equal(l.Signature(), signature) || !bytes.Equal(again(t, &l), b) {
			t.Fatalf("%q is written again as %q", b, again(t, &l))
		}
	}
}

func sameEntry(a, b Entry) bool {
	return a.Stream == b.Stream && a.Index == b.Index && a.ID == b.ID && a.Timestamp.Equal(b.Timestamp) &&
		a.Type == b.Type && maps.Equal(a.Source, b.Source) && maps.Equal(a.Meta, b.Meta) && maps.Equal(a.Ext, b.Ext) &&
		bytes.Equal(a.Data, b.Data) && a.Binary == b.Binary
}

func randomEntry(r *rand.Rand) Entry {
	oldest := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	latest := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).Unix()
	var id ulid.ULID
	_ = id.SetTime(uint64(oldest+r.Int64N(latest-oldest)) * 1000)
	for i := 6; i < len(id); i++ {
		id[i] = byte(r.Uint32())
	}
	e := Entry{
		Stream:    randomText(r, 1+r.IntN(63), "abcdefghijklmnopqrstuvwxyz0123456789") + "." + id.String(),
		Index:     r.Uint64N(lineobject.MaxInteger + 1),
		ID:        randomText(r, 1+r.IntN(MaxTextBytes), "ab!~ #:{}"),
		Timestamp: time.Unix(oldest+r.Int64N(latest-oldest), r.Int64N(1e9)).In(time.FixedZone("", r.IntN(1000))),
		Type:      randomText(r, 1+r.IntN(MaxTextBytes), "ab.-"),
		Source:    randomMap(r), Meta: randomMap(r), Ext: randomMap(r),
	}
	payload := []byte(randomText(r, r.IntN(20), `{}[]",:0123456789ab \é`))
	if r.IntN(2) == 0 {
		payload, _ = json.Marshal(map[string]any{"a": string(payload), "b": []int{r.Int()}})
	}
	if data, err := appendCompact(nil, payload); err == nil {
		e.Data = data
	} else {
		e.Data, e.Binary = payload, true
	}
	return e
}

func randomText(r *rand.Rand, n int, alphabet string) string {
	var b strings.Builder
	letters := []rune(alphabet)
	for range n {
		b.WriteRune(letters[r.IntN(len(letters))])
	}
	return b.String()
}

func randomMap(r *rand.Rand) map[string]string {
	if r.IntN(3) == 0 {
		return nil
	}
	const alphabet = "ab\x00\x1f\n\t\"\\/\x7fé\u2028😀"
	m := map[string]string{}
	for range 1 + r.IntN(MaxMembers) {
		m[randomText(r, 1+r.IntN(16), alphabet)] = randomText(r, r.IntN(256), alphabet)
	}
	return m
}

// Two ways to write the same canonical JSON: the one for entries, which is fast, and the one for everything else.
func TestAppendMatchesLineobject(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		s := randomText(r, r.IntN(30), "ab\x00\x01\x0b\x1f\b\f\r\n\t\"\\/<>&\x7fé\u2028\ue000\ufffd😀")
		want, err := lineobject.Marshal(s)
		if got := appendString(nil, s); err != nil || !bytes.Equal(got, want) {
			t.Errorf("appendString(%q) = %s; lineobject: %s, %v", s, got, want, err)
		}
		e := randomEntry(r)
		want, err = Instant{e.Timestamp}.MarshalText()
		if got := appendInstant(nil, e.Timestamp); err != nil || !bytes.Equal(got, want) {
			t.Errorf("appendInstant(%v) = %s; Instant: %s, %v", e.Timestamp, got, want, err)
		}
	}
}

// The parser of lines and the parsers of everything else must agree on names and times.
func TestLineParserMatchesNames(t *testing.T) {
	for _, instant := range []string{"2000-01-01T00:00:00.000000000Z", "1999-12-31T23:59:59.999999999Z"} {
		checkInstantAgrees(t, instant)
	}
	for year := 1995; year < 2405; year++ {
		for month := range 14 {
			for _, day := range []int{0, 1, 28, 29, 30, 31, 32} {
				checkInstantAgrees(t, fmt.Sprintf("%04d-%02d-%02dT17:26:00.123456789Z", year, month, day))
			}
		}
	}
	for _, stream := range []string{
		testStream, "a.00VHNCZB000000000000000000", "a.00VHNCZAZZZZZZZZZZZZZZZZZZ", "a.76EZ91ZPZZZZZZZZZZZZZZZZZZ",
		"a.76EZ91ZQ000000000000000000", "a.7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "a.8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "a", "", ".", "-" + testStream,
		"online.00VHNCZB000000000000000000", "online2.00VHNCZB000000000000000000", "onlin.00VHNCZB000000000000000000",
	} {
		p := lineParser{b: []byte(stream)}
		p.stream()
		if _, err := ParseStreamName(stream); (err == nil) != (p.reason == "" && p.i == len(stream)) {
			t.Errorf("%q: ParseStreamName says %v, the line parser %q", stream, err, p.reason)
		}
	}
}

func checkInstantAgrees(t *testing.T, s string) {
	t.Helper()
	if err := new(Instant).UnmarshalText([]byte(s)); (err == nil) != validInstant([]byte(s)) {
		t.Errorf("%s: Instant says %v, the line parser %v", s, err, validInstant([]byte(s)))
	}
}

func TestEntryCheck(t *testing.T) {
	many := map[string]string{}
	for i := range MaxMembers + 1 {
		many[fmt.Sprint(i)] = ""
	}
	for name, c := range map[string]struct {
		change func(*Entry)
		want   string // part of the sentence; empty if the entry is fine
	}{
		"fine":             {func(*Entry) {}, ""},
		"empty maps":       {func(e *Entry) { e.Source, e.Meta = map[string]string{}, map[string]string{} }, ""},
		"caps reached":     {func(e *Entry) { e.Meta = map[string]string{strings.Repeat("n", 64): strings.Repeat("v", 1024)} }, ""},
		"payload at cap":   {func(e *Entry) { e.Data, e.Binary = make([]byte, MaxPayloadBytes), true }, ""},
		"payload over cap": {func(e *Entry) { e.Data, e.Binary = make([]byte, MaxPayloadBytes+1), true }, "the payload has 16777217 bytes"},
		"no stream":        {func(e *Entry) { e.Stream = "" }, "stream name"},
		"index":            {func(e *Entry) { e.Index = 1 << 53 }, "the index 9007199254740992 is over"},
		"no id":            {func(e *Entry) { e.ID = "" }, "the id has 0 bytes"},
		"long id":          {func(e *Entry) { e.ID = strings.Repeat("a", 129) }, "the id has 129 bytes"},
		"quote in id":      {func(e *Entry) { e.ID = `a"` }, "the id "},
		"newline in type":  {func(e *Entry) { e.Type = "a\n" }, "the type "},
		"unicode in type":  {func(e *Entry) { e.Type = "é" }, "the type "},
		"early":            {func(e *Entry) { e.Timestamp = time.Time{} }, "outside the years 2000 to 9999"},
		"late":             {func(e *Entry) { e.Timestamp = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "outside the years 2000 to 9999"},
		"by time zone": {func(e *Entry) {
			e.Timestamp = time.Date(2000, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
		}, "outside the years"},
		"members":         {func(e *Entry) { e.Source = many }, "source has 33 members"},
		"empty name":      {func(e *Entry) { e.Meta = map[string]string{"": "1"} }, "in meta has 0 bytes"},
		"long name":       {func(e *Entry) { e.Ext = map[string]string{strings.Repeat("n", 65): ""} }, "in ext has 65 bytes"},
		"long value":      {func(e *Entry) { e.Meta = map[string]string{"n": strings.Repeat("v", 1025)} }, "1025 bytes"},
		"name not UTF-8":  {func(e *Entry) { e.Meta = map[string]string{"\xff": ""} }, "not UTF-8"},
		"value not UTF-8": {func(e *Entry) { e.Meta = map[string]string{"n": "\xed\xa0\x80"} }, "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			e := testEntry()
			c.change(&e)
			err := e.check()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("check() = %v, want %q", err, c.want)
			}
			if _, parseErr := ParseLine(formatLine(&e, make([]byte, 32))); err == nil && parseErr != nil {
				t.Errorf("check passes what ParseLine refuses: %v", parseErr)
			}
		})
	}
}

func TestParseLinePayloadCap(t *testing.T) {
	for _, size := range []int{MaxPayloadBytes, MaxPayloadBytes + 1} {
		e := testEntry()
		e.Data = append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, size-2)...), '"')
		for _, e.Binary = range []bool{false, true} {
			_, err := ParseLine(formatLine(&e, make([]byte, 32)))
			if (err == nil) != (size == MaxPayloadBytes) || err != nil && !strings.Contains(err.Error(), "over 16 MiB") {
				t.Errorf("%d bytes, binary %v: %v", size, e.Binary, err)
			}
		}
	}
}

func TestBase64Canonical(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		b := []byte(randomText(r, r.IntN(13), "AQgwBCx/+=\n"))
		want, err := base64.StdEncoding.Strict().DecodeString(string(b))
		ok := err == nil && base64.StdEncoding.EncodeToString(want) == string(b)
		p := lineParser{}
		if p.base64(b); ok != (p.reason == "") {
			t.Errorf("%q: %q, want canonical %v", b, p.reason, ok)
		}
	}
}

func TestEntryAllocations(t *testing.T) {
	e := testEntry()
	e.Meta = map[string]string{"b": "\n", "a": "1"}
	signature := make([]byte, 64)
	line := formatLine(&e, signature)
	dst, signed := make([]byte, 0, 4096), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { appendLine(dst, testKeyID, signature, appendEntry(signed, &e)) }); n != 0 {
		t.Errorf("writing a line: %v allocations", n)
	}
	var l Line
	if n := testing.AllocsPerRun(100, func() {
		if err := l.parse(line); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("parsing a line: %v allocations", n)
	}
}

// Flipping any one bit of a line, or leaving out or repeating any one byte, must not be taken as the same entry.
func TestParseLineMutations(t *testing.T) {
	e := testEntry()
	e.Source, e.Ext, e.Data = map[string]string{"a": "\n"}, map[string]string{"b": "é"}, []byte(`"x"`)
	line := formatLine(&e, make([]byte, 32))
	check := func(b []byte) {
		l, err := ParseLine(b)
		if err == nil && !bytes.Equal(again(t, &l), b) {
			t.Errorf("%q is accepted but written as %q", b, again(t, &l))
		}
	}
	for i := range line {
		for bit := range 8 {
			b := bytes.Clone(line)
			b[i] ^= 1 << bit
			check(b)
		}
		check(slices.Delete(bytes.Clone(line), i, i+1))
		check(slices.Insert(bytes.Clone(line), i, line[i]))
		if _, err := ParseLine(line[:i]); err == nil {
			t.Errorf("%q is accepted", line[:i])
		}
	}
}

func FuzzParseLine(f *testing.F) {
	for _, folder := range []string{"entry/valid", "entry/invalid"} {
		for _, v := range readVectors[entryVector](f, folder) {
			f.Add(v.line())
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := ParseLine(line)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%q: %v", line, err)
			}
			return
		}
		if got := again(t, &l); !bytes.Equal(got, line) {
			t.Fatalf("%q is accepted but written as %q", line, got)
		}
	})
}

// signedLines makes entry lines of the real log.
func signedLines(b *testing.B) (lines [][]byte, size int) {
	for i, data := range realLines(b, "invictus-cloudtrail/cloudtrail.ndjson") {
		e := testEntry()
		e.Index, e.Data = uint64(i), data
		lines = append(lines, formatLine(&e, make([]byte, 32)))
		size += len(lines[i])
	}
	return lines, size
}

func BenchmarkParseLine(b *testing.B) {
	lines, size := signedLines(b)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	var l Line
	for b.Loop() {
		for _, line := range lines {
			if err := l.parse(line); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(lines)), "ns/entry")
}

// BenchmarkParseLineSmall is what a line costs beside its data.
func BenchmarkParseLineSmall(b *testing.B) {
	e := testEntry()
	line := formatLine(&e, make([]byte, 32))
	b.ReportAllocs()
	var l Line
	for b.Loop() {
		if err := l.parse(line); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendLine(b *testing.B) {
	e := testEntry()
	signature, signed, dst := make([]byte, 32), make([]byte, 0, 4096), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		appendLine(dst, testKeyID, signature, appendEntry(signed, &e))
	}
}
