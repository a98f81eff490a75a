package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/keys"
)

// server starts a development server with a bucket and sets the environment for it.
func server(t *testing.T) *devserver.Server {
	t.Helper()
	s, err := devserver.New(devserver.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := leakedTo(s); err != nil {
			t.Error(err)
		}
		_ = s.Close()
	})
	if _, err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket(testBucket, true); err != nil {
		t.Fatal(err)
	}
	for _, v := range s.Env(testBucket) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	t.Setenv("AWS_CA_BUNDLE", "")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	return s
}

// command runs wormlog in this process.
func command(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, complaints bytes.Buffer
	status = run(ctx, args, strings.NewReader(""), &out, &complaints)
	if err := leaked(out.String(), complaints.String()); err != nil {
		panic(err)
	}
	return status, out.String(), complaints.String()
}

// Whatever request init ends at, whether that took effect or not, running it again completes the log: one log.json, one key
// record for the writer and one for acts, one recovery key that fits.
func TestInitCompletesAfterACrashAtEveryRequest(t *testing.T) {
	for _, outcome := range []devserver.Outcome{devserver.Lost, devserver.ReplyLost} {
		for nth, more := 1, true; more; nth++ {
			t.Run(fmt.Sprintf("outcome %d, request %d", outcome, nth), func(t *testing.T) {
				more = initAfterCrash(t, nth, outcome)
			})
			if nth > 200 {
				t.Fatal("init does not come to an end")
			}
		}
	}
}

// initAfterCrash says whether init came to the nth request at all.
func initAfterCrash(t *testing.T, nth int, outcome devserver.Outcome) (hit bool) {
	t.Chdir(t.TempDir())
	s := server(t)
	ctx, crash := context.WithCancel(t.Context())
	defer crash()
	remove := s.Inject(devserver.Fault{Nth: nth, Times: -1, Outcome: outcome, Hook: func() { hit = true; crash() }})
	status, stdout, stderr := command(ctx, "init")
	remove()
	if !hit {
		if status != 0 {
			t.Fatalf("init without a fault: status %d\n%s%s", status, stdout, stderr)
		}
		return false
	}
	if status == 0 {
		t.Fatalf("init succeeded without an answer to request %d\n%s", nth, stdout)
	}
	checkInitialised(t, s)
	return true
}

func checkInitialised(t *testing.T, s *devserver.Server) {
	t.Helper()
	status, stdout, stderr := command(t.Context(), "init", "--json")
	if status != 0 {
		t.Fatalf("init again: status %d\n%s%s", status, stdout, stderr)
	}
	var made initialized
	if err := json.Unmarshal([]byte(stdout), &made); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("wormlog-recovery-*")
	if err != nil || len(files) != 1 || files[0] != made.RecoveryKey || made.RecoveryKey != "wormlog-recovery-"+string(made.LogID[:8])+".key" {
		t.Errorf("recovery keys %v, and init names %q", files, made.RecoveryKey)
	}
	for prefix, want := range map[string]int{"log.json": 1, "keys/": 2} {
		if list, err := s.Raw().Versions(testBucket, prefix); err != nil || len(list) != want {
			t.Errorf("%d objects under %s (%v), want %d", len(list), prefix, err, want)
		}
	}
	status, stdout, stderr = command(t.Context(), "init", "--json")
	if status != 0 || !strings.Contains(stdout, `"created": false`) || !strings.Contains(stdout, `"key_created": false`) || !strings.Contains(stdout, `"acts_key_created": false`) {
		t.Errorf("init for the third time: status %d\n%s%s", status, stdout, stderr)
	}
	status, stdout, stderr = command(t.Context(), "keys", "list", "--json")
	var list keyList
	if err := json.Unmarshal([]byte(stdout), &list); status != 0 || err != nil {
		t.Fatalf("keys list: status %d, %v: %s", status, err, stderr)
	}
	roles := map[keys.Role]keys.ID{}
	for _, k := range list.Keys {
		roles[k.Role] = k.KeyID
	}
	if roles[keys.RoleWriter] != made.KeyID || roles[keys.RoleAuthority] != made.ActsKeyID {
		t.Errorf("the keys are %v, and init names %s and %s", roles, made.KeyID, made.ActsKeyID)
	}
}
