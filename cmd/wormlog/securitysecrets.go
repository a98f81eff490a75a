package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/s3lock"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// unasked says whether an error leaves the question open: nobody could be asked, or the asking is not permitted.
func unasked(err error) bool {
	return !errors.Is(err, keys.ErrMismatch) && !errors.Is(err, keys.ErrNotFound) && !errors.Is(err, archive.ErrNotFound)
}

// schedule looks whether Secrets Manager rotates the signing secret by itself.
func (l *checklist) schedule(ctx context.Context) {
	if l.SigningKeyEnv != "" {
		return // the key is in no secret
	}
	name := l.SigningSecretOf(l.origin())
	s, err := secretsmanager.ReadSchedule(ctx, l.client, name)
	status, got := passIf(s.Enabled && (l.KeyRotationDays == 0 || s.Days <= l.KeyRotationDays)), "not rotated"
	switch {
	case err != nil:
		status, got = s3lock.Unknown, err.Error()
	case s.Days > 0:
		got = fmt.Sprintf("every %d days", s.Days)
	case s.Enabled:
		got = s.Expression
	}
	want := "rotated by Secrets Manager"
	if l.KeyRotationDays > 0 {
		want += fmt.Sprintf(" at least every %d days", l.KeyRotationDays)
	}
	l.add("rotation scheduled", status, got, want, "a key that is never changed can be stolen once and used for years",
		"aws secretsmanager rotate-secret --secret-id "+name+" --rotation-lambda-arn ARN --rotation-rules AutomaticallyAfterDays=90, or schedule `wormlog keys rotate`",
		"aws secretsmanager describe-secret --secret-id "+name)
}

// copyLines look at the verification copies of keys that sign entries with HMACs.
func (l *checklist) copyLines(ctx context.Context, ids []keys.ID) {
	if len(ids) == 0 {
		return
	}
	copies := secretsmanager.Copies{Prefix: l.VerificationSecretsOf(l.origin())}
	there := tally{what: "verification copy"}
	kept := tally{what: "verification copy"}
	for _, id := range ids {
		refused, err := secretsmanager.Refused(ctx, l.client, copies.Name(id), "AWSCURRENT")
		if refused {
			err = fmt.Errorf("%w: the copy of key %s may not be read by this role", keys.ErrDenied, id)
		}
		there.note(err == nil, err, errors.Is(err, keys.ErrNotFound), string(id))
		denied, err := secretsmanager.DeletionDenied(ctx, l.client, copies.Name(id))
		kept.note(denied, err, false, string(id))
	}
	l.add("verification copies", there.status(), there.got("are there"), "one for every HMAC key",
		"the HMACs of a key without its copy cannot be checked", "restore the secret (aws secretsmanager restore-secret) if it is scheduled for deletion; docs/keys.md, 7.6",
		"wormlog verify --require-hmac")
	l.add("copies kept", kept.status(), kept.got("refuse their deletion"), "a resource policy that denies secretsmanager:DeleteSecret to everybody",
		"whoever may delete a copy ends the checking of those HMACs", "aws secretsmanager put-resource-policy, with the statement in docs/keys.md, section 6",
		"aws secretsmanager get-resource-policy --secret-id "+copies.Name(ids[0]))
}

// tally counts the answers for several things to one line.
type tally struct {
	what             string
	yes, no, unknown int
	first            string // the first that is not right, and why
}

func (t *tally) note(ok bool, err error, absent bool, name string) {
	switch {
	case ok:
		t.yes++
		return
	case err != nil && !absent:
		t.unknown++
	default:
		t.no++
	}
	if t.first != "" {
		return
	}
	t.first = name
	if err != nil {
		t.first = err.Error()
	}
}

func (t *tally) status() s3lock.Status {
	switch {
	case t.no > 0:
		return s3lock.Fail
	case t.unknown > 0:
		return s3lock.Unknown
	}
	return s3lock.Pass
}

func (t *tally) got(said string) string {
	got := fmt.Sprintf("%d of %d %s", t.yes, t.yes+t.no+t.unknown, said)
	if t.first != "" {
		got += "; not so: " + t.first
	}
	return got
}

// secretRead is one secret that a role must, or must not, be able to read.
type secretRead struct {
	what, stage string
	must        bool
	name        func(*checklist) string
}

var (
	signing   = func(l *checklist) string { return l.SigningSecretOf(l.origin()) }
	authority = func(l *checklist) string { return l.AuthoritySecretOf(l.origin()) }
	acts      = func(l *checklist) string { return l.ActsSecretOf(l.origin()) }
	aCopy     = func(l *checklist) string { return l.copyName }
)

// roleReads says what each role reads, and what it must not. What is not listed may be either.
var roleReads = map[string][]secretRead{
	"writer": {
		{"signing secret", "AWSCURRENT", true, signing}, {"signing secret, the key before", "AWSPREVIOUS", false, signing},
		{"authority's secret", "AWSCURRENT", false, authority}, {"secret for acts", "AWSCURRENT", false, acts},
		{"verification copy", "AWSCURRENT", false, aCopy},
	},
	"verifier": {
		{"signing secret", "AWSCURRENT", false, signing}, {"authority's secret", "AWSCURRENT", false, authority},
		{"secret for acts", "AWSCURRENT", false, acts}, {"verification copy", "AWSCURRENT", true, aCopy},
	},
	"rotation": {
		{"signing secret", "AWSCURRENT", true, signing}, {"authority's secret", "AWSCURRENT", true, authority},
		{"verification copy", "AWSCURRENT", true, aCopy},
	},
}

// readsAs tries what these credentials can read. A value that is given away is not kept.
func (l *checklist) readsAs(ctx context.Context, role string) {
	noCopy := l.findCopy(ctx)
	for _, r := range roleReads[role] {
		name, refused, err := r.name(l), false, noCopy
		if name == "" && err == nil {
			continue // no key of this log has a verification copy
		}
		if name != "" {
			refused, err = secretsmanager.Refused(ctx, l.client, name, r.stage)
		}
		status, got, want := passIf(refused != r.must), "readable", "not readable"
		if refused {
			got = "not readable"
		}
		if r.must {
			want = "readable"
		}
		if err != nil {
			status, got = s3lock.Unknown, err.Error()
		}
		l.add(role+": "+r.what, status, got, want, "a role that reads more than it needs gives more away when it is stolen",
			"give it the statements of docs/keys.md, section 6, for "+name, "wormlog security-check --as "+role)
	}
}

// findCopy looks for a key of this log that has a verification copy.
func (l *checklist) findCopy(ctx context.Context) error {
	if l.log == nil {
		return errors.New("log.json may not be read, so no key of the log is known")
	}
	for v, err := range l.store.Versions(ctx, "keys/", "") {
		if err != nil {
			return err
		}
		name, _ := strings.CutSuffix(strings.TrimPrefix(v.Key, "keys/"), ".json")
		if keys.ID(name).Valid() != nil {
			continue
		}
		r, err := l.log.Record(ctx, l.store, keys.ID(name))
		if err == nil && r.EntryAlgorithm == keys.AlgorithmHMACSHA256 {
			l.copyName = secretsmanager.Copies{Prefix: l.VerificationSecretsOf(l.origin())}.Name(keys.ID(name))
			return nil
		}
	}
	return nil
}
