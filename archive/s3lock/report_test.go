package s3lock_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/archive/s3lock"
)

func statuses(lines []s3lock.Line) map[string]s3lock.Status {
	all := map[string]s3lock.Status{}
	for _, l := range lines {
		all[l.Setting] = l.Status
	}
	return all
}

func line(t *testing.T, lines []s3lock.Line, setting string) s3lock.Line {
	t.Helper()
	for _, l := range lines {
		if l.Setting == setting {
			return l
		}
	}
	t.Fatalf("no line %q in %v", setting, statuses(lines))
	return s3lock.Line{}
}

// provision sets up the bucket as the documentation asks for.
func provision(t *testing.T, c s3lock.Config, policy string) {
	t.Helper()
	client := s3.NewFromConfig(*c.AWS, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &c.Endpoint, true })
	_, err := client.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{Bucket: &c.Bucket,
		ObjectLockConfiguration: &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule: &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeCompliance, Years: aws.Int32(7)}}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutBucketEncryption(t.Context(), &s3.PutBucketEncryptionInput{Bucket: &c.Bucket,
		ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{
			{ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256}}}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{Bucket: &c.Bucket,
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(true),
			IgnorePublicAcls: aws.Bool(true), RestrictPublicBuckets: aws.Bool(true)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = client.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &c.Bucket, Policy: &policy}); err != nil {
		t.Fatal(err)
	}
}

const goodPolicy = `{"Version":"2012-10-17","Statement":[
{"Effect":"Deny","Principal":"*","Action":["s3:DeleteObject","s3:DeleteObjectVersion","s3:PutLifecycleConfiguration"],"Resource":["arn:aws:s3:::audit","arn:aws:s3:::audit/*"]},
{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::audit/*","Condition":{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}}},
{"Effect":"Deny","Principal":"*","Action":["s3:PutObject","s3:PutObjectRetention"],"Resource":"arn:aws:s3:::audit/*","Condition":{"StringNotEquals":{"s3:object-lock-mode":"COMPLIANCE"}}},
{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::audit","arn:aws:s3:::audit/*"],"Condition":{"Bool":{"aws:SecureTransport":false}}}]}`

func TestCheckOfGoodBucket(t *testing.T) {
	_, url := startDev(t, devserver.Config{})
	c := configFor(url)
	provision(t, c, goodPolicy)
	r, err := open(t, c).Check(t.Context(), s3lock.Policy{RetentionDays: 2555, Encryption: "AES256"})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Lines {
		want := s3lock.Pass
		if l.Setting == "endpoint" { // not AWS
			want = s3lock.Unknown
		}
		if l.Status != want || l.Got == "" || l.Want == "" || l.Threat == "" || l.Fix == "" {
			t.Errorf("%+v, want %s and nothing left empty", l, want)
		}
	}
	if r.Status != s3lock.Unknown || r.Home.Bucket != bucket || r.Endpoint != url || len(r.Lines) != 11 {
		t.Errorf("%+v", r)
	}
	r, err = open(t, c).Check(t.Context(), s3lock.Policy{RetentionDays: 2557, Encryption: "aws:kms"})
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{"default retention", "default encryption"} {
		if l := line(t, r.Lines, setting); l.Status != s3lock.Fail {
			t.Errorf("%+v", l)
		}
	}
}

func TestCheckOfPlainBucket(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	if err := srv.CreateBucket("plain", false); err != nil {
		t.Fatal(err)
	}
	c := configFor(url)
	c.Bucket = "plain"
	r, err := open(t, c).Check(t.Context(), s3lock.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{"object lock", "versioning", "default retention", "policy: no deletes", "policy: create-only"} {
		if l := line(t, r.Lines, setting); l.Status != s3lock.Fail {
			t.Errorf("%+v", l)
		}
	}
	if l := line(t, r.Lines, "lifecycle"); l.Status != s3lock.Pass {
		t.Errorf("%+v", l)
	}
}

// Every setting that may not be read is unknown, and the others are still judged.
func TestCheckWithoutPermissions(t *testing.T) {
	for action, settings := range map[string][]string{
		"s3:GetBucketObjectLockConfiguration": {"object lock", "default retention"},
		"s3:GetBucketVersioning":              {"versioning"},
		"s3:GetEncryptionConfiguration":       {"default encryption"},
		"s3:GetLifecycleConfiguration":        {"lifecycle"},
		"s3:GetBucketPolicy":                  {"policy: no deletes", "policy: create-only", "policy: COMPLIANCE only", "policy: TLS only"},
		"s3:GetBucketPublicAccessBlock":       {"public access"},
	} {
		t.Run(action, func(t *testing.T) {
			srv, url := startDev(t, devserver.Config{})
			c := configFor(url)
			provision(t, c, goodPolicy)
			srv.Deny(action, "")
			r, err := open(t, c).Check(t.Context(), s3lock.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			unknown := 0
			for _, l := range r.Lines {
				if l.Status == s3lock.Unknown && l.Setting != "endpoint" {
					unknown++
				}
			}
			for _, setting := range settings {
				if l := line(t, r.Lines, setting); l.Status != s3lock.Unknown || !strings.Contains(l.Got, "denied") {
					t.Errorf("%+v", l)
				}
			}
			if unknown != len(settings) {
				t.Errorf("%d lines are unknown, want %d: %v", unknown, len(settings), statuses(r.Lines))
			}
		})
	}
}

func TestLifecycleRulesThatTouchTheArchive(t *testing.T) {
	_, url := startDev(t, devserver.Config{})
	c := configFor(url)
	c.Prefix = "logs"
	client := s3.NewFromConfig(*c.AWS, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &c.Endpoint, true })
	rule := func(id, prefix string, status types.ExpirationStatus) types.LifecycleRule {
		return types.LifecycleRule{ID: &id, Status: status, Filter: &types.LifecycleRuleFilter{Prefix: &prefix},
			NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(1)}}
	}
	transition := types.LifecycleRule{ID: aws.String("transition"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")},
		Transitions: []types.Transition{{Days: aws.Int32(30), StorageClass: types.TransitionStorageClassGlacierIr}}}
	tagged := types.LifecycleRule{ID: aws.String("tagged"), Status: types.ExpirationStatusEnabled, Expiration: &types.LifecycleExpiration{Days: aws.Int32(1)},
		Filter: &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: aws.String("logs/segments/"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}}}
	_, err := client.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{Bucket: &c.Bucket,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{
			rule("everywhere", "", types.ExpirationStatusEnabled), rule("off", "", types.ExpirationStatusDisabled),
			rule("inside", "logs/manifests/", types.ExpirationStatusEnabled), rule("above", "lo", types.ExpirationStatusEnabled),
			rule("beside", "tmp/", types.ExpirationStatusEnabled), rule("canaries", "logs/canary/", types.ExpirationStatusEnabled),
			transition, tagged,
		}}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(t, c).Settings(t.Context())
	if got := strings.Join(s.LifecycleExpires.Value, " "); err != nil || got != "everywhere inside above tagged" {
		t.Errorf("%q, %v, %v", got, s.LifecycleExpires.Err, err)
	}
}

func TestPolicies(t *testing.T) {
	deny := func(rest string) string {
		return `{"Statement":{"Effect":"Deny","Principal":"*",` + rest + `}}`
	}
	const all = `"Resource":"arn:aws:s3:::audit/*"`
	for name, test := range map[string]struct {
		policy, setting string
		want            s3lock.Status
	}{
		"wildcard action":         {deny(`"Action":"s3:Delete*",` + all), "policy: no deletes", s3lock.Pass},
		"other case":              {deny(`"Action":"S3:deleteobject*",` + all), "policy: no deletes", s3lock.Pass},
		"GovCloud ARN":            {deny(`"Action":"s3:Delete*","Resource":"arn:aws-us-gov:s3:::audit/logs/*"`), "policy: no deletes", s3lock.Pass},
		"one of two actions":      {deny(`"Action":"s3:DeleteObject",` + all), "policy: no deletes", s3lock.Fail},
		"an Allow":                {`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*",` + all + `}]}`, "policy: no deletes", s3lock.Fail},
		"other prefix":            {deny(`"Action":"s3:Delete*","Resource":"arn:aws:s3:::audit/tmp/*"`), "policy: no deletes", s3lock.Fail},
		"part of the archive":     {deny(`"Action":"s3:Delete*","Resource":"arn:aws:s3:::audit/logs/segments/*"`), "policy: no deletes", s3lock.Fail},
		"with an exception":       {deny(`"Action":"s3:Delete*",` + all + `,"Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::1:role/x"}}`), "policy: no deletes", s3lock.Unknown},
		"one principal":           {`{"Statement":{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::1:role/x"},"Action":"s3:Delete*",` + all + `}}`, "policy: no deletes", s3lock.Unknown},
		"not-principal":           {`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"1"},"Action":"s3:Delete*",` + all + `}}`, "policy: no deletes", s3lock.Unknown},
		"not-action":              {deny(`"NotAction":"s3:Get*",` + all), "policy: no deletes", s3lock.Unknown},
		"no JSON":                 {`{"Statement":[`, "policy: no deletes", s3lock.Unknown},
		"other form":              {`{"Statement":[[]]}`, "policy: no deletes", s3lock.Unknown},
		"create-only, real true":  {deny(`"Action":"s3:PutObject",` + all + `,"Condition":{"null":{"S3:If-None-Match":true}}`), "policy: create-only", s3lock.Pass},
		"create-only, wrong way":  {deny(`"Action":"s3:PutObject",` + all + `,"Condition":{"Null":{"s3:if-none-match":"false"}}`), "policy: create-only", s3lock.Unknown},
		"create-only, narrowed":   {deny(`"Action":"s3:PutObject",` + all + `,"Condition":{"Null":{"s3:if-none-match":"true"},"StringEquals":{"aws:PrincipalTag/x":"y"}}`), "policy: create-only", s3lock.Unknown},
		"compliance, if exists":   {deny(`"Action":"s3:PutObject",` + all + `,"Condition":{"StringNotEqualsIfExists":{"s3:object-lock-mode":"COMPLIANCE"}}`), "policy: COMPLIANCE only", s3lock.Unknown},
		"compliance, two values":  {deny(`"Action":"s3:PutObject",` + all + `,"Condition":{"StringNotEquals":{"s3:object-lock-mode":["COMPLIANCE","GOVERNANCE"]}}`), "policy: COMPLIANCE only", s3lock.Unknown},
		"delete does not do both": {deny(`"Action":"s3:Delete*",` + all), "policy: COMPLIANCE only", s3lock.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			_, url := startDev(t, devserver.Config{})
			c := configFor(policyServer(t, url, test.policy))
			c.Prefix = "logs"
			r, err := open(t, c).Check(t.Context(), s3lock.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			if l := line(t, r.Lines, test.setting); l.Status != test.want {
				t.Errorf("%s: %s (%s), want %s", test.setting, l.Status, l.Got, test.want)
			}
		})
	}
}

// policyServer stands before a server and answers for the bucket's policy, also with what no server would take.
func policyServer(t *testing.T, behind, policy string) string {
	t.Helper()
	target, err := url.Parse(behind)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("policy") {
			w.Write([]byte(policy))
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestCanaryHolds(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	c := configFor(url)
	r, err := open(t, c).Canary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Lines {
		if l.Status != s3lock.Pass || l.Got == "" || l.Want == "" || l.Threat == "" || l.Fix == "" {
			t.Errorf("%+v", l)
		}
	}
	if len(r.Lines) != 8 || r.Status != s3lock.Pass || !strings.HasPrefix(r.Key, "canary/") || r.VersionID == "" {
		t.Errorf("%+v", r)
	}
	all, err := srv.Raw().Versions(bucket, c.Prefix)
	if err != nil || len(all) != 1 || all[0].Key != c.Prefix+"/"+r.Key || all[0].VersionID != r.VersionID {
		t.Errorf("left behind: %+v, %v", all, err)
	}
	if in := time.Until(r.RetainUntil); in < 23*time.Hour || in > 25*time.Hour {
		t.Errorf("locked until %s", r.RetainUntil)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

// A lock that is lifted behind the scenes, before each attack, shows as what it is: not enforced.
func TestCanaryOnServerThatDoesNotEnforce(t *testing.T) {
	for operation, want := range map[string]map[string]s3lock.Status{
		"DeleteObject": {"delete the version": s3lock.Fail, "read back": s3lock.Fail},
		"PutObjectRetention": {"delete the version": s3lock.Pass, "shorten the retention": s3lock.Fail,
			"change the mode to GOVERNANCE": s3lock.Fail, "read back": s3lock.Fail},
	} {
		t.Run(operation, func(t *testing.T) {
			srv, url := startDev(t, devserver.Config{})
			c := configFor(url)
			srv.Inject(devserver.Fault{Operation: operation, Times: -1, Outcome: devserver.Slow, Hook: func() {
				all, err := srv.Raw().Versions(bucket, c.Prefix)
				if err != nil || len(all) == 0 {
					return
				}
				if err := srv.Raw().SetLock(bucket, all[0].Key, all[0].VersionID, devserver.Lock{}); err != nil {
					t.Error(err)
				}
			}})
			r, err := open(t, c).Canary(t.Context())
			if err != nil || r.Status != s3lock.Fail {
				t.Fatalf("%+v, %v", r, err)
			}
			for setting, status := range want {
				if l := line(t, r.Lines, setting); l.Status != status {
					t.Errorf("%+v, want %s", l, status)
				}
			}
		})
	}
}

// What is read back is compared in every respect.
func TestCanaryReadBack(t *testing.T) {
	for name, change := range map[string]func(raw devserver.Raw, key, version string) error{
		"other bytes": func(raw devserver.Raw, key, version string) error {
			return raw.CorruptBody(bucket, key, version, []byte("short"))
		},
		"more bytes": func(raw devserver.Raw, key, version string) error {
			return raw.ReplaceBody(bucket, key, version, make([]byte, 1000))
		},
		"gone": func(raw devserver.Raw, key, version string) error { return raw.DeleteVersion(bucket, key, version) },
		"unlocked": func(raw devserver.Raw, key, version string) error {
			return raw.SetLock(bucket, key, version, devserver.Lock{})
		},
		"governance": func(raw devserver.Raw, key, version string) error {
			return raw.SetLock(bucket, key, version, devserver.Lock{Mode: "GOVERNANCE", RetainUntil: time.Now().Add(48 * time.Hour)})
		},
		"released early": func(raw devserver.Raw, key, version string) error {
			return raw.SetLock(bucket, key, version, devserver.Lock{Mode: "COMPLIANCE", RetainUntil: time.Now().Add(time.Hour)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv, url := startDev(t, devserver.Config{})
			c := configFor(url)
			srv.Inject(devserver.Fault{Operation: "GetObject", Outcome: devserver.Slow, Hook: func() {
				all, err := srv.Raw().Versions(bucket, c.Prefix)
				if err == nil {
					err = change(srv.Raw(), all[0].Key, all[0].VersionID)
				}
				if err != nil {
					t.Error(err)
				}
			}})
			r, err := open(t, c).Canary(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if l := line(t, r.Lines, "read back"); l.Status != s3lock.Fail || r.Status != s3lock.Fail {
				t.Errorf("%+v", l)
			}
		})
	}
}

// Whatever a missing permission or the network kept from being tried is unknown.
func TestCanaryThatCouldNotTry(t *testing.T) {
	for name, test := range map[string]struct {
		arrange func(*devserver.Server)
		want    map[string]s3lock.Status
	}{
		"may not write": {
			func(s *devserver.Server) { s.Deny("s3:PutObject", "") },
			map[string]s3lock.Status{"create": s3lock.Fail, "create again": s3lock.Unknown, "delete the version": s3lock.Unknown, "read back": s3lock.Unknown},
		},
		"may not delete": {
			func(s *devserver.Server) { s.Deny("s3:DeleteObject*", "") },
			map[string]s3lock.Status{"create": s3lock.Pass, "delete the version": s3lock.Unknown, "delete with governance bypass": s3lock.Unknown, "shorten the retention": s3lock.Pass},
		},
		"may not read locks": {
			func(s *devserver.Server) { s.Deny("s3:GetObjectRetention", "") },
			map[string]s3lock.Status{"read back": s3lock.Unknown, "shorten the retention": s3lock.Pass},
		},
		"network fails at the delete": {
			func(s *devserver.Server) { s.Inject(devserver.Fault{Operation: "DeleteObject", Times: -1}) },
			map[string]s3lock.Status{"delete the version": s3lock.Unknown, "delete with governance bypass": s3lock.Unknown},
		},
		"network fails at the second create": {
			func(s *devserver.Server) { s.Inject(devserver.Fault{Operation: "PutObject", Nth: 2}) },
			map[string]s3lock.Status{"create": s3lock.Pass, "create again": s3lock.Unknown},
		},
		"network fails at the first create": {
			func(s *devserver.Server) { s.Inject(devserver.Fault{Operation: "PutObject"}) },
			map[string]s3lock.Status{"create": s3lock.Unknown, "create again": s3lock.Unknown, "read back": s3lock.Unknown},
		},
		"network fails at the retention": {
			func(s *devserver.Server) { s.Inject(devserver.Fault{Operation: "PutObjectRetention", Times: -1}) },
			map[string]s3lock.Status{"extend the retention": s3lock.Unknown, "shorten the retention": s3lock.Unknown, "change the mode to GOVERNANCE": s3lock.Unknown},
		},
		"server error at the read": {
			func(s *devserver.Server) {
				s.Inject(devserver.Fault{Operation: "GetObject", Times: -1, Status: 500, Code: "InternalError"})
			},
			map[string]s3lock.Status{"read back": s3lock.Unknown},
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv, url := startDev(t, devserver.Config{})
			test.arrange(srv)
			r, err := open(t, configFor(url)).Canary(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if r.Status == s3lock.Pass {
				t.Errorf("all passed: %+v", r)
			}
			for setting, status := range test.want {
				if l := line(t, r.Lines, setting); l.Status != status {
					t.Errorf("%+v, want %s", l, status)
				}
			}
		})
	}
	srv, url := startDev(t, devserver.Config{})
	srv.RejectCredentials("tester", devserver.TokenExpired)
	_, err := open(t, configFor(url)).Canary(t.Context())
	wants(t, err, archive.ErrDenied, "expired")
}
