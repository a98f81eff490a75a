package rotate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/internal/rotate/rotatetest"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// intact fails the test unless the archive verifies.
func intact(t *testing.T, s *rotatetest.Site) {
	t.Helper()
	if r := s.Verify(); r.Verdict != archive.Intact {
		t.Errorf("it is %s: %v", r.Verdict, r.Findings)
	}
}

// acts counts the entries of the authority's control streams.
func acts(t *testing.T, s *rotatetest.Site) (n int) {
	t.Helper()
	for v, err := range s.Store.Versions(t.Context(), "control/authority/segments/", "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(v.Key, ".zst") {
			n++
		}
	}
	return n
}

func TestRun(t *testing.T) {
	for _, algorithm := range []keys.Algorithm{keys.AlgorithmHMACSHA256, keys.AlgorithmEd25519} {
		t.Run(string(algorithm), func(t *testing.T) {
			s := rotatetest.New(t, algorithm)
			if id := s.Write(`{"n":1}`); id != s.First {
				t.Fatalf("key %s signed, want %s", id, s.First)
			}
			before := s.First
			for i := range 3 {
				began := s.Now().Add(-time.Second) // S3's clock shows whole seconds
				done, err := s.Job().Run(t.Context(), rotatetest.Signing)
				if err != nil {
					t.Fatal(err)
				}
				if done.Previous != before || done.Resumed || done.NotRetired != nil || !slices.Equal(done.Retired, []keys.ID{before}) {
					t.Errorf("%+v", done)
				}
				if retired, _ := s.KeyActs(before); retired.Before(began.Add(24*time.Hour)) || retired.After(s.Now().Add(24*time.Hour)) {
					t.Errorf("key %s is retired since %s", before, retired)
				}
				if id := s.Write(fmt.Sprintf(`{"rotation":%d}`, i)); id != done.Key {
					t.Errorf("key %s signs, want %s", id, done.Key)
				}
				if n := acts(t, s); n != i+1 {
					t.Errorf("%d acts after %d rotations", n, i+1)
				}
				before = done.Key
			}
			intact(t, s)
		})
	}
}

// Secrets Manager's own way: a step at a time, each of them twice, in both spellings.
func TestStep(t *testing.T) {
	for _, steps := range [][]string{
		{"createSecret", "setSecret", "testSecret", "finishSecret"},
		{"create_secret", "set_secret", "test_secret", "finish_secret"},
	} {
		s := rotatetest.New(t, keys.AlgorithmHMACSHA256)
		e := secretsmanager.Event{SecretID: rotatetest.Signing, ClientRequestToken: strings.Repeat("1", 32)}
		for _, e.Step = range steps {
			for range 2 {
				if err := s.Job().Step(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			if current := s.Write(`{}`); (current != s.First) != strings.HasPrefix(e.Step, "finish") {
				t.Errorf("after %s the key is %s", e.Step, current)
			}
		}
		if retired, _ := s.KeyActs(s.First); retired.IsZero() || acts(t, s) != 1 {
			t.Errorf("the old key is retired since %v, by %d acts", retired, acts(t, s))
		}
		if labels := s.Labels(rotatetest.Signing); labels["AWSCURRENT"] != e.ClientRequestToken || labels["AWSPENDING"] != "" {
			t.Errorf("labels: %v", labels)
		}
		intact(t, s)
	}
}

// The process ends at each request in turn, before it has an effect or after it. Repeated, the rotation is complete.
func TestCrashAtEveryRequest(t *testing.T) {
	for _, outcome := range []devserver.Outcome{devserver.Lost, devserver.ReplyLost} {
		for nth := 1; ; nth++ {
			hit := false
			t.Run(fmt.Sprintf("outcome %d, request %d", outcome, nth), func(t *testing.T) {
				s := rotatetest.New(t, keys.AlgorithmHMACSHA256)
				ctx, crash := context.WithCancel(t.Context())
				defer crash()
				remove := s.Inject(devserver.Fault{Nth: nth, Times: -1, Outcome: outcome, Hook: func() { hit = true; crash() }})
				_, err := s.Job().Run(ctx, rotatetest.Signing)
				remove()
				if hit != (err != nil) {
					t.Fatalf("hit: %v, and the error is %v", hit, err)
				}
				s.Write(`{"between":true}`) // whatever happened, the writer can write
				done, err := s.Job().Run(t.Context(), rotatetest.Signing)
				if err != nil {
					t.Fatal(err)
				}
				if id := s.Write(`{"after":true}`); id != done.Key {
					t.Errorf("key %s signs, want %s", id, done.Key)
				}
				if retired, _ := s.KeyActs(s.First); retired.IsZero() || done.NotRetired != nil {
					t.Errorf("the first key is not retired: %v", done.NotRetired)
				}
				if retired, _ := s.KeyActs(done.Key); !retired.IsZero() {
					t.Error("the new key is retired")
				}
				intact(t, s)
			})
			if !hit || t.Failed() {
				break
			}
		}
	}
}

// Without the key for acts a rotation succeeds and says what is missing; the next one that has it makes up for it.
func TestRetireWithoutTheKeyForActs(t *testing.T) {
	s := rotatetest.New(t, keys.AlgorithmEd25519)
	allow := s.Deny("secretsmanager:GetSecretValue", rotatetest.Acts)
	one, err := s.Job().Run(t.Context(), rotatetest.Signing)
	if err != nil || !errors.Is(one.NotRetired, keys.ErrDenied) || len(one.Retired) != 0 {
		t.Fatalf("%+v, %v", one, err)
	}
	job := s.Job()
	job.ActsSecret = "wormlog/nowhere"
	two, err := job.Run(t.Context(), rotatetest.Signing)
	if err != nil || !errors.Is(two.NotRetired, keys.ErrNotFound) {
		t.Fatalf("%+v, %v", two, err)
	}
	job.ActsSecret = ""
	three, err := job.Run(t.Context(), rotatetest.Signing)
	if err != nil || three.NotRetired != nil {
		t.Fatalf("%+v, %v", three, err)
	}
	allow()
	four, err := s.Job().Run(t.Context(), rotatetest.Signing)
	if err != nil || !slices.Equal(four.Retired, []keys.ID{three.Key, two.Key, one.Key, s.First}) {
		t.Fatalf("%+v, %v", four, err)
	}
	intact(t, s)
}

func TestRetireFails(t *testing.T) {
	s := rotatetest.New(t, keys.AlgorithmEd25519)
	job := s.Job()
	job.ActsSecret = rotatetest.Signing // a writer's key signs no acts
	done, err := job.Run(t.Context(), rotatetest.Signing)
	if err == nil || !strings.Contains(err.Error(), "is in force") || !errors.Is(err, archive.ErrKey) || done.Key == "" {
		t.Fatalf("%+v, %v", done, err)
	}
	if current := s.Write(`{}`); current != done.Key {
		t.Errorf("key %s signs, want %s", current, done.Key)
	}
	intact(t, s)
}

// compromise records that a key is compromised, from in an hour on.
func compromise(t *testing.T, s *rotatetest.Site, id keys.ID) {
	t.Helper()
	key, err := s.Key(rotatetest.Acts)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	since := archive.Second{Time: s.Now().Add(time.Hour).UTC().Truncate(time.Second)}
	act := archive.TypedAct{Type: archive.ActKeyCompromised, Act: &archive.KeyAct{KeyID: id, Since: since, Reason: "test"}}
	if err := archive.RecordActs(t.Context(), archive.ActsConfig{Store: s.Store, Log: s.Log, Key: key}, act); err != nil {
		t.Fatal(err)
	}
}

// A key that is compromised is not retired as well, and a compromised key for acts says nothing that counts.
func TestRetireAndCompromise(t *testing.T) {
	s := rotatetest.New(t, keys.AlgorithmEd25519)
	compromise(t, s, s.First)
	done, err := s.Job().Run(t.Context(), rotatetest.Signing)
	if err != nil || len(done.Retired) != 0 || done.NotRetired != nil {
		t.Fatalf("%+v, %v", done, err)
	}
	compromise(t, s, s.ActsKey)
	done, err = s.Job().Run(t.Context(), rotatetest.Signing)
	if err != nil || len(done.Retired) != 0 || done.NotRetired == nil || !strings.Contains(done.NotRetired.Error(), "keys replace acts") {
		t.Fatalf("%+v, %v", done, err)
	}
}

// Whatever is wrong with the authority's key, nothing comes into force, and what to do is said.
func TestAuthorityThatDoesNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*testing.T, *rotatetest.Site)
		secret  string
		says    string
	}{
		"denied":            {prepare: func(_ *testing.T, s *rotatetest.Site) { s.Deny("secretsmanager:GetSecretValue", rotatetest.Authority) }, says: "grant this role"},
		"absent":            {secret: "wormlog/nowhere", says: "wormlog/nowhere"},
		"a writer's bundle": {secret: rotatetest.Signing, says: "name the secret of the online authority"},
		"another's": {secret: "wormlog/other", says: "authority", prepare: func(t *testing.T, s *rotatetest.Site) {
			k, err := keys.NewAuthorityKey(archive.OnlineAuthority)
			if err := errors.Join(err, secretsmanager.Store{API: s.API}.CreateAuthority(t.Context(), "wormlog/other", k)); err != nil {
				t.Fatal(err)
			}
		}},
		"compromised": {says: "is declared compromised", prepare: func(t *testing.T, s *rotatetest.Site) {
			online, _ := s.Log.Authority(archive.OnlineAuthority)
			compromise(t, s, online.ID())
		}},
		"no place for the record": {prepare: func(_ *testing.T, s *rotatetest.Site) { s.Deny("s3:PutObject", "keys/") }, says: "could not be published"},
	} {
		t.Run(name, func(t *testing.T) {
			s := rotatetest.New(t, keys.AlgorithmEd25519)
			if c.prepare != nil {
				c.prepare(t, s)
			}
			job := s.Job()
			if c.secret != "" {
				job.AuthoritySecret = c.secret
			}
			done, err := job.Run(t.Context(), rotatetest.Signing)
			if err == nil || done.Key != "" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v, %v; want it to say %q", done, err, c.says)
			}
			if id := s.Write(`{}`); id != s.First {
				t.Errorf("key %s signs", id)
			}
			intact(t, s)
		})
	}
}

func TestACopyIsLeftAlone(t *testing.T) {
	s := rotatetest.New(t, keys.AlgorithmEd25519)
	moved := *s.Log
	moved.Home.Bucket = "elsewhere"
	job := s.Job()
	job.Log = &moved
	if _, err := job.Run(t.Context(), rotatetest.Signing); err == nil || !strings.Contains(err.Error(), "copy") {
		t.Errorf("%v", err)
	}
}
