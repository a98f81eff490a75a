package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/s3lock"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

func (a *app) securityCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "security-check",
		Short: "Go through the security checklist: pass, fail or unknown for each line, with the fix",
		Long: "Go through the checklist of docs/security.md, section 10: the bucket, connections, keys and their rotation, secrets, and\n" +
			"the state of the evidence at level locks. Each line names the command that proves it alone. Nothing is changed, and no\n" +
			"secret is shown.\n\n" +
			"With --as writer, verifier or rotation, and that role's credentials, it tries instead which secrets the role can read,\n" +
			"and which it should not be able to.\n\n" +
			"Exit status: 0 all right, 1 a line failed, 3 something could not be found out.",
		Example: "  wormlog security-check\n  wormlog security-check --json | jq '.lines[] | select(.status != \"pass\")'\n" +
			"  AWS_PROFILE=audit-writer wormlog security-check --as writer",
		Args: cobra.NoArgs,
	}
	config.AddFlags(c.Flags(), config.GroupBucket, config.GroupCopies, config.GroupKeys)
	for _, name := range []string{"writer", "signing_secret", "signing_key_env", "authority_secret", "acts_secret", "retention", "sse"} {
		config.AddFlag(c.Flags(), name)
	}
	as := c.Flags().String("as", "", "try what the role of these credentials can read: writer, verifier or rotation")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if _, ok := roleReads[*as]; !ok && *as != "" {
			return fmt.Errorf("--as %q is none of writer, verifier, rotation", *as)
		}
		s, err := a.open(c)
		if err != nil {
			return err
		}
		return s.securityCheck(c.Context(), *as)
	}
	return c
}

// checkLine is one line of the checklist.
type checkLine struct {
	s3lock.Line
	Proof string `json:"proof"` // the command that proves it alone
}

// checklist is one run of the check.
type checklist struct {
	*session
	log    *archive.Log // nil if there is none to be read
	client secretsAPI
	// copyName is the secret with the verification copy of some key; empty if no key has one.
	copyName string
	lines    []checkLine
}

// secretsAPI is what the checks ask of Secrets Manager.
type secretsAPI interface {
	secretsmanager.Reader
	secretsmanager.Inspector
}

// add adds a line that passed, failed, or could not be found out.
func (l *checklist) add(setting string, status s3lock.Status, got, want, threat, fix, proof string) {
	l.lines = append(l.lines, checkLine{s3lock.Line{Setting: setting, Status: status, Got: got, Want: want, Threat: threat, Fix: fix}, proof})
}

func passIf(ok bool) s3lock.Status {
	if ok {
		return s3lock.Pass
	}
	return s3lock.Fail
}

func (s *session) securityCheck(ctx context.Context, as string) error {
	l := &checklist{session: s}
	if err := l.prepare(ctx); err != nil {
		return err
	}
	if as != "" {
		l.readsAs(ctx, as)
	} else if err := l.all(ctx); err != nil {
		return err
	}
	return l.print()
}

// prepare reads the log and makes the client of Secrets Manager.
func (l *checklist) prepare(ctx context.Context) error {
	client, err := l.secrets(ctx)
	if err != nil {
		return err
	}
	l.client = client
	l.log, err = l.openLog(ctx)
	l.add("log pinned", passIf(err == nil && l.LogID != ""), l.gotLog(err), "log_id set, and found in the bucket",
		"a whole forged log under the same name would pass for this one", "set log_id to what `wormlog init` printed: WORMLOG_LOG_ID=…",
		"wormlog verify --level locks --require-pin")
	if err != nil && !errors.Is(err, archive.ErrDenied) {
		return err
	}
	return nil
}

func (l *checklist) gotLog(err error) string {
	switch {
	case err != nil:
		return err.Error()
	case l.LogID == "":
		return "not pinned; the log there is " + string(l.log.ID)
	}
	return string(l.LogID)
}

func (l *checklist) origin() string {
	if l.log == nil {
		return l.Origin
	}
	return l.log.Origin
}

func (l *checklist) all(ctx context.Context) error {
	if err := l.bucketLines(ctx); err != nil {
		return err
	}
	l.transit()
	l.recoveryFile()
	if l.log == nil {
		return nil
	}
	l.signingKeyLine(ctx)
	l.schedule(ctx)
	return l.evidence(ctx)
}

// bucketLines are those of `wormlog bucket check`.
func (l *checklist) bucketLines(ctx context.Context) error {
	now, err := l.store.Now(ctx)
	if err != nil {
		return err
	}
	days, err := l.Retention.From(now)
	if err != nil {
		return err
	}
	if days == 0 && l.log != nil {
		days = l.log.Retention.Days
	}
	r, err := l.bucket.Check(ctx, s3lock.Policy{RetentionDays: int(days), Encryption: l.SSE})
	for _, line := range r.Lines {
		l.lines = append(l.lines, checkLine{line, "wormlog bucket check"})
	}
	return err
}

// transit looks at how S3 and Secrets Manager are reached. An AWS endpoint that nobody named is https.
func (l *checklist) transit() {
	plain := strings.HasPrefix(l.bucket.Endpoint(), "http:") || strings.HasPrefix(l.Endpoint, "http:") || strings.HasPrefix(l.SecretsEndpoint, "http:")
	got := "TLS, at least " + l.Given("tls_min_version").Value
	if plain {
		got = "plain http to an endpoint on this machine"
	}
	l.add("encryption in transit", passIf(!plain), got, "TLS 1.2 or later to S3 and Secrets Manager",
		"whoever is on the way reads entries and keys", "leave out endpoint and secrets_endpoint, or make them https", "wormlog config")
}

func (l *checklist) recoveryFile() {
	found, err := filepath.Glob("wormlog-recovery-*.key")
	got := "none in this folder"
	if len(found) > 0 {
		got = strings.Join(found, ", ")
	}
	l.add("recovery key offline", passIf(err == nil && len(found) == 0), got, "no recovery key where wormlog runs",
		"whoever has it can name new authorities' keys", "take the file offline and delete it here", "ls wormlog-recovery-*.key")
}

func (l *checklist) signingKeyLine(ctx context.Context) {
	provider, err := l.provider(ctx, l.origin())
	got := ""
	if err == nil {
		key, keyErr := archive.SigningKeys(l.log, l.store, provider)(ctx)
		if err = keyErr; err == nil {
			got = string(key.ID())
		}
	}
	status := passIf(err == nil)
	if err != nil {
		got = err.Error()
		if unasked(err) {
			status = s3lock.Unknown
		}
	}
	l.add("signing key", status, got, "a key of this log, with a believed record in the archive",
		"what another key signs is no evidence, and writers refuse it", "docs/keys.md, \"When a rotation does not finish\"", "wormlog keys current")
}

func (l *checklist) print() error {
	status := s3lock.Pass
	for _, line := range l.lines {
		if line.Status == s3lock.Fail || line.Status == s3lock.Unknown && status == s3lock.Pass {
			status = line.Status
		}
	}
	if !l.json {
		l.printText()
		return statusOf(status)
	}
	report := struct {
		Checked  time.Time     `json:"checked"`
		Home     archive.Home  `json:"home"`
		Endpoint string        `json:"endpoint"`
		Status   s3lock.Status `json:"status"`
		Lines    []checkLine   `json:"lines"`
	}{time.Now().UTC(), l.store.Home(), l.bucket.Endpoint(), status, l.lines}
	if err := printJSON(l.stdout, report); err != nil {
		return err
	}
	return statusOf(status)
}

// printText shows each line, and below those that did not pass what it is about and what to do.
func (l *checklist) printText() {
	fmt.Fprintln(l.stdout, visible("Security of the log "+l.where()))
	fmt.Fprint(l.stdout, l.endpointLine())
	for _, line := range l.lines {
		fmt.Fprintln(l.stdout, visible(fmt.Sprintf("%-8s %s: %s", line.Status, line.Setting, line.Got)))
		if line.Status == s3lock.Pass {
			continue
		}
		for _, said := range [][2]string{{"want", line.Want}, {"risk", line.Threat}, {"fix", line.Fix}, {"proof", line.Proof}} {
			fmt.Fprintln(l.stdout, visible(fmt.Sprintf("           %-6s %s", said[0]+":", said[1])))
		}
	}
}

// evidence looks at everything at level locks, and at the keys that it finds on the way.
func (l *checklist) evidence(ctx context.Context) error {
	r, err := archive.Verify(ctx, archive.VerifyConfig{Store: l.store, LogID: l.LogID, Level: archive.LevelLocks, RotationDays: l.KeyRotationDays})
	if err != nil {
		return err
	}
	status := s3lock.Fail
	switch r.Verdict {
	case archive.Intact:
		status = s3lock.Pass
	case archive.NotChecked:
		status = s3lock.Unknown
	}
	l.add("evidence", status, verdictSentence(r), "INTACT", "evidence that is hidden, unlocked or gone", "docs/findings.md has a section for each finding",
		"wormlog verify --level locks")
	l.keyLines(ctx, r)
	return nil
}

// keyLines judge the keys that the archive knows.
func (l *checklist) keyLines(ctx context.Context, r *archive.Report) {
	var overdue []string
	for _, f := range r.Findings {
		if f.Code == archive.CodeRotationOverdue {
			overdue = append(overdue, f.Detail)
		}
	}
	if l.KeyRotationDays > 0 {
		got := "none is older"
		if len(overdue) > 0 {
			got = strings.Join(overdue, "; ")
		}
		l.add("key age", passIf(len(overdue) == 0), got, fmt.Sprintf("no writer's newest key is over %d days old", l.KeyRotationDays),
			"the longer a key is used, the more a theft covers", "wormlog keys rotate, or wormlog keys retire if the writer is gone", "wormlog keys list")
	}
	var hmac []keys.ID
	for _, k := range r.Keys {
		if k.EntryAlgorithm == keys.AlgorithmHMACSHA256 {
			hmac = append(hmac, k.KeyID)
		}
	}
	l.currentState(ctx, r.Keys)
	l.copyLines(ctx, hmac)
}

// currentState looks whether the key that signs now may.
func (l *checklist) currentState(ctx context.Context, reports []archive.KeyReport) {
	current, err := l.currentKey(ctx, l.origin())
	status, got := s3lock.Unknown, "the signing secret's key is not known"
	if err != nil {
		got = err.Error()
	}
	for _, k := range reports {
		if err == nil && k.KeyID == current {
			status, got = passIf(k.State == archive.KeyActive), string(k.State)
		}
	}
	l.add("no compromised key", status, got, "the key that signs now is neither retired nor compromised",
		"what it signs from then on is not believed", "wormlog keys rotate", "wormlog keys list")
}
