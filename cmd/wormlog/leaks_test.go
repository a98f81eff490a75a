//go:build markedkeys

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/internal/leaks"
)

// TestNoSecretLeavesTheProgram runs the real programs through a log's life and through every way of mixing up its
// secrets, and looks for the keys in all that was printed, archived or left behind. Keys are where they belong: in
// Secrets Manager, and the recovery key in its file.
func TestNoSecretLeavesTheProgram(t *testing.T) {
	p := newPrograms(t)
	p.life(t)
	p.mixUps(t)
	p.crash(t)
	p.server.Process.Signal(os.Interrupt)
	if err := p.server.Wait(); err != nil {
		t.Errorf("wormlog-dev: %v", err)
	}
	p.clean(t, "what wormlog-dev printed", p.serverSaid.Bytes())
	p.cleanFolder(t)
}

// programs are the binaries, and a server whose folder is looked through at the end.
type programs struct {
	wormlog    string
	dir        string // where they work: the server keeps its own in dev
	env        []string
	server     *exec.Cmd
	serverSaid bytes.Buffer
	secrets    *secretsmanager.Client
}

const offlineKey = "offline.key"

func newPrograms(t *testing.T) *programs {
	t.Helper()
	bin := t.TempDir()
	p := &programs{wormlog: filepath.Join(bin, "wormlog"), dir: t.TempDir()}
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "markedkeys", "-o", bin+"/", "../wormlog", "../wormlog-dev").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	p.serve(t, filepath.Join(bin, "wormlog-dev"))
	if said, _ := p.run(t, "version"); !strings.Contains(said, "not for production") {
		t.Fatalf("this build does not mark its keys, so that nothing would be found: %s", said)
	}
	return p
}

// serve starts the server and takes the environment from what it prints.
func (p *programs) serve(t *testing.T, binary string) {
	t.Helper()
	p.server = exec.CommandContext(t.Context(), binary, "--dir", filepath.Join(p.dir, "dev"))
	p.server.Stderr = &p.serverSaid
	out, err := p.server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.server.Start(); err != nil {
		t.Fatal(err)
	}
	p.env = append(os.Environ(), "AWS_CA_BUNDLE=", "AWS_CONFIG_FILE="+filepath.Join(p.dir, "none"), "GOTRACEBACK=system")
	var endpoint string
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "WORMLOG_AUTHORITY_SECRET") {
		p.take(lines.Text(), &endpoint)
	}
	p.take(lines.Text(), &endpoint)
	if endpoint == "" {
		t.Fatalf("wormlog-dev names no endpoint; it said %q", lines.Text())
	}
	p.secrets = secretsmanager.New(secretsmanager.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider(devserver.AccessKeyID, devserver.SecretAccessKey, ""),
	})
}

func (p *programs) take(line string, endpoint *string) {
	_, pair, ok := strings.Cut(line, "export ")
	if !ok {
		return
	}
	name, value, _ := strings.Cut(pair, "=")
	value = strings.Trim(value, "'")
	p.env = append(p.env, name+"="+value)
	if name == "WORMLOG_ENDPOINT" {
		*endpoint = value
	}
}

// run runs wormlog with all that it can say, and returns what it printed. Nothing of it may be secret.
func (p *programs) run(t *testing.T, args ...string) (said string, err error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), p.wormlog, append(args, "--verbose")...)
	c.Dir, c.Env = p.dir, p.env
	b, err := c.CombinedOutput()
	p.clean(t, fmt.Sprintf("%.200q", c.Args[1:]), b)
	return string(b), err
}

// succeeds is run, in words and in JSON, for what must work, so that the test shows something.
func (p *programs) succeeds(t *testing.T, args ...string) {
	t.Helper()
	for _, format := range []string{"--json=false", "--json"} {
		if said, err := p.run(t, append(args, format)...); err != nil {
			t.Fatalf("wormlog %s: %v\n%s", strings.Join(args, " "), err, said)
		}
	}
}

func (p *programs) clean(t *testing.T, what string, b []byte) {
	t.Helper()
	for _, f := range leaks.Find(b) {
		t.Errorf("%s: a secret (%s) in\n%s", what, f.Spelling, b)
	}
}

func (p *programs) file(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// life is what happens to a log whose people make no mistakes.
func (p *programs) life(t *testing.T) {
	t.Helper()
	in := p.file(t, "in.ndjson", `{"a":1}`+"\n"+`{"b":[1,2,3]}`+"\nno JSON\n")
	for _, args := range [][]string{
		{"init", "--recovery-key", offlineKey},
		{"init", "--recovery-key", offlineKey, "--writer", "billing", "--signing-secret", billingSecret, "--signature-algorithm", "ed25519"},
		{"write", "--receipts", "receipts", in},
		{"write", "--writer", "billing", "--signing-secret", billingSecret, "--receipts", "receipts", in},
		{"verify", "--require-hmac", "--head-out", "heads.json", "--report", "report.json"},
		{"verify", "--receipts", "receipts"},
		{"verify", "--heads", "heads.json", "--level", "manifests"},
		{"keys", "list"}, {"list"}, {"cat"}, {"cat", "--lines"}, {"config"},
	} {
		p.succeeds(t, args...)
	}
	p.run(t, "bucket", "check") // which finds fault with wormlog-dev
}

const (
	writerSecret    = "wormlog/dev/writer"
	authoritySecret = "wormlog/dev/authority"
	billingSecret   = "wormlog/dev/billing"
)

// mixUps puts secrets where they do not belong, and pasted, cut and edited ones where whole ones do.
func (p *programs) mixUps(t *testing.T) {
	t.Helper()
	right := p.allSecrets(t)
	for name := range right {
		for i, wrong := range wrongs(name, right) {
			p.put(t, name, wrong)
			if said, err := p.run(t, append(readerOf(name), fmt.Sprintf("--json=%t", i%2 == 0))...); err == nil {
				t.Errorf("secret %s with wrong value %d is not minded by %q: %s", name, i, readerOf(name), said)
			}
		}
		p.put(t, name, right[name])
	}
	p.pasted(t, right[writerSecret])
	p.succeeds(t, "verify", "--require-hmac") // all is right again, so it was the mix-ups that were seen
}

// allSecrets returns all that Secrets Manager holds.
func (p *programs) allSecrets(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	list, err := p.secrets.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.SecretList {
		v, err := p.secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: s.Name})
		if err != nil {
			t.Fatal(err)
		}
		all[*s.Name] = *v.SecretString
		if len(leaks.Find([]byte(*v.SecretString))) == 0 {
			t.Errorf("secret %s holds no key that would be found", *s.Name)
		}
	}
	if len(all) != 5 {
		t.Fatalf("the log has %d secrets, not those of two writers, the authority, acts and the verification copy", len(all))
	}
	return all
}

// readerOf is a command that needs the secret.
func readerOf(name string) []string {
	switch {
	case strings.Contains(name, "/verification/"):
		return []string{"verify", "--require-hmac"}
	case name == writerSecret:
		return []string{"write", "in.ndjson"}
	case name == billingSecret:
		return []string{"write", "--writer", "billing", "--signing-secret", name, "in.ndjson"}
	}
	return []string{"init", "--recovery-key", offlineKey, "--writer", "newcomer", "--signing-secret", "wormlog/dev/newcomer"}
}

func wrongs(name string, right map[string]string) (all []string) {
	for other, value := range right {
		if other != name {
			all = append(all, value)
		}
	}
	at := strings.LastIndex(right[name], `key":"`) + len(`key":"`)
	key := right[name][at : at+44]
	return append(all,
		key, `"`+key+`"`, right[name][:at+30],
		strings.Replace(right[name], key, key[:40], 1),
		strings.Replace(right[name], key, key[:40]+key, 1),
		strings.Replace(right[name], `"wormlog/v1-draft"`, `"`+key+`"`, 1),
		strings.Replace(right[name], `{"format"`, `{"`+key+`":"","format"`, 1),
		strings.ReplaceAll(right[name], `,`, ", "))
}

func (p *programs) put(t *testing.T, name, value string) {
	t.Helper()
	_, err := p.secrets.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: aws.String(value)})
	if err != nil {
		t.Fatal(err)
	}
}

// pasted gives a key where a setting names the place of one.
func (p *programs) pasted(t *testing.T, bundle string) {
	t.Helper()
	rest := p.env
	defer func() { p.env = rest }()
	p.env = append(rest, "KEY="+bundle, "HALF="+bundle[:len(bundle)-10])
	p.succeeds(t, "write", "--signing-key-env", "KEY", "in.ndjson")
	for _, args := range [][]string{
		{"--signing-key-env", "HALF"}, {"--signing-key-env", bundle}, {"--signing-secret", bundle}, {"--writer", bundle}, {"--log-id", bundle}, {bundle},
	} {
		if said, err := p.run(t, append([]string{"write", "in.ndjson"}, args...)...); err == nil {
			t.Errorf("%.30q passed: %s", args, said)
		}
	}
	p.file(t, "pasted.key", bundle)
	p.run(t, "init", "--recovery-key", "pasted.key")
	if err := os.Remove(filepath.Join(p.dir, "pasted.key")); err != nil {
		t.Fatal(err)
	}
}

// crash makes a writer that has its keys in memory print all its stacks.
func (p *programs) crash(t *testing.T) {
	t.Helper()
	c := exec.CommandContext(t.Context(), p.wormlog, "write", "--verbose", "-")
	c.Dir, c.Env = p.dir, p.env
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in, `{"a":1}`)
	var said bytes.Buffer
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if strings.Contains(lines.Text(), "stream opened") { // by now it has loaded its key, and made another
			_ = c.Process.Signal(syscall.SIGQUIT)
		}
	}
	if err := c.Wait(); err == nil || !strings.Contains(said.String(), "goroutine ") {
		t.Fatalf("it did not crash: %v\n%s", err, said.String())
	}
	p.clean(t, "a crash", said.Bytes())
}

// cleanFolder looks at every file that is left: objects and the server's journal, receipts, head files, reports. Secrets
// Manager's part of the journal is where keys belong, and is looked at to see that a key would be found.
func (p *programs) cleanFolder(t *testing.T) {
	t.Helper()
	objects, secrets := 0, 0
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch {
		case d.Name() == offlineKey:
			if len(leaks.Find(b)) == 0 {
				t.Errorf("the recovery key is not marked")
			}
		case d.Name() == "journal.ndjson":
			for line := range bytes.Lines(b) {
				if bytes.HasPrefix(line, []byte(`{"secret":`)) {
					secrets += len(leaks.Find(line))
					continue
				}
				p.clean(t, path, line)
			}
		default:
			objects++
			p.clean(t, path, b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if objects < 10 || secrets < 4 {
		t.Errorf("%d files and %d secrets were looked at, which cannot be all", objects, secrets)
	}
}
