package rotate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/rotate/rotatetest"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// A rotation that was begun before its authority was stolen, and is resumed after that was declared, must not put a key in
// force that counts as compromised from the beginning.
func TestResumeAfterTheAuthorityWasStolen(t *testing.T) {
	s := rotatetest.New(t, keys.AlgorithmHMACSHA256)
	s.Wait(time.Hour)
	since := s.Now().UTC().Truncate(time.Second)
	e := secretsmanager.Event{SecretID: rotatetest.Signing, ClientRequestToken: strings.Repeat("2", 32)}
	for _, e.Step = range []string{"createSecret", "setSecret", "testSecret"} {
		if err := s.Job().Step(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	s.Wait(7 * 24 * time.Hour)
	online, _ := s.Log.Authority(archive.OnlineAuthority)
	acts, err := s.Key(rotatetest.Acts)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := archive.RecordActs(t.Context(), archive.ActsConfig{Store: s.Store, Log: s.Log, Key: acts, Now: s.Now}, archive.TypedAct{
		Type: archive.ActKeyCompromised, Act: &archive.KeyAct{KeyID: online.ID(), Since: archive.Second{Time: since}, Reason: "test"},
	}); err != nil {
		t.Fatal(err)
	}
	spec := secretsmanager.KeySpec{Role: keys.RoleOnline, Streams: "online.*"}
	if _, err := s.Job().Replace(t.Context(), rotatetest.Authority, spec, s.Recovery.WithLog(s.Log.ID).AuthoritySigner()); err != nil {
		t.Fatal(err)
	}

	if done, err := s.Job().Run(t.Context(), rotatetest.Signing); err == nil || !strings.Contains(err.Error(), "--remove-from-version-id "+e.ClientRequestToken) {
		t.Errorf("%+v, %v", done, err)
	}
	for _, e.Step = range []string{"createSecret", "setSecret", "testSecret", "finishSecret"} {
		if err = s.Job().Step(t.Context(), e); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("step by step it was finished")
	}
	if _, err := s.API.UpdateSecretVersionStage(t.Context(), &sm.UpdateSecretVersionStageInput{
		SecretId: aws.String(rotatetest.Signing), VersionStage: aws.String("AWSPENDING"), RemoveFromVersionId: aws.String(e.ClientRequestToken),
	}); err != nil {
		t.Fatal(err)
	}
	done, err := s.Job().Run(t.Context(), rotatetest.Signing)
	if err != nil {
		t.Fatal(err)
	}
	if _, compromised := s.KeyActs(done.Key); !compromised.IsZero() {
		t.Errorf("the new key counts as compromised since %s", compromised)
	}
	s.Write(`{}`)
	intact(t, s)
}
