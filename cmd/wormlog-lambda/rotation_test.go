package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/internal/rotate/rotatetest"
	"github.com/wormlog/wormlog/keys"
)

const rotationToken = "rotation-token-which-nobody-is-to-see"

// environ is what the function's configuration and Lambda set.
func environ(s *rotatetest.Site) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + devserver.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + devserver.SecretAccessKey,
		"AWS_SESSION_TOKEN=session-token-which-nobody-is-to-see", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"WORMLOG_BUCKET=" + rotatetest.Bucket, "WORMLOG_ENDPOINT=" + s.URL(), "WORMLOG_LOG_ID=" + string(s.Log.ID),
	}
}

func event(step, version string) string {
	b, _ := json.Marshal(map[string]string{"Step": step, "SecretId": rotatetest.Signing, "ClientRequestToken": version, "RotationToken": rotationToken})
	return string(b)
}

const patience = time.Minute

func TestRotation(t *testing.T) {
	for _, steps := range [][]string{
		{"createSecret", "setSecret", "testSecret", "finishSecret"},
		{"create_secret", "set_secret", "test_secret", "finish_secret"},
	} {
		t.Run(steps[0], func(t *testing.T) {
			s := rotatetest.New(t, keys.AlgorithmHMACSHA256)
			f := start(t, environ(s)...)
			s.Write(`{"before":true}`)
			before := s.First
			for n := range 2 { // one process, two rotations
				version := strings.Repeat(fmt.Sprint(n), 32)
				_, err := s.API.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String(rotatetest.Signing), ClientRequestToken: &version, RotationLambdaARN: aws.String("arn:aws:lambda:us-east-1:111122223333:function:f")})
				if err != nil {
					t.Fatal(err)
				}
				for _, step := range steps {
					for range 2 {
						if r := f.invoke(event(step, version), patience); r.message != "" || r.response != "null" {
							t.Fatalf("%s: %+v\n%s", step, r, f.printed())
						}
					}
				}
				now := s.Write(`{"after":true}`)
				if now == before {
					t.Errorf("key %s is still in force", now)
				}
				if retired, _ := s.KeyActs(before); retired.IsZero() {
					t.Errorf("key %s is not retired", before)
				}
				if labels := s.Labels(rotatetest.Signing); labels["AWSCURRENT"] != version || labels["AWSPENDING"] != "" {
					t.Errorf("labels: %v", labels)
				}
				before = now
			}
			if r := s.Verify(); r.Verdict != archive.Intact {
				t.Errorf("it is %s: %v", r.Verdict, r.Findings)
			}
			clean(t, s, f)
		})
	}
}

// clean fails the test if the function printed anything that is secret, or that is not JSON.
func clean(t *testing.T, s *rotatetest.Site, f *function) {
	t.Helper()
	out := f.printed()
	for line := range strings.Lines(out) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is no JSON: %s", line)
		}
	}
	for _, secret := range append(secrets(t, s), rotationToken, devserver.SecretAccessKey, "session-token-which") {
		if strings.Contains(out, secret) {
			t.Errorf("the log has a secret, %.6s…", secret)
		}
	}
	if !strings.Contains(out, string(s.Log.ID)) {
		t.Error("the log of the function says nothing of what it did")
	}
}

var longWord = regexp.MustCompile(`[A-Za-z0-9+/_=-]{40,}`)

// secrets are the long words in all versions of all secrets, but for the log ID.
func secrets(t *testing.T, s *rotatetest.Site) (words []string) {
	t.Helper()
	list, err := s.API.ListSecrets(t.Context(), &sm.ListSecretsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list.SecretList {
		versions, err := s.API.ListSecretVersionIds(t.Context(), &sm.ListSecretVersionIdsInput{SecretId: entry.ARN, IncludeDeprecated: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range versions.Versions {
			value, err := s.API.GetSecretValue(t.Context(), &sm.GetSecretValueInput{SecretId: entry.ARN, VersionId: v.VersionId})
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range longWord.FindAllString(*value.SecretString, -1) {
				if word != string(s.Log.ID) {
					words = append(words, word)
				}
			}
		}
	}
	if len(words) < 5 {
		t.Fatalf("%d secrets found", len(words))
	}
	return words
}

// What goes wrong is reported to the Runtime API as one sentence; the process stays, and the same step goes on when the
// cause is gone.
func TestErrors(t *testing.T) {
	s := rotatetest.New(t, keys.AlgorithmHMACSHA256)
	f := start(t, environ(s)...)
	version := strings.Repeat("1", 32)
	fails := func(what, payload string, within time.Duration, says ...string) {
		t.Helper()
		r := f.invoke(payload, within)
		for _, s := range says {
			if !strings.Contains(r.message, s) {
				t.Errorf("%s: it does not say %q: %+v", what, s, r)
			}
		}
		if r.kind != "RotationFailed" || strings.Contains(r.message, "\n") || strings.Contains(r.message, rotationToken) {
			t.Errorf("%s: %+v", what, r)
		}
	}
	works := func(payload string) {
		t.Helper()
		if r := f.invoke(payload, patience); r.message != "" {
			t.Errorf("%+v", r)
		}
	}
	for what, payload := range map[string]string{
		"not JSON":     rotationToken,
		"a list":       `["` + rotationToken + `"]`,
		"wrong types":  `{"Step": 1, "RotationToken": "` + rotationToken + `"}`,
		"empty":        `{}`,
		"unknown step": event("dropSecret", version),
		"no secret":    `{"Step": "createSecret", "ClientRequestToken": "` + version + `"}`,
		"no version":   `{"Step": "createSecret", "SecretId": "x"}`,
		"test first":   event("testSecret", version),
	} {
		fails(what, payload, patience)
	}

	allow := s.Deny("secretsmanager:PutSecretValue", rotatetest.Signing)
	fails("no permission", event("createSecret", version), patience, "createSecret", "secretsmanager:PutSecretValue", rotatetest.Signing)
	allow()
	works(event("createSecret", version))

	allow = s.Deny("s3:PutObject", "keys/")
	fails("no permission in S3", event("setSecret", version), patience, "setSecret", "could not be published", "s3:PutObject")
	allow()

	remove := s.Inject(devserver.Fault{Operation: "GetSecretValue", Times: -1, Status: 400, Code: "ThrottlingException"})
	fails("throttled", event("setSecret", version), patience, "setSecret", "throttled")
	remove()

	remove = s.Inject(devserver.Throttle("PutObject", -1))
	fails("throttled until the time is over", event("setSecret", version), margin+time.Second, "set a longer timeout")
	remove()

	works(event("setSecret", version))
	works(event("testSecret", version))
	if s.Write(`{}`) != s.First {
		t.Error("the new key is in force already")
	}
	works(event("finishSecret", version))
	if s.Write(`{}`) == s.First {
		t.Error("the new key is not in force")
	}
	clean(t, s, f)
}

// A function that is not configured says so to whoever calls it.
func TestSettings(t *testing.T) {
	s := rotatetest.New(t, keys.AlgorithmEd25519)
	without := func(name string) (rest []string) {
		for _, v := range environ(s) {
			if !strings.HasPrefix(v, name+"=") {
				rest = append(rest, v)
			}
		}
		return rest
	}
	for what, c := range map[string]struct {
		environ []string
		says    string
	}{
		"no pin":          {without("WORMLOG_LOG_ID"), "set WORMLOG_LOG_ID"},
		"no bucket":       {without("WORMLOG_BUCKET"), "set WORMLOG_BUCKET"},
		"another log":     {append(environ(s), "WORMLOG_LOG_ID="+strings.Repeat("ab", 32)), "wrong log"},
		"another prefix":  {append(environ(s), "WORMLOG_PREFIX=elsewhere"), "check WORMLOG_BUCKET and WORMLOG_PREFIX"},
		"a wrong name":    {append(environ(s), "WORMLOG_BUKET=x"), "did you mean bucket?"},
		"a file":          {append(environ(s), "WORMLOG_CONFIG=wormlog.yaml"), "reads none"},
		"endpoint hidden": {append(without("WORMLOG_ENDPOINT"), "AWS_ENDPOINT_URL="+s.URL()), "AWS_ENDPOINT_URL"},
		"secret's name":   {append(environ(s), "WORMLOG_AUTHORITY_SECRET=wormlog/nowhere"), "wormlog/nowhere"},
	} {
		t.Run(what, func(t *testing.T) {
			f := start(t, c.environ...)
			var r result
			for _, step := range []string{"createSecret", "setSecret"} {
				if r = f.invoke(event(step, strings.Repeat("1", 32)), patience); r.message != "" {
					break
				}
			}
			if !strings.Contains(r.message, c.says) || strings.Contains(r.message, "\n") {
				t.Errorf("it does not say %q: %+v", c.says, r)
			}
		})
	}
	if id := s.Write(`{}`); id != s.First {
		t.Errorf("key %s is in force", id)
	}
}

// A function that cannot be one ends with a sentence.
func TestEnds(t *testing.T) {
	for what, c := range map[string]struct {
		environ []string
		says    string
	}{
		"unknown handler": {[]string{"AWS_LAMBDA_RUNTIME_API=127.0.0.1:1", "_HANDLER=bootstrap"}, `there is no handler \"bootstrap\" in wormlog-lambda; configure`},
		"no handler":      {[]string{"AWS_LAMBDA_RUNTIME_API=127.0.0.1:1"}, "there is no handler"},
		"not on Lambda":   {[]string{"_HANDLER=rotation"}, "on a machine use the command wormlog"},
	} {
		out, err := bootstrap(t, c.environ...).CombinedOutput()
		exit := new(exec.ExitError)
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), c.says) || !json.Valid(out) {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
	}
}

// What the package documentation gives the function's role is enough, with old locks to renew too.
func TestPermissions(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	actions := regexp.MustCompile(`"((?:s3|secretsmanager):\w+)"`).FindAllStringSubmatch(string(source), -1)
	var allowed []string
	for _, a := range actions {
		allowed = append(allowed, a[1])
	}
	if len(allowed) < 10 {
		t.Fatalf("the package documentation names %q", allowed)
	}
	const role = "rotation-role"
	s := rotatetest.New(t, keys.AlgorithmHMACSHA256)
	s.AllowOnly(role, allowed...)
	f := start(t, append(environ(s), "AWS_ACCESS_KEY_ID="+role)...)
	before := s.First
	for n := range 2 {
		for _, step := range []string{"createSecret", "setSecret", "testSecret", "finishSecret"} {
			if r := f.invoke(event(step, strings.Repeat(fmt.Sprint(n), 32)), patience); r.message != "" {
				t.Fatalf("%s: %s", step, r.message)
			}
		}
		if retired, _ := s.KeyActs(before); retired.IsZero() {
			t.Errorf("key %s is not retired", before)
		}
		before = s.Write(`{}`)
	}
	if strings.Contains(f.printed(), `"level":"WARN"`) || strings.Contains(strings.ToLower(f.printed()), "denied") {
		t.Errorf("the log complains:\n%s", f.printed())
	}
}
