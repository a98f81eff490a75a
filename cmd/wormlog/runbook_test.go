package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive/devserver"
)

// The commands that docs/keys.md prints work as they are printed, one after the other. Each section is tried in a log of its
// own, which has entries that S3 dates before SINCE and entries that it dates later.
func TestRunbook(t *testing.T) {
	page, err := os.ReadFile("../../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts := shellBlocks(string(page))
	for _, section := range sections {
		t.Run(section.title, func(t *testing.T) {
			script, ok := scripts[section.title]
			if !ok {
				t.Fatalf("docs/keys.md has no section %q with commands", section.title)
			}
			delete(scripts, section.title)
			r := newRunbook(t)
			if section.before != nil {
				section.before(r)
			}
			r.sh(script)
			section.after(r)
		})
	}
	for title := range scripts {
		t.Errorf("nobody tries the commands of section %q", title)
	}
}

// sections are those of the page that have commands, and what has to be the case afterwards.
var sections = []struct {
	title  string
	before func(*runbook) // what happened, in front of the reader's trouble
	after  func(*runbook)
}{
	{title: "2. Life of a key", after: (*runbook).stillIntact},
	{title: "3. Rotation", after: (*runbook).stillIntact},
	{title: "5. Verification without Secrets Manager", after: (*runbook).stillIntact},
	{title: "7.1 A writer's key is stolen", before: (*runbook).stealWritersKey, after: (*runbook).thiefAndListAreLeft},
	{title: "7.2 The online authority's key is stolen", before: (*runbook).stealOnlineKey, after: (*runbook).mintedKeyIsDoubted},
	{title: "7.3 The online authority's key is lost", before: (*runbook).loseOnlineKey, after: (*runbook).stillIntact},
	{title: "7.4 The key for acts is stolen or lost", before: (*runbook).stealKeyForActs, after: (*runbook).thiefsActsHaveNoForce},
}

func (r *runbook) stillIntact() {
	r.Helper()
	if verdict, _ := r.verify("--require-hmac"); !strings.HasPrefix(verdict, "INTACT") {
		r.Error(verdict)
	}
}

// stealWritersKey has a thief take the signing secret and write a stream with it, beside the rightful writer.
func (r *runbook) stealWritersKey() {
	stolen, err := secretValue(secretsOf(r.server), "wormlog/dev/writer")
	if err != nil {
		r.Fatal(err)
	}
	r.Setenv("STOLEN_BUNDLE", stolen)
	r.thief = r.write("thief", "--signing-key-env", "STOLEN_BUNDLE")
}

// stealOnlineKey has a thief make a key for the writer, and write with it.
func (r *runbook) stealOnlineKey() {
	secrets := secretsOf(r.server)
	stolen, err := secretValue(secrets, "wormlog/dev/authority")
	if err == nil {
		err = changeSecret(secrets, "put", "thief/authority", stolen)
	}
	if err != nil {
		r.Fatal(err)
	}
	r.wormlog("init", "--authority-secret", "thief/authority", "--signing-secret", "thief/writer")
	r.thief = r.write("thief", "--signing-secret", "thief/writer")
	r.stillIntact()
}

func (r *runbook) mintedKeyIsDoubted() {
	if listed := r.wormlog("keys", "list"); strings.Count(listed, "compromised since") != 2 {
		r.Errorf("one key and the authority count as compromised: %s", listed)
	}
	r.wormlog("keys", "rotate")
	r.thiefIsLeft()
}

func (r *runbook) loseOnlineKey() {
	if err := changeSecret(secretsOf(r.server), "delete", "wormlog/dev/authority", ""); err != nil {
		r.Fatal(err)
	}
}

// thiefIsLeft: all is right again but what the thief wrote.
func (r *runbook) thiefIsLeft() {
	r.Helper()
	r.write("after")
	verdict, said := r.verify()
	if !strings.HasPrefix(verdict, "UNVERIFIABLE") {
		r.Error(verdict)
	}
	left := map[string]bool{}
	for line := range strings.Lines(said) {
		if _, rest, ok := strings.Cut(line, "stream=main."); ok && strings.HasPrefix(line, "UNVERIFIABLE key-compromised") {
			left["main."+rest[:26]] = true
		}
	}
	if len(left) != 1 || !left[r.thief] {
		r.Errorf("in doubt are %v, and the thief's is %s", left, r.thief)
	}
}

func (r *runbook) thiefAndListAreLeft() {
	r.thiefIsLeft()
	if b, err := os.ReadFile(filepath.Join(r.dir, "affected.csv")); err != nil || strings.Count(string(b), ",segment,") != 2 {
		r.Errorf("affected.csv: %s %v", b, err)
	}
}

// stealKeyForActs has a thief acknowledge what he did.
func (r *runbook) stealKeyForActs() {
	if _, err := r.server.Raw().PutVersion(testBucket, devserver.Version{Key: "evil.txt", LastModified: time.Now().Add(-48 * time.Hour), Body: []byte("evil")}); err != nil {
		r.Fatal(err)
	}
	r.wormlog("acknowledge", "unknown-object", "evil.txt", "--reason", "nothing to see")
	r.stillIntact()
}

func (r *runbook) thiefsActsHaveNoForce() {
	if _, said := r.verify(); !strings.Contains(said, "ATTENTION unknown-object evil.txt") || strings.Contains(said, "[acknowledged]") {
		r.Error("what the thief acknowledged does not count")
	}
	r.wormlog("acknowledge", "unknown-object", "evil.txt", "--reason", "looked at it")
	if _, said := r.verify(); !strings.Contains(said, "[acknowledged]") {
		r.Error("the new key's act has no force")
	}
}

// shellBlocks returns the commands of each section of the page.
func shellBlocks(page string) map[string]string {
	blocks := map[string]string{}
	title, inside := "", false
	for line := range strings.Lines(page) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside && strings.TrimSpace(line) == "```sh"
		case inside:
			blocks[title] += line
		case strings.HasPrefix(line, "##"):
			title = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	return blocks
}

// runbook is a log in trouble, and a folder to work in.
type runbook struct {
	*testing.T
	server   *devserver.Server
	dir      string
	recovery string
	since    time.Time
	thief    string // stream
}

// newRunbook makes a log with two streams: S3 dates one, and all else, two days ago, and the other one now.
func newRunbook(t *testing.T) *runbook {
	r := &runbook{T: t, server: server(t), dir: t.TempDir()}
	r.recovery = filepath.Join(r.dir, "recovery.key")
	r.wormlog("init", "--recovery-key", r.recovery)
	r.write("before")
	if err := backdateAll(r.server, 48*time.Hour, ""); err != nil {
		t.Fatal(err)
	}
	r.since = time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second)
	r.write("mine")
	return r
}

var streamName = regexp.MustCompile(`[a-z0-9-]+\.[0-9A-Z]{26}`)

// write archives one entry that says who wrote it, and returns its stream.
func (r *runbook) write(who string, args ...string) (stream string) {
	r.Helper()
	file := filepath.Join(r.dir, who+".ndjson")
	if err := os.WriteFile(file, fmt.Appendf(nil, "{\"by\":%q}\n", who), 0o600); err != nil {
		r.Fatal(err)
	}
	return streamName.FindString(r.wormlog(append([]string{"write", file}, args...)...))
}

// wormlog runs a command that is to succeed, and returns what it prints.
func (r *runbook) wormlog(args ...string) string {
	r.Helper()
	status, stdout, stderr := command(r.Context(), args...)
	if status != 0 {
		r.Fatalf("wormlog %s: exit status %d\n%s%s", strings.Join(args, " "), status, stdout, stderr)
	}
	return stdout
}

// verify returns the verdict's line and the whole text.
func (r *runbook) verify(args ...string) (verdict, said string) {
	r.Helper()
	_, said, stderr := command(r.Context(), append([]string{"verify"}, args...)...)
	lines := strings.Split(strings.TrimSpace(said), "\n")
	r.Logf("verify:\n%s%s", said, stderr)
	return lines[len(lines)-1], said
}

var givenByReader = regexp.MustCompile(`(?m)^(SINCE|RECOVERY_FILE)=.*$`)

// sh runs the commands as they are printed, but for the two lines in which the reader says what he knows.
func (r *runbook) sh(script string) {
	r.Helper()
	script = givenByReader.ReplaceAllStringFunc(script, func(line string) string {
		if strings.HasPrefix(line, "SINCE=") {
			return "SINCE=" + r.since.Format(time.RFC3339)
		}
		return "RECOVERY_FILE=" + r.recovery
	})
	c := exec.CommandContext(r.Context(), "sh", "-eux")
	c.Stdin, c.Dir = strings.NewReader(script), r.dir
	said, err := c.CombinedOutput()
	r.Logf("%s", said)
	if err != nil {
		r.Fatalf("the printed commands fail: %v", err)
	}
}
