package secretsmanager_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

var (
	online = &secretsmanager.KeySpec{Role: keys.RoleOnline, Streams: "online.*"}
	acts   = &secretsmanager.KeySpec{Role: keys.RoleAuthority, Streams: "authority.*"}
)

// replace carries out a whole replacement in a process of its own.
func (w *world) replace(key *secretsmanager.KeySpec) (secretsmanager.Rotated, error) {
	r := w.rotator(0, "")
	defer r.cancel()
	r.Key = key
	return r.Run(r.ctx, signing)
}

// holds is a world whose secret holds a value, put there by hand.
func holds(t *testing.T, value string) *world {
	t.Helper()
	w := newWorld(t)
	if _, err := w.admin.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String(signing), SecretString: &value, ClientRequestToken: aws.String(hand)}); err != nil {
		t.Fatal(err)
	}
	return w
}

func authority(t *testing.T, log keys.LogID) (*keys.AuthorityKey, string) {
	t.Helper()
	k, err := keys.NewAuthorityKey("online")
	if err != nil {
		t.Fatal(err)
	}
	k = k.WithLog(log)
	return k, text(t, k)
}

// TestReplaceTheOnlineKey replaces the authority's key, and then what replaced it.
func TestReplaceTheOnlineKey(t *testing.T) {
	k, value := authority(t, testLog)
	w := holds(t, value)
	s := secretsmanager.Store{API: w.admin}
	if got, err := s.LoadAuthoritySigner(t.Context(), signing); err != nil || got.ID() != k.Authority().ID() {
		t.Fatalf("%v, %v", got, err)
	}
	before := k.Authority().ID()
	for range 2 {
		got, err := w.replace(online)
		if err != nil || got.Previous != before || got.Resumed {
			t.Fatalf("%+v, %v", got, err)
		}
		w.complete("at the end")
		if rec, _ := w.archive.read(got.Key); rec.Role != keys.RoleOnline || rec.Previous != before {
			t.Errorf("%+v", rec)
		}
		signer, err := s.LoadAuthoritySigner(t.Context(), signing)
		if err != nil || signer.ID() != got.Key || signer.LogID() != testLog {
			t.Errorf("%v, %v", signer, err)
		}
		before = got.Key
	}
	if _, err := s.LoadAuthoritySigner(t.Context(), "wormlog/absent"); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	w.put(signing, token, "hunter2")
	_, err := s.LoadAuthoritySigner(t.Context(), signing)
	w.refuses("load", err, w.everything(), "no authority key")
}

func TestReplaceTheKeyForActs(t *testing.T) {
	b, _, value := made(t, testLog, keys.RoleAuthority, "authority.*")
	w := holds(t, value) // its record is not even needed
	w.archive.of[b.KeyID()] = keys.Record{}
	got, err := w.replace(acts)
	if err != nil || got.Previous != b.KeyID() {
		t.Fatalf("%+v, %v", got, err)
	}
	w.complete("at the end")
}

func TestReplaceWhatIsNoKey(t *testing.T) {
	for name, w := range map[string]*world{
		"text":  holds(t, "hunter2"),
		"empty": holds(t, ""),
		"later": holds(t, `{"format":"wormlog/v9","x":"hunter2"}`),
	} {
		got, err := w.replace(acts)
		if err != nil || got.Previous != "" || w.stages()["AWSPREVIOUS"] != hand {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		w.complete(name)
	}
}

func TestReplaceWhereThereIsNothing(t *testing.T) {
	for name, setup := range map[string]func(*world) error{
		"no secret": func(*world) error { return nil },
		"empty": func(w *world) error {
			_, err := w.admin.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String(signing)})
			return err
		},
		"empty, begun": func(w *world) error {
			_, err := w.admin.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String(signing)})
			_, rotateErr := w.admin.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String(signing)})
			return errors.Join(err, rotateErr)
		},
	} {
		w := newWorld(t)
		if err := setup(w); err != nil {
			t.Fatal(err)
		}
		got, err := w.replace(acts)
		if err != nil || got.Previous != "" || len(w.stages()) != 1 {
			t.Errorf("%s: %+v, labels %v, %v", name, got, w.stages(), err)
		}
		w.complete(name)
	}
	w := newWorld(t)
	r := w.rotator(0, "")
	r.Key = acts
	if _, err := r.Run(t.Context(), "arn:aws:secretsmanager:us-east-1:000000000000:secret:wormlog/payments-AbCdEf"); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound: no name follows from an ARN", err)
	}
}

// TestReplaceCompletesAFirstKey finds the key that init stored, and for whose record the recovery key was away.
func TestReplaceCompletesAFirstKey(t *testing.T) {
	b, _, err := keys.NewKey(testLog, keys.RoleAuthority, "authority.*", keys.AlgorithmEd25519, secretsmanager.Source(signing), "")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	if err := (secretsmanager.Store{API: w.admin}).CreateBundle(t.Context(), signing, b); err != nil {
		t.Fatal(err)
	}
	got, err := w.replace(acts)
	if err != nil || got.Key != b.KeyID() || !got.Resumed {
		t.Errorf("%+v, %v", got, err)
	}
	w.complete("at the end")
	if got, err = w.replace(acts); err != nil || got.Previous != b.KeyID() || got.Resumed {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestReplaceRefusesAnotherKey names the wrong secret.
func TestReplaceRefusesAnotherKey(t *testing.T) {
	_, otherAuthority := authority(t, otherLog)
	_, onlineKey := authority(t, testLog)
	_, _, writer := made(t, testLog, keys.RoleWriter, "payments.*")
	_, _, otherActs := made(t, otherLog, keys.RoleAuthority, "authority.*")
	for name, c := range map[string]struct {
		value string
		key   *secretsmanager.KeySpec
		says  string
	}{
		"the online key of another log":   {otherAuthority, online, string(otherLog)},
		"the online key, for acts":        {onlineKey, acts, "role online"},
		"a writer's key":                  {writer, online, "role writer"},
		"the key for acts of another log": {otherActs, acts, string(otherLog)},
	} {
		w := holds(t, c.value)
		before := w.everything()
		_, err := w.replace(c.key)
		w.refuses(name, err, before, c.says, "name the right secret")
	}
}

// TestTwoReplaceAtOnce stops one replacement before each of its calls until another one has come to its end, where there
// is no secret yet.
func TestTwoReplaceAtOnce(t *testing.T) {
	first := newWorld(t).rotator(0, "")
	first.Key = acts
	if _, err := first.Run(t.Context(), signing); err != nil {
		t.Fatal(err)
	}
	for at := 2; at <= len(first.calls); at++ {
		w := newWorld(t)
		var other secretsmanager.Rotated
		r := w.rotator(at, somebodyElse)
		r.Key = acts
		r.hook = func() {
			var err error
			if other, err = w.replace(acts); err != nil {
				t.Errorf("call %d: the faster one: %v", at, err)
			}
		}
		got, err := r.Run(r.ctx, signing)
		if err != nil || got.Key != other.Key || got.Version != other.Version || len(w.archive.ids()) != 1 {
			t.Errorf("call %d (%s): %+v and %+v, %v", at, r.calls[at-1], got, other, err)
		}
		w.complete("at the end")
	}
}
