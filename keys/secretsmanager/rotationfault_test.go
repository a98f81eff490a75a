package secretsmanager_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

var outcomes = []outcome{lost, replyLost, refused, crashBefore, crashAfter}

// clean returns the calls of what runs without any fault.
func clean(t *testing.T, run func(*rotator) error, before ...string) []string {
	t.Helper()
	w := withKey(t, keys.AlgorithmHMACSHA256)
	w.must(before...)
	r := w.rotator(0, "")
	if err := run(r); err != nil {
		t.Fatal(err)
	}
	return r.calls
}

// TestStepCrashMatrix fails every call of every step in every way, and then repeats the step, twice, and goes on. After
// every single call what is in force must be complete.
func TestStepCrashMatrix(t *testing.T) {
	for i, step := range steps {
		run := func(r *rotator) error { return r.Step(r.ctx, event(step)) }
		calls := clean(t, run, steps[:i]...)
		for at := 1; at <= len(calls); at++ {
			for _, what := range outcomes {
				t.Run(fmt.Sprintf("%s/%d %s/%s", step, at, calls[at-1], what), func(t *testing.T) {
					w := withKey(t, keys.AlgorithmHMACSHA256)
					for _, done := range steps[:i] {
						if err := w.step(done); err != nil {
							t.Fatal(err)
						}
					}
					r := w.rotator(at, what)
					err := run(r)
					if crash := what == crashBefore || what == crashAfter; err == nil && crash && at < len(calls) {
						t.Errorf("success, though it ended at call %d of %d", at, len(calls))
					}
					oneSentence(t, err)
					w.must(step) // twice
					for _, next := range steps[i+1:] {
						if err := w.step(next); err != nil {
							t.Fatal(err)
						}
					}
					w.rotated(token)
				})
			}
		}
	}
}

// TestRunCrashMatrix does the same to a whole rotation, which is then begun anew.
func TestRunCrashMatrix(t *testing.T) {
	run := func(r *rotator) error { _, err := r.Run(r.ctx, signing); return err }
	calls := clean(t, run)
	for at := 1; at <= len(calls); at++ {
		for _, what := range outcomes {
			t.Run(fmt.Sprintf("%d %s/%s", at, calls[at-1], what), func(t *testing.T) {
				w := withKey(t, keys.AlgorithmHMACSHA256)
				err := run(w.rotator(at, what))
				oneSentence(t, err)
				if err != nil && w.stages()["AWSPENDING"] != "" {
					if got, err := w.run(); err != nil || !got.Resumed || got.Previous != w.first {
						t.Fatalf("%+v, %v", got, err)
					}
				} else if err != nil && w.stages()["AWSPREVIOUS"] == "" {
					if _, err := w.run(); err != nil {
						t.Fatal(err)
					}
				}
				w.rotated(w.stages()["AWSCURRENT"])
			})
		}
	}
}

// TestFirstKeyCrashMatrix is a whole rotation with a KeySpec where there is no secret yet.
func TestFirstKeyCrashMatrix(t *testing.T) {
	run := func(r *rotator) (secretsmanager.Rotated, error) {
		r.Key = &secretsmanager.KeySpec{Role: keys.RoleAuthority, Streams: "authority.*"}
		return r.Run(r.ctx, signing)
	}
	first := newWorld(t).rotator(0, "")
	if _, err := run(first); err != nil {
		t.Fatal(err)
	}
	for at := 1; at <= len(first.calls); at++ {
		for _, what := range outcomes {
			t.Run(fmt.Sprintf("%d %s/%s", at, first.calls[at-1], what), func(t *testing.T) {
				w := newWorld(t)
				got, err := run(w.rotator(at, what))
				oneSentence(t, err)
				if where := w.stages(); err != nil && len(where) == 1 { // only the last reply was lost
					got.Version, got.Key = where["AWSCURRENT"], w.archive.ids()[0]
				} else if err != nil {
					if got, err = run(w.rotator(0, "")); err != nil {
						t.Fatal(err)
					}
				}
				b := w.complete("at the end")
				if b == nil || b.KeyID() != got.Key || b.Role() != keys.RoleAuthority || got.Version != secretsmanager.InitialVersion(signing) || len(w.archive.ids()) != 1 || len(w.stages()) != 1 {
					t.Errorf("%v, %+v, records %v, labels %v", b, got, w.archive.ids(), w.stages())
				}
			})
		}
	}
}

// spy sees what is put.
type spy struct {
	secretsmanager.RotationAPI
	put func(*sm.PutSecretValueInput)
}

func (s spy) PutSecretValue(ctx context.Context, in *sm.PutSecretValueInput, o ...func(*sm.Options)) (*sm.PutSecretValueOutput, error) {
	s.put(in)
	return s.RotationAPI.PutSecretValue(ctx, in, o...)
}

// TestNoKeyIsPublishedTwice loses the put of a key, so that the next try makes another: the lost one is nowhere.
func TestNoKeyIsPublishedTwice(t *testing.T) {
	w := withKey(t, keys.AlgorithmHMACSHA256)
	put := 0
	for i, c := range clean(t, func(r *rotator) error { return r.Step(r.ctx, event(secretsmanager.StepCreate)) }) {
		if c == "PutSecretValue" {
			put = i + 1
		}
	}
	r := w.rotator(put, lost)
	var made []keys.ID
	r.API = spy{r.API, func(in *sm.PutSecretValueInput) {
		b, err := keys.ParseBundle([]byte(aws.ToString(in.SecretString)))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, b.KeyID())
	}}
	if err := r.Step(t.Context(), event(secretsmanager.StepCreate)); err == nil || len(made) != 1 {
		t.Fatalf("%v, %v", made, err)
	}
	w.must(steps...)
	w.rotated(token)
	if _, err := w.archive.read(made[0]); err == nil {
		t.Error("a key that nobody has is published")
	}
}

// stale describes a secret as it was.
type stale struct {
	secretsmanager.RotationAPI
	was *sm.DescribeSecretOutput
}

func (s stale) DescribeSecret(context.Context, *sm.DescribeSecretInput, ...func(*sm.Options)) (*sm.DescribeSecretOutput, error) {
	return s.was, nil
}

// TestLabelsLagBehind has DescribeSecret tell of each step what was there before it, for AWS is eventually consistent.
func TestLabelsLagBehind(t *testing.T) {
	w := withKey(t, keys.AlgorithmHMACSHA256)
	was, err := w.admin.DescribeSecret(t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(signing)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, step := range steps {
			r := w.rotator(0, "")
			r.API = stale{r.API, was}
			if err := r.Step(t.Context(), event(step)); err != nil {
				t.Errorf("%v", err)
			}
		}
		w.rotated(token)
	}
}
