package archive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/archive/s3lock"
	"github.com/wormlog/wormlog/keys"
)

// The tamper matrix: testdata/tamper/classes.json says of every class of archivetest.Classes what a verification must say
// at each level, and nothing else may be said. -update-tamper writes what it says now, to be read before it is committed.
var updateTamper = flag.Bool("update-tamper", false, "write what is found into testdata/tamper/classes.json")

const classesFile = "../testdata/tamper/classes.json"

type tamperClass struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// By says who can do it: "bucket" (every right on the bucket, no key), "key" (a signing key too), "nobody" (it is no
	// tampering).
	By string `json:"by"`
	// With says what the verification is given beside the log ID and the HMAC keys, see tamperOptions.
	With     string                            `json:"with,omitempty"`
	Verdicts map[archive.Level]archive.Verdict `json:"verdicts"`
	Findings []tamperFinding                   `json:"findings"`
}

type tamperFinding struct {
	Verdict archive.Verdict `json:"verdict"`
	Code    archive.Code    `json:"code"`
	Key     string          `json:"key,omitempty"`
	// Version is "original" for what the untouched archive has under the key, "tampered" for the version that the class made,
	// "other" for another one, and absent where none is named.
	Version      string          `json:"version,omitempty"`
	Entry        *uint64         `json:"entry,omitempty"`
	Acknowledged bool            `json:"acknowledged,omitempty"`
	Levels       []archive.Level `json:"levels"`
}

func (f tamperFinding) String() string {
	entry := ""
	if f.Entry != nil {
		entry = fmt.Sprintf(" entry %d", *f.Entry)
	}
	if f.Acknowledged {
		entry += " acknowledged"
	}
	return fmt.Sprintf("%s %s %s (%s)%s", f.Verdict, f.Code, f.Key, f.Version, entry)
}

var levels = []archive.Level{archive.LevelLocks, archive.LevelManifests, archive.LevelFull}

var testHome = archive.Home{Bucket: "audit", Prefix: "logs", Region: "eu-central-1"}

func archiveNow() time.Time { return archivetest.ArchiveNow }

func standardArchive(t *testing.T) *archivetest.Archive {
	t.Helper()
	a, err := archivetest.NewArchive(testHome)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// untouchedArchive is a standard archive that nobody may change.
func untouchedArchive(t *testing.T) *archivetest.Archive {
	t.Helper()
	a, err := untouched()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var untouched = sync.OnceValues(func() (*archivetest.Archive, error) { return archivetest.NewArchive(testHome) })

// tamperOption changes how a class is verified. It is given the untouched archive and the tampered one.
type tamperOption func(original, tampered *archivetest.Archive, c *archive.VerifyConfig) error

// tamperOptions are all of them by name.
var tamperOptions = map[string]tamperOption{
	"":             func(_, _ *archivetest.Archive, _ *archive.VerifyConfig) error { return nil },
	"another home": func(_, _ *archivetest.Archive, _ *archive.VerifyConfig) error { return nil },
	"pinned heads": func(a, _ *archivetest.Archive, c *archive.VerifyConfig) error { c.Heads = a.HeadFile(); return nil },
	"no log ID":    func(_, _ *archivetest.Archive, c *archive.VerifyConfig) error { c.LogID = ""; return nil },
	"wrong log ID": func(_, _ *archivetest.Archive, c *archive.VerifyConfig) error {
		c.LogID = keys.LogID(strings.Repeat("0", 64))
		return nil
	},
	"earlier heads": func(a, _ *archivetest.Archive, c *archive.VerifyConfig) error {
		c.Heads = a.HeadFile()
		head, err := a.HeadAt(archivetest.PaymentsA, 2)
		for i := range c.Heads.Heads {
			if c.Heads.Heads[i].Stream == head.Stream {
				c.Heads.Heads[i] = head
			}
		}
		return err
	},
	"later heads": func(_, tampered *archivetest.Archive, c *archive.VerifyConfig) error {
		c.Heads = tampered.HeadFile()
		return nil
	},
	"no HMAC keys": func(_, _ *archivetest.Archive, c *archive.VerifyConfig) error {
		c.Copies, c.RequireHMAC = nil, false
		return nil
	},
	"no HMAC keys, required": func(_, _ *archivetest.Archive, c *archive.VerifyConfig) error { c.Copies = nil; return nil },
	"wrong HMAC keys": func(_, _ *archivetest.Archive, c *archive.VerifyConfig) error {
		c.Copies = wrongCopies{c.Copies}
		return nil
	},
	"rotation after 51 days": func(_, _ *archivetest.Archive, c *archive.VerifyConfig) error { c.RotationDays = 51; return nil },
	"rotation after 52 days": func(_, _ *archivetest.Archive, c *archive.VerifyConfig) error { c.RotationDays = 52; return nil },
	"receipt":                withReceipt(nil),
	"receipt without entry": withReceipt(func(r *archive.Receipt) {
		item := r.Receipts[0]
		item.Index = 1000
		r.Receipts = append(r.Receipts, item)
	}),
	"receipt without stream": withReceipt(func(r *archive.Receipt) {
		r.Stream = r.Stream[:len(r.Stream)-1] + "Z"
	}),
	"receipt that differs":   withReceipt(func(r *archive.Receipt) { r.Receipts[3].Leaf[0] ^= 1 }),
	"receipt of another log": withReceipt(func(r *archive.Receipt) { r.LogID = keys.LogID(strings.Repeat("0", 64)) }),
	"edited receipt": func(a, _ *archivetest.Archive, c *archive.VerifyConfig) error {
		b, err := a.Receipt(archivetest.PaymentsA, nil)
		c.Receipts = [][]byte{bytes.Replace(b, []byte(`"index":3`), []byte(`"index":4`), 1)}
		return err
	},
	"line":               withLine(func(line []byte) []byte { return line }),
	"line edited":        withLine(func(line []byte) []byte { return bytes.Replace(line, []byte(`1.0`), []byte(`9.0`), 1) }),
	"line without entry": withLine(func(line []byte) []byte { return bytes.Replace(line, []byte(`"index":1`), []byte(`"index":1000`), 1) }),
}

func withReceipt(change func(*archive.Receipt)) tamperOption {
	return func(a, _ *archivetest.Archive, c *archive.VerifyConfig) error {
		b, err := a.Receipt(archivetest.PaymentsA, change)
		c.Receipts = [][]byte{b}
		return err
	}
}

func withLine(change func([]byte) []byte) tamperOption {
	return func(a, _ *archivetest.Archive, c *archive.VerifyConfig) error {
		line, err := a.Streams[archivetest.PaymentsA].Entries()[1].Line()
		c.Lines = [][]byte{change(line)}
		return err
	}
}

// wrongCopies gives each key the copy of another one.
type wrongCopies struct{ keys.VerificationCopies }

func (w wrongCopies) EntryKey(ctx context.Context, id keys.ID) (*keys.VerificationCopy, error) {
	other, err := archivetest.NewOtherArchive(testHome)
	if err != nil {
		return nil, err
	}
	return other.Keys[archivetest.Payments1].Copy, nil
}

// store is one that holds a tampered archive.
type store struct {
	archive.Store
	raw archivetest.Tamperer
}

func memoryStore(t *testing.T, home archive.Home) store {
	m := archivetest.NewMemory(t, home, archiveNow)
	return store{m, m.Raw()}
}

func devStore(t *testing.T, home archive.Home) store {
	t.Helper()
	server, err := devserver.New(devserver.Config{Now: archiveNow})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := server.CreateBucket(home.Bucket, true); err != nil {
		t.Fatal(err)
	}
	url, err := server.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := s3lock.Open(t.Context(), s3lock.Config{
		Bucket: home.Bucket, Prefix: home.Prefix, Region: home.Region, Endpoint: url,
		AWS: &aws.Config{Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return store{s, archivetest.DevServer(t, server, home)}
}

func TestTamperMatrix(t *testing.T) {
	classes := readClasses(t)
	for _, s := range []struct {
		name   string
		new    func(*testing.T, archive.Home) store
		levels func(tamperClass) []archive.Level
	}{{"memory", memoryStore, allLevels}, {"devserver", devStore, telling}} {
		t.Run(s.name, func(t *testing.T) {
			for i := range classes {
				t.Run(classes[i].Name, func(t *testing.T) {
					if *updateTamper {
						updateClass(t, &classes[i], s.new)
						return
					}
					t.Parallel()
					testClass(t, classes[i], s.new, s.levels(classes[i]))
				})
			}
		})
		if *updateTamper {
			writeClasses(t, classes)
			return
		}
	}
}

func allLevels(tamperClass) []archive.Level { return levels }

// telling are the levels at which a store is asked different things. What a signing key is needed for does not depend on
// the store but for being read.
func telling(c tamperClass) []archive.Level {
	if c.By == "key" {
		return []archive.Level{archive.LevelFull}
	}
	return []archive.Level{archive.LevelLocks, archive.LevelFull}
}

// TestTamperClasses makes sure that the index and the kit name the same classes, each once.
func TestTamperClasses(t *testing.T) {
	var described, known []string
	for _, c := range readClasses(t) {
		described = append(described, c.Name)
		if c.Description == "" || !slices.Contains([]string{"bucket", "key", "nobody"}, c.By) {
			t.Errorf("class %s: no description, or an unknown adversary %q", c.Name, c.By)
		}
	}
	for _, c := range archivetest.Classes() {
		known = append(known, c.Name)
	}
	if !slices.Equal(described, known) {
		t.Errorf("the index describes\n%s\nand the kit has\n%s", described, known)
	}
	slices.Sort(known)
	if n := len(slices.Compact(known)); n != len(described) || n < 40 {
		t.Errorf("%d classes, want %d that differ, and at least 40", n, len(described))
	}
}

func readClasses(t *testing.T) (classes []tamperClass) {
	t.Helper()
	b, err := os.ReadFile(classesFile)
	if err == nil {
		err = json.Unmarshal(b, &classes)
	}
	if err != nil {
		t.Fatal(err)
	}
	return classes
}

func writeClasses(t *testing.T, classes []tamperClass) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("[")
	for i, c := range classes {
		findings := c.Findings
		c.Findings = []tamperFinding{}
		head := bytes.TrimSuffix(compactJSON(t, c), []byte("]}"))
		fmt.Fprintf(&b, "%s\n%s", separator(i), head)
		for i, f := range findings {
			fmt.Fprintf(&b, "%s\n  %s", separator(i), compactJSON(t, f))
		}
		b.WriteString("]}")
	}
	b.WriteString("\n]\n")
	if err := os.WriteFile(classesFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// separator stands before element i of a list.
func separator(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func compactJSON(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

func testClass(t *testing.T, c tamperClass, newStore func(*testing.T, archive.Home) store, levels []archive.Level) {
	for level, r := range runClass(t, c, newStore, levels) {
		var want, got []string
		for _, f := range c.Findings {
			if slices.Contains(f.Levels, level) {
				want = append(want, f.String())
			}
		}
		for _, f := range r.findings {
			got = append(got, f.String())
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: found\n\t%s\nwant\n\t%s\nin\n%s", level, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"), details(r.report))
		}
		if r.report.Verdict != c.Verdicts[level] {
			t.Errorf("%s: %s, want %s\n%s", level, r.report, c.Verdicts[level], details(r.report))
		}
	}
}

func details(r *archive.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\t%s\n", f)
	}
	return b.String()
}

type classResult struct {
	report   *archive.Report
	findings []tamperFinding
}

// runClass tampers with a fresh archive and verifies it at the levels.
func runClass(t *testing.T, c tamperClass, newStore func(*testing.T, archive.Home) store, levels []archive.Level) map[archive.Level]classResult {
	t.Helper()
	original, a := untouchedArchive(t), standardArchive(t)
	home := testHome
	if c.With == "another home" {
		home.Bucket = "audit-copy"
	}
	s := newStore(t, home)
	if err := a.Put(s.raw); err != nil {
		t.Fatal(err)
	}
	class, err := archivetest.FindClass(c.Name)
	if err != nil {
		t.Fatal(err)
	}
	key, version, err := class.Tamper(s.raw, a)
	if err != nil {
		t.Fatal(err)
	}
	results := map[archive.Level]classResult{}
	for _, level := range levels {
		r := verifyClass(t, c, original, a, s, level)
		results[level] = classResult{r, place(r, original, key, version)}
	}
	return results
}

func verifyClass(t *testing.T, c tamperClass, original, tampered *archivetest.Archive, s store, level archive.Level) *archive.Report {
	t.Helper()
	config := original.VerifyConfig(s.Store, level)
	option, ok := tamperOptions[c.With]
	if !ok {
		t.Fatalf("class %s: verification with %q is unknown", c.Name, c.With)
	}
	if err := option(original, tampered, &config); err != nil {
		t.Fatal(err)
	}
	r, err := archive.Verify(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	checkReport(t, r)
	return r
}

// place says of each finding which version it names.
func place(r *archive.Report, original *archivetest.Archive, key, version string) (findings []tamperFinding) {
	for _, f := range r.Findings {
		p := tamperFinding{Verdict: f.Verdict, Code: f.Code, Key: f.Key, Entry: f.Entry, Acknowledged: f.Acknowledged}
		o, there := original.Object(f.Key)
		switch {
		case f.VersionID == "":
		case there && o.VersionID == f.VersionID:
			p.Version = "original"
		case f.Key == key && f.VersionID == version:
			p.Version = "tampered"
		default:
			p.Version = "other"
		}
		findings = append(findings, p)
	}
	return findings
}

// checkReport checks what every report promises: its verdict is the worst of what counts, its exit status fits, it is JSON.
func checkReport(t *testing.T, r *archive.Report) {
	t.Helper()
	worst := archive.Intact
	order := []archive.Verdict{archive.Tampered, archive.Missing, archive.UnderRetained, archive.Shadowed, archive.Unverifiable, archive.NotChecked, archive.Attention}
	for _, v := range slices.Backward(order) {
		if slices.ContainsFunc(r.Findings, func(f archive.Finding) bool { return f.Verdict == v && !f.Acknowledged }) {
			worst = v
		}
	}
	if r.Verdict != worst {
		t.Errorf("the verdict is %s, and the worst finding %s", r.Verdict, worst)
	}
	exit := map[archive.Verdict]int{archive.Unverifiable: 3, archive.NotChecked: 3, archive.Attention: 4, archive.Intact: 0}
	want, ok := exit[r.Verdict]
	if !ok {
		want = 1
	}
	if got := r.Verdict.ExitStatus(); got != want {
		t.Errorf("%s ends with exit status %d, want %d", r.Verdict, got, want)
	}
	b, err := json.Marshal(r)
	if err != nil || !json.Valid(b) || !bytes.Contains(b, []byte(`"verdict":"`+string(r.Verdict)+`"`)) {
		t.Errorf("the report as JSON: %s, %v", b, err)
	}
	for _, f := range r.Findings {
		if f.Detail == "" {
			t.Errorf("the finding %s says nothing", f)
		}
	}
}

// updateClass writes down what is found now.
func updateClass(t *testing.T, c *tamperClass, newStore func(*testing.T, archive.Home) store) {
	c.Verdicts, c.Findings = map[archive.Level]archive.Verdict{}, []tamperFinding{}
	results := runClass(t, *c, newStore, levels)
	seen := map[string]int{}
	for _, level := range levels {
		c.Verdicts[level] = results[level].report.Verdict
		for _, f := range results[level].findings {
			i, ok := seen[f.String()]
			if !ok {
				i = len(c.Findings)
				seen[f.String()] = i
				c.Findings = append(c.Findings, f)
			}
			c.Findings[i].Levels = append(c.Findings[i].Levels, level)
		}
	}
	if len(c.Findings) > 0 {
		t.Log(details(results[archive.LevelFull].report))
	}
}
