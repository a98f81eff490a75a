package secretsmanager_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

var _ secretsmanager.RotationAPI = (*sm.Client)(nil)

var algorithms = []keys.Algorithm{keys.AlgorithmHMACSHA256, keys.AlgorithmEd25519}

func TestFourSteps(t *testing.T) {
	for _, alg := range algorithms {
		w := withKey(t, alg)
		w.must(steps...)
		w.rotated(token)
		w.must(steps...) // the whole rotation again
		w.rotated(token)
		if b := w.complete("at the end"); (b.VerificationCopy() != nil) != (alg == keys.AlgorithmHMACSHA256) {
			t.Errorf("the new key does not sign with %s", alg)
		}
	}
}

func TestStepsInBothSpellings(t *testing.T) {
	w := withKey(t, keys.AlgorithmEd25519)
	for _, step := range []string{"create_secret", "set_secret", "test_secret", "finish_secret"} {
		if err := w.step(step); err != nil {
			t.Fatal(err)
		}
	}
	w.rotated(token)
}

func TestAnotherAlgorithm(t *testing.T) {
	w := withKey(t, keys.AlgorithmEd25519)
	r := w.rotator(0, "")
	r.Algorithm = keys.AlgorithmHMACSHA256
	got, err := r.Run(t.Context(), signing)
	if err != nil {
		t.Fatal(err)
	}
	if rec, err := w.archive.read(got.Key); err != nil || rec.EntryAlgorithm != keys.AlgorithmHMACSHA256 {
		t.Errorf("%+v, %v", rec, err)
	}
	w.complete("at the end")
}

// TestByARN names the secret as Secrets Manager does to a function; the record has its name all the same.
func TestByARN(t *testing.T) {
	w := withKey(t, keys.AlgorithmHMACSHA256)
	out, err := w.admin.DescribeSecret(t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(signing)})
	if err != nil {
		t.Fatal(err)
	}
	r := w.rotator(0, "")
	for i, step := range steps {
		e := event(step)
		if e.SecretID = *out.ARN; i == 2 {
			e.SecretID = signing
		}
		if err := r.Step(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	w.rotated(token)
}

func TestEvent(t *testing.T) {
	var e secretsmanager.Event
	const sent = `{"Step":"createSecret","SecretId":"arn:x","ClientRequestToken":"11111111-2222-3333-4444-555555555555","RotationToken":"hunter2"}`
	if err := json.Unmarshal([]byte(sent), &e); err != nil || e.SecretID != "arn:x" || e.RotationToken != "hunter2" || e.ClientRequestToken != token {
		t.Fatalf("%v, %v", e, err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s %d", e, &e, e, e.LogValue(), e); strings.Contains(s, "hunter2") {
		t.Error(s)
	}
	w := withKey(t, keys.AlgorithmEd25519)
	before := w.everything()
	for says, change := range map[string]func(*secretsmanager.Event){
		"no step \"deleteSecret\"":  func(e *secretsmanager.Event) { e.Step = "deleteSecret" },
		"no step \"\"":              func(e *secretsmanager.Event) { e.Step = "" },
		"names no secret":           func(e *secretsmanager.Event) { e.SecretID = "" },
		"has 32 to 64; send":        func(e *secretsmanager.Event) { e.ClientRequestToken = "short" },
		"ClientRequestToken of 0 c": func(e *secretsmanager.Event) { e.ClientRequestToken = "" },
	} {
		e := event(secretsmanager.StepCreate)
		change(&e)
		if err := w.rotator(0, "").Step(t.Context(), e); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	if w.everything() != before {
		t.Error("something changed")
	}
}

func TestRotationTokenIsPassedOn(t *testing.T) {
	w := withKey(t, keys.AlgorithmEd25519)
	r := w.rotator(0, "")
	var got string
	r.API = spy{r.API, func(in *sm.PutSecretValueInput) { got = aws.ToString(in.RotationToken) }}
	if err := r.Step(t.Context(), event(secretsmanager.StepCreate)); err != nil || got != "who asks" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRun(t *testing.T) {
	w := withKey(t, keys.AlgorithmHMACSHA256)
	got, err := w.run()
	if err != nil || got.Resumed || got.Previous != w.first || got.Secret != signing {
		t.Fatalf("%+v, %v", got, err)
	}
	w.rotated(got.Version)
	if b, _ := w.bundle("AWSCURRENT"); b.KeyID() != got.Key {
		t.Errorf("key %s, and %s is in force", got.Key, b.KeyID())
	}
	second, err := w.run()
	if err != nil || second.Resumed || second.Previous != got.Key || second.Version == got.Version {
		t.Errorf("%+v, %v", second, err)
	}
}

// TestResumedAWeekLater abandons a rotation after each step.
func TestResumedAWeekLater(t *testing.T) {
	for n := range len(steps) {
		w := withKey(t, keys.AlgorithmHMACSHA256)
		w.must(steps[:n+1]...)
		made, err := w.bundle("AWSPENDING")
		if n == len(steps)-1 {
			made, err = w.bundle("AWSCURRENT")
		}
		if err != nil {
			t.Fatal(err)
		}
		w.wait(7 * 24 * time.Hour)
		if n < len(steps)-1 {
			got, err := w.run()
			if err != nil || !got.Resumed || got.Key != made.KeyID() || got.Previous != w.first {
				t.Errorf("after %s: %+v, %v, want key %s", steps[n], got, err, made.KeyID())
			}
		}
		w.rotated(token)
		w.must(steps...)
		w.rotated(token)
	}
}

// TestBegunBySecretsManager has RotateSecret make the version, empty as yet.
func TestBegunBySecretsManager(t *testing.T) {
	for name, finish := range map[string]func(*world){
		"steps": func(w *world) { w.must(steps...) },
		"run": func(w *world) {
			if got, err := w.run(); err != nil || !got.Resumed || got.Version != token {
				t.Errorf("%+v, %v", got, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := withKey(t, keys.AlgorithmHMACSHA256)
			if _, err := w.admin.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String(signing), ClientRequestToken: aws.String(token)}); err != nil {
				t.Fatal(err)
			}
			finish(w)
			w.rotated(token)
			if _, err := w.admin.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String(signing)}); err != nil {
				t.Errorf("the next rotation does not begin: %v", err)
			}
		})
	}
}

// TestConfigurationIsTriedOut does as RotateSecret without RotateImmediately: it puts a copy of the key in force as
// AWSPENDING, calls testSecret alone, and takes the label off.
func TestConfigurationIsTriedOut(t *testing.T) {
	w := withKey(t, keys.AlgorithmHMACSHA256)
	w.put(signing, token, w.current(), "AWSPENDING")
	before := w.everything()
	w.must(secretsmanager.StepTest)
	if w.everything() != before {
		t.Error("something changed")
	}
	rec := w.archive.of[w.first]
	delete(w.archive.of, w.first)
	if err := w.step(secretsmanager.StepTest); err == nil {
		t.Error("passes, and the archive has no record of the key")
	}
	w.archive.of[w.first] = rec
	w.unlabel("AWSPENDING", token)
	if got, err := w.run(); err != nil || got.Resumed {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestGivenUp takes AWSPENDING off: the next rotation makes another key in another version.
func TestGivenUp(t *testing.T) {
	w := withKey(t, keys.AlgorithmEd25519)
	var abandoned []keys.ID
	for n := range 3 {
		r := w.rotator(8+2*n, crashBefore) // after the key was put
		if _, err := r.Run(r.ctx, signing); err == nil {
			t.Fatal("no crash")
		}
		b, err := w.bundle("AWSPENDING")
		if err != nil {
			t.Fatal(err, r.calls)
		}
		abandoned = append(abandoned, b.KeyID())
		w.unlabel("AWSPENDING", w.stages()["AWSPENDING"])
	}
	got, err := w.run()
	if err != nil || got.Resumed || got.Previous != w.first {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, id := range abandoned {
		if _, err := w.archive.read(id); err == nil || id == got.Key {
			t.Errorf("key %s was given up and is published", id)
		}
	}
}

// TestWentBack moves AWSCURRENT back by hand after a rotation, and rotates again.
func TestWentBack(t *testing.T) {
	w := withKey(t, keys.AlgorithmEd25519)
	first, err := w.run()
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.admin.UpdateSecretVersionStage(t.Context(), &sm.UpdateSecretVersionStageInput{SecretId: aws.String(signing), VersionStage: aws.String("AWSCURRENT"),
		MoveToVersionId: aws.String(secretsmanager.InitialVersion(signing)), RemoveFromVersionId: &first.Version})
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.run()
	if err != nil || second.Key == first.Key || second.Previous != w.first || second.Resumed {
		t.Errorf("%+v, %v", second, err)
	}
	w.complete("at the end")
}

// TestSevenYears rotates one secret every 90 days, 29 times.
func TestSevenYears(t *testing.T) {
	w := withKey(t, keys.AlgorithmHMACSHA256)
	before := w.first
	for n := 1; n <= 29; n++ {
		w.wait(90 * 24 * time.Hour)
		got, err := w.run()
		if err != nil || got.Previous != before || got.Resumed {
			t.Fatalf("rotation %d: %+v, %v", n, got, err)
		}
		before = got.Key
		if where := w.stages(); len(where) != 2 || where["AWSCURRENT"] != got.Version {
			t.Fatalf("rotation %d: labels %v", n, where)
		}
	}
	of := map[string]int{}
	for l := range strings.SplitSeq(w.everything(), "\n") {
		name, _, _ := strings.Cut(l, " ")
		of[name]++
		if strings.HasPrefix(name, copies) {
			of[copies]++
		}
	}
	if of[signing] != 30 || of["record"] != 30 || of[copies] != 30 {
		t.Errorf("%d versions, %d records, %d copies, want 30 of each", of[signing], of["record"], of[copies])
	}
}

// TestTwoAtOnce stops one rotation before each of its calls until another one has come to its end.
func TestTwoAtOnce(t *testing.T) {
	n := len(clean(t, func(r *rotator) error { _, err := r.Run(r.ctx, signing); return err }))
	for at := 2; at <= n; at++ { // before the first call nothing has begun
		w := withKey(t, keys.AlgorithmHMACSHA256)
		var other secretsmanager.Rotated
		r := w.rotator(at, somebodyElse)
		r.hook = func() {
			var err error
			if other, err = w.run(); err != nil {
				t.Errorf("call %d: the faster one: %v", at, err)
			}
		}
		got, err := r.Run(r.ctx, signing)
		if err != nil || got.Key != other.Key || got.Version != other.Version {
			t.Errorf("call %d (%s): %+v and %+v, %v", at, r.calls[at-1], got, other, err)
		}
		w.rotated(other.Version)
	}
}

// TestManyAtOnce begins rotations at the same moment and lets them run as they come.
func TestManyAtOnce(t *testing.T) {
	for range 5 {
		w := withKey(t, keys.AlgorithmHMACSHA256)
		const many = 4
		var begun, done sync.WaitGroup
		begun.Add(many)
		got := make([]secretsmanager.Rotated, many)
		for i := range got {
			r := w.rotator(2, somebodyElse)
			r.hook = func() { begun.Done(); begun.Wait() } // all have looked
			done.Go(func() {
				var err error
				if got[i], err = r.Run(r.ctx, signing); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		for _, g := range got {
			if g.Key != got[0].Key || g.Version != got[0].Version {
				t.Errorf("two keys: %+v, %+v", g, got[0])
			}
		}
		w.rotated(got[0].Version)
	}
}
