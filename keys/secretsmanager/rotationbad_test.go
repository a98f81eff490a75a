package secretsmanager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

const (
	hand     = "99999999-8888-7777-6666-555555555555" // the version of what somebody puts there by hand
	otherLog = keys.LogID("cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd")
	wayBack  = "--version-stage AWSCURRENT --move-to-version-id "
	giveUp   = "--version-stage AWSPENDING --remove-from-version-id " + token
)

// oneSentence fails the test if an error is more than one line or quotes a secret.
func oneSentence(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if s := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(s, "\n") || strings.Contains(s, "hunter2") || strings.Contains(s, "_key\":") {
		t.Errorf("%q", s)
	}
}

// refuses fails the test unless err names the secret and says all of this, and nothing has changed.
func (w *world) refuses(what string, err error, before string, says ...string) {
	t := w.t.(*testing.T)
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	oneSentence(t, err)
	for _, s := range append(says, signing) {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: %q does not say %q", what, err, s)
		}
	}
	if after := w.everything(); after != before {
		t.Errorf("%s: something changed, from\n%s\nto\n%s", what, before, after)
	}
}

// made is a key of the test's log or another one, as somebody makes it without rotation.
func made(t *testing.T, log keys.LogID, role keys.Role, streams string) (*keys.Bundle, keys.Record, string) {
	t.Helper()
	b, r, err := keys.NewKey(log, role, streams, keys.AlgorithmEd25519, map[string]string{"provider": "hand"}, "")
	if err != nil {
		t.Fatal(err)
	}
	return b, r, text(t, b)
}

func text(t *testing.T, v interface{ Secret() ([]byte, error) }) string {
	t.Helper()
	s, err := v.Secret()
	if err != nil {
		t.Fatal(err)
	}
	return string(s)
}

// current is the value in force.
func (w *world) current() string {
	w.t.Helper()
	out, err := w.admin.GetSecretValue(w.t.Context(), &sm.GetSecretValueInput{SecretId: aws.String(signing)})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.SecretString
}

// shortened is a bundle with one member cut.
func shortened(bundle, member string) string {
	at := strings.Index(bundle, `"`+member+`":"`) + len(member) + 4
	return bundle[:at] + "aHVudGVyMg==" + bundle[at+strings.Index(bundle[at:], `"`):]
}

// TestBadCurrentKey puts what is no key of this log into force, before the rotation and after each of its steps.
func TestBadCurrentKey(t *testing.T) {
	for name, c := range map[string]struct {
		value func(*testing.T, *world) string
		says  []string
	}{
		"text":         {func(*testing.T, *world) string { return "hunter2" }, []string{"no signing bundle", wayBack}},
		"other JSON":   {func(*testing.T, *world) string { return `{"username":"a","password":"hunter2"}` }, []string{"no signing bundle", wayBack}},
		"empty":        {func(*testing.T, *world) string { return "" }, []string{"no value", wayBack}},
		"later format": {func(*testing.T, *world) string { return `{"format":"wormlog/v9","x":"hunter2"}` }, []string{"unknown format", wayBack}},
		"short key": {func(t *testing.T, w *world) string { return shortened(w.current(), "manifest_key") },
			[]string{"a member that no bundle can have", wayBack}},
		"short entry key": {func(t *testing.T, w *world) string { return shortened(w.current(), "entry_key") },
			[]string{"a member that no bundle can have", wayBack}},
		"another log": {func(t *testing.T, _ *world) string {
			_, _, s := made(t, otherLog, keys.RoleWriter, "payments.*")
			return s
		},
			[]string{"of log " + string(otherLog), string(testLog), wayBack}},
		"without record": {func(t *testing.T, _ *world) string {
			_, _, s := made(t, testLog, keys.RoleWriter, "payments.*")
			return s
		},
			[]string{"no record", "wormlog init", wayBack}},
		"not its record": {func(t *testing.T, w *world) string {
			_, _, s := made(t, testLog, keys.RoleWriter, "payments.*")
			return strings.Replace(s, s[strings.Index(s, `"key_id":"`)+10:][:32], string(w.first), 1)
		}, []string{"does not match its key record", wayBack}},
	} {
		t.Run(name, func(t *testing.T) {
			for n := range len(steps) {
				w := withKey(t, keys.AlgorithmHMACSHA256)
				w.must(steps[:n]...)
				value := c.value(t, w)
				w.always = false
				w.put(signing, hand, value)
				before := w.everything()
				w.refuses(steps[n], w.step(steps[n]), before, c.says...)
				_, err := w.run()
				w.refuses("run", err, before, c.says...)
				// After the advice was taken, all is well.
				if _, err := w.admin.UpdateSecretVersionStage(t.Context(), &sm.UpdateSecretVersionStageInput{SecretId: aws.String(signing), VersionStage: aws.String("AWSCURRENT"),
					MoveToVersionId: aws.String(secretsmanager.InitialVersion(signing)), RemoveFromVersionId: aws.String(hand)}); err != nil {
					t.Fatal(err)
				}
				w.always = true
				w.must(steps[n:]...)
				w.complete("at the end")
			}
		})
	}
}

// TestBadPendingKey puts what no rotation made into the version of a rotation, AWSPENDING.
func TestBadPendingKey(t *testing.T) {
	for name, c := range map[string]struct {
		value func(*testing.T, *world) string
		says  string
	}{
		"text":      {func(*testing.T, *world) string { return "hunter2" }, "no signing bundle"},
		"empty":     {func(*testing.T, *world) string { return "" }, "no value"},
		"short key": {func(t *testing.T, w *world) string { return shortened(w.current(), "manifest_key") }, "a member that no bundle can have"},
		"another log": {func(t *testing.T, _ *world) string {
			_, _, s := made(t, otherLog, keys.RoleWriter, "payments.*")
			return s
		}, string(otherLog)},
		"another role": {func(t *testing.T, _ *world) string {
			_, _, s := made(t, testLog, keys.RoleVerifier, "verifier.*")
			return s
		},
			"by hand"},
		"made elsewhere": {func(t *testing.T, _ *world) string {
			_, _, s := made(t, testLog, keys.RoleWriter, "payments.*")
			return s
		}, "by hand"},
		"known, made elsewhere": {func(t *testing.T, w *world) string {
			b, r, s := made(t, testLog, keys.RoleWriter, "payments.*")
			w.archive.of[b.KeyID()] = r
			return s
		}, "by hand"},
		"the key in force": {func(_ *testing.T, w *world) string { return w.current() }, "by hand"},
	} {
		t.Run(name, func(t *testing.T) {
			w := withKey(t, keys.AlgorithmHMACSHA256)
			w.put(signing, token, c.value(t, w), "AWSPENDING")
			before := w.everything()
			for _, step := range steps {
				if step == secretsmanager.StepTest && name == "the key in force" {
					continue // Secrets Manager's own way to try out a configuration
				}
				w.refuses(step, w.step(step), before, c.says, giveUp)
			}
			_, err := w.run()
			w.refuses("run", err, before, c.says, giveUp)
			w.unlabel("AWSPENDING", token)
			if _, err := w.run(); err != nil {
				t.Errorf("after the advice was taken: %v", err)
			}
			w.complete("at the end")
		})
	}
}

// TestBrokenOff takes away under a rotation what it counts on.
func TestBrokenOff(t *testing.T) {
	for name, c := range map[string]struct {
		broken func(*testing.T, *world)
		says   string
	}{
		"another key came into force": {func(t *testing.T, w *world) {
			b, r, s := made(t, testLog, keys.RoleWriter, "payments.*")
			w.archive.of[b.KeyID()] = r
			w.put(signing, hand, s)
		}, "AWSCURRENT has changed since"},
		"given up": {func(_ *testing.T, w *world) { w.unlabel("AWSPENDING", token) }, "gave this rotation up"},
		"gone": {func(t *testing.T, w *world) {
			w.unlabel("AWSPENDING", token)
			w.wait(25 * time.Hour)
			for n := range 110 {
				w.put(signing, fmt.Sprintf("%032d", n), "x", "by-hand")
			}
			w.unlabel("by-hand", fmt.Sprintf("%032d", 109))
		}, "holds no key"},
	} {
		t.Run(name, func(t *testing.T) {
			for n := 1; n < len(steps); n++ {
				w := withKey(t, keys.AlgorithmHMACSHA256)
				w.must(steps[:n]...)
				c.broken(t, w)
				before := w.everything()
				for _, step := range steps[1:] {
					w.refuses(step, w.step(step), before, c.says)
				}
			}
		})
	}
}

func TestAnotherRotationIsUnderWay(t *testing.T) {
	w := withKey(t, keys.AlgorithmHMACSHA256)
	w.must(secretsmanager.StepCreate)
	before := w.everything()
	e := event(secretsmanager.StepCreate)
	e.ClientRequestToken = hand
	w.refuses("create", w.rotator(0, "").Step(t.Context(), e), before, "under way", token, "wormlog keys rotate")
}

func TestNoKeyToFollow(t *testing.T) {
	for name, c := range map[string]struct {
		setup func(*world) error
		says  string
	}{
		"no secret": {func(*world) error { return nil }, "wormlog init"},
		"empty": {func(w *world) error {
			_, err := w.admin.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String(signing)})
			return err
		}, "wormlog init"},
		"empty, begun": {func(w *world) error {
			_, err := w.admin.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String(signing)})
			_, rotateErr := w.admin.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String(signing), ClientRequestToken: aws.String(token)})
			return errors.Join(err, rotateErr)
		}, "wormlog init"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if err := c.setup(w); err != nil {
				t.Fatal(err)
			}
			before := w.everything()
			w.refuses("create", w.step(secretsmanager.StepCreate), before, c.says)
			_, err := w.run()
			w.refuses("run", err, before, c.says)
		})
	}
}

func TestScheduledForDeletion(t *testing.T) {
	for n := range len(steps) {
		w := withKey(t, keys.AlgorithmHMACSHA256)
		w.must(steps[:n]...)
		w.always = false
		if _, err := w.admin.DeleteSecret(t.Context(), &sm.DeleteSecretInput{SecretId: aws.String(signing)}); err != nil {
			t.Fatal(err)
		}
		before := w.everything()
		w.refuses(steps[n], w.step(steps[n]), before, "restore-secret --secret-id "+signing)
		r := w.rotator(0, "")
		r.Key = &secretsmanager.KeySpec{Role: keys.RoleWriter, Streams: "payments.*"}
		_, err := r.Run(t.Context(), signing)
		w.refuses("run", err, before, "restore-secret --secret-id "+signing)
	}
}

// TestBadCopy has something else where the verification copy must go.
func TestBadCopy(t *testing.T) {
	for name, c := range map[string]struct {
		value   string
		deleted bool
		says    string
	}{
		"something else":         {"hunter2", false, "was left as it is"},
		"scheduled for deletion": {"hunter2", true, "restore-secret"},
	} {
		t.Run(name, func(t *testing.T) {
			w := withKey(t, keys.AlgorithmHMACSHA256)
			w.must(secretsmanager.StepCreate)
			b, err := w.bundle("AWSPENDING")
			if err != nil {
				t.Fatal(err)
			}
			at := aws.String(copies + "/" + string(b.KeyID()))
			if _, err := w.admin.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: at, SecretString: &c.value}); err != nil {
				t.Fatal(err)
			}
			if c.deleted {
				if _, err := w.admin.DeleteSecret(t.Context(), &sm.DeleteSecretInput{SecretId: at}); err != nil {
					t.Fatal(err)
				}
			}
			before := w.everything()
			w.refuses("set", w.step(secretsmanager.StepSet), before, c.says, *at)
			_ = w.archive.add(mustRecord(t, b, w))
			before = w.everything()
			w.refuses("test", w.step(secretsmanager.StepTest), before, "verification copy", *at)
			w.refuses("finish", w.step(secretsmanager.StepFinish), before, "verification copy", *at)
		})
	}
}

func mustRecord(t *testing.T, b *keys.Bundle, w *world) keys.Record {
	t.Helper()
	r, err := b.Record("payments.*", map[string]string{"provider": "aws-secretsmanager", "secret": signing, "version": token}, w.first)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestNothingSignsBeforeItsRecord calls the later steps without the earlier ones.
func TestNothingSignsBeforeItsRecord(t *testing.T) {
	w := withKey(t, keys.AlgorithmHMACSHA256)
	before := w.everything()
	for _, step := range steps[1:] {
		w.refuses(step, w.step(step), before, "holds no key", secretsmanager.StepCreate)
	}
	w.must(secretsmanager.StepCreate)
	before = w.everything()
	for _, step := range steps[2:] {
		w.refuses(step, w.step(step), before, "no record", secretsmanager.StepSet)
	}
}

// denials are what the role of the rotation can lack, and the call that fails then.
func TestAccessDenied(t *testing.T) {
	for _, action := range []string{"DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"} {
		t.Run(action, func(t *testing.T) {
			w := withKey(t, keys.AlgorithmHMACSHA256)
			allow := w.srv.Deny("secretsmanager:"+action, signing, "rotation")
			old := w.current()
			_, err := w.run()
			if !errors.Is(err, keys.ErrDenied) {
				t.Errorf("%v is not ErrDenied", err)
			}
			oneSentence(t, err)
			for _, says := range []string{signing, "secretsmanager:" + action} {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
			}
			if w.current() != old {
				t.Error("another key is in force")
			}
			allow()
			got, err := w.run()
			if err != nil {
				t.Fatal(err)
			}
			w.rotated(got.Version)
		})
	}
	t.Run("CreateSecret of the copy", func(t *testing.T) {
		w := withKey(t, keys.AlgorithmHMACSHA256)
		w.must(secretsmanager.StepCreate)
		allow := w.srv.Deny("secretsmanager:CreateSecret", copies, "rotation")
		before := w.everything()
		w.refuses("set", w.step(secretsmanager.StepSet), before, "secretsmanager:CreateSecret", copies+"/")
		allow()
		w.must(steps...)
		w.rotated(token)
	})
}

// TestServiceFails has every operation fail for good, in the ways of a disabled KMS key and of a service that has
// enough, behind a client that tries three times.
func TestServiceFails(t *testing.T) {
	patient := func(o *sm.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.RateLimiter = 3, ratelimit.None
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	for _, c := range []struct {
		operation, code string
		status          int
		says            string
		attempts        int
	}{
		{"DescribeSecret", "ThrottlingException", 400, "throttled", 3},
		{"GetSecretValue", "ThrottlingException", 400, "throttled", 3},
		{"PutSecretValue", "ThrottlingException", 400, "throttled", 3},
		{"UpdateSecretVersionStage", "ThrottlingException", 400, "throttled", 3},
		{"GetSecretValue", "DecryptionFailure", 400, "KMS key", 1},
		{"GetSecretValue", "KMSInvalidStateException", 400, "KMS key", 1},
		{"PutSecretValue", "EncryptionFailure", 400, "KMS key", 1},
		{"GetSecretValue", "InternalServiceError", 500, "unknown", 3},
		{"PutSecretValue", "InternalServiceError", 500, "unknown", 3},
		{"PutSecretValue", "LimitExceededException", 400, "quota", 1},
		{"DescribeSecret", "ExpiredTokenException", 400, "credentials", 1},
	} {
		t.Run(c.operation+" "+c.code, func(t *testing.T) {
			w := withKey(t, keys.AlgorithmHMACSHA256)
			r := w.rotator(0, "")
			r.API = sm.New(w.client("rotation", r).Options(), patient)
			remove := w.srv.Inject(devserver.Fault{Operation: c.operation, Prefix: signing, Times: -1, Status: c.status, Code: c.code})
			_, err := r.Run(t.Context(), signing)
			remove()
			if err == nil {
				t.Fatal("no error")
			}
			oneSentence(t, err)
			for _, says := range []string{c.says, signing, c.operation} {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
			}
			n := 0
			for _, call := range r.calls {
				if call == c.operation {
					n++
				}
			}
			if c.operation == "DescribeSecret" && n != c.attempts {
				t.Errorf("%d attempts, want %d", n, c.attempts)
			}
			if w.stages()["AWSCURRENT"] != secretsmanager.InitialVersion(signing) {
				t.Error("another key is in force")
			}
			got, err := w.run()
			if err != nil {
				t.Fatal(err)
			}
			w.rotated(got.Version)
		})
	}
}

func TestArchiveFails(t *testing.T) {
	w := withKey(t, keys.AlgorithmHMACSHA256)
	w.must(secretsmanager.StepCreate, secretsmanager.StepSet)
	before := w.everything()
	denied := func(context.Context, keys.ID) (keys.Record, error) {
		return keys.Record{}, fmt.Errorf("%w: GetObject of keys/x.json", keys.ErrDenied)
	}
	for _, step := range steps {
		r := w.rotator(0, "")
		r.Record = denied
		err := r.Step(t.Context(), event(step))
		if !errors.Is(err, keys.ErrDenied) {
			t.Errorf("%v is not ErrDenied", err)
		}
		w.refuses(step, err, before, "record", "GetObject")
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	w := withKey(t, keys.AlgorithmHMACSHA256)
	before := w.everything()
	for name, change := range map[string]func(*secretsmanager.Rotation){
		"no client":  func(r *secretsmanager.Rotation) { r.API = nil },
		"no Record":  func(r *secretsmanager.Rotation) { r.Record = nil },
		"no Publish": func(r *secretsmanager.Rotation) { r.Publish = nil },
		"no log":     func(r *secretsmanager.Rotation) { r.Log = "" },
		"no role":    func(r *secretsmanager.Rotation) { r.Key = &secretsmanager.KeySpec{Streams: "payments.*"} },
		"no prefix":  func(r *secretsmanager.Rotation) { r.Copies.Prefix = "" },
	} {
		r := w.rotator(0, "")
		change(r.Rotation)
		if err := r.Step(t.Context(), event(secretsmanager.StepCreate)); err == nil {
			t.Errorf("%s: passes", name)
		}
		if _, err := r.Run(t.Context(), signing); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
	if w.everything() != before {
		t.Error("something changed")
	}
}
