package main

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wormlog/wormlog/archive/devserver"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wormlog": func() {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}})
}

// TestScripts runs each script against a development server of its own, whose environment is set.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"dev": dev,
			"pin": pin,
		},
	})
}

const testBucket = "wormlog-test"

// scriptServer is a script's server.
type scriptServer struct {
	*devserver.Server
	ahead atomic.Int64 // of the clock
	heal  func()       // ends the last fault
	allow func()       // gives the permission back that was taken away last
}

func setUpScript(env *testscript.Env) error {
	s := new(scriptServer)
	var err error
	s.Server, err = devserver.New(devserver.Config{
		Region: "us-east-1",
		Now:    func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) },
	})
	if err != nil {
		return err
	}
	if _, err := s.Start("127.0.0.1:0"); err != nil {
		return err
	}
	env.Defer(func() {
		if err := leakedTo(s.Server); err != nil {
			env.T().Fatal(err)
		}
		_ = s.Close()
	})
	env.Values["server"] = s
	env.Vars = append(env.Vars, s.Env(testBucket)...)
	return s.CreateBucket(testBucket, true)
}

// dev does to the script's server what nobody can do by wormlog:
//
//	dev clock DURATION          its clock goes so far ahead
//	dev deny ACTION [PREFIX]    an IAM permission is taken away
//	dev allow                   … and given back
//	dev expire                  the credentials expire
//	dev accept                  … and are renewed
//	dev bucket NAME [lock]      one more bucket
//	dev default MODE DAYS       the bucket's default retention
//	dev fault OPERATION NTH     the nth request of this kind is lost, and all after it
//	dev heal                    … and no more
//	dev corrupt PREFIX          the first object under it gets other bytes, with checksums to match
//	dev mark PREFIX             … gets a delete marker
//	dev drop PREFIX             all objects under it vanish
//	dev foreign KEY             an object that is nobody's; KEY as in Go, without the quotes
//	dev backdate TIME [PREFIX]  S3's dates of all versions under it are so much earlier
//	dev lock PREFIX TIME        locks of all versions under it end so much later than now
//	dev copy BUCKET             all of it is copied to a new bucket, as it is now
//	dev secret VERB NAME [FILE] the secret's value is saved to the file, put from it; the secret is emptied, deleted, scheduled
//	dev sync DIR                the current version of every object is copied to the directory
//	dev copies DIR              … and so is every verification copy
//	dev amnesia                 every secret is deleted, without recovery
//	[!] dev empty               nothing is in the bucket
func dev(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value("server").(*scriptServer)
	if len(args) == 0 || neg && args[0] != "empty" {
		ts.Fatalf("usage: dev VERB [ARGUMENT…]")
	}
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	raw := s.Raw()
	first := func(prefix string) devserver.Version {
		list, err := raw.Versions(testBucket, prefix)
		ts.Check(err)
		for _, v := range list {
			if !v.Marker {
				return v
			}
		}
		ts.Fatalf("there is nothing under %q", prefix)
		return devserver.Version{}
	}
	switch args[0] {
	case "clock":
		d, err := time.ParseDuration(arg(1))
		ts.Check(err)
		s.ahead.Store(int64(d))
	case "deny":
		s.allow = s.Deny(arg(1), arg(2))
	case "allow":
		s.allow()
	case "expire":
		s.RejectCredentials(devserver.AccessKeyID, devserver.TokenExpired)
	case "accept":
		s.RejectCredentials(devserver.AccessKeyID, devserver.CredentialsAccepted)
	case "bucket":
		ts.Check(s.CreateBucket(arg(1), arg(2) == "lock"))
	case "default":
		days, err := strconv.Atoi(arg(2))
		ts.Check(err)
		ts.Check(setDefault(s.URL(), types.ObjectLockRetentionMode(arg(1)), int32(days)))
	case "fault":
		nth, err := strconv.Atoi(arg(2))
		ts.Check(err)
		s.heal = s.Inject(devserver.Fault{Operation: arg(1), Nth: nth, Times: -1, Status: 500, Code: "InternalError"})
	case "heal":
		s.heal()
	case "corrupt":
		v := first(arg(1))
		b, err := raw.Body(testBucket, v.Key, v.VersionID)
		ts.Check(err)
		b[len(b)/2] ^= 0x10
		ts.Check(raw.ReplaceBody(testBucket, v.Key, v.VersionID, b))
	case "mark":
		_, err := raw.PutVersion(testBucket, devserver.Version{Key: first(arg(1)).Key, Marker: true})
		ts.Check(err)
	case "drop":
		list, err := raw.Versions(testBucket, arg(1))
		ts.Check(err)
		for _, v := range list {
			ts.Check(raw.DeleteVersion(testBucket, v.Key, v.VersionID))
		}
	case "foreign":
		key, err := strconv.Unquote(`"` + arg(1) + `"`)
		ts.Check(err)
		_, err = raw.PutVersion(testBucket, devserver.Version{Key: key, Body: []byte("not ours")})
		ts.Check(err)
	case "backdate":
		backdate(ts, s, arg(1), arg(2))
	case "lock":
		relock(ts, s, arg(1), arg(2))
	case "copy":
		ts.Check(copyTo(s.Server, arg(1)))
	case "secret":
		devSecret(ts, s, arg(1), arg(2), arg(3))
	case "sync":
		syncTo(ts, s, arg(1))
	case "copies":
		copiesTo(ts, s, arg(1))
	case "amnesia":
		for _, name := range secretNames(ts, s) {
			ts.Check(changeSecret(secretsOf(s.Server), "delete", name, ""))
		}
	case "empty":
		list, err := raw.Versions(testBucket, "")
		ts.Check(err)
		if (len(list) == 0) == neg {
			ts.Fatalf("the bucket holds %d versions", len(list))
		}
	default:
		ts.Fatalf("unknown: dev %s", strings.Join(args, " "))
	}
}

func setDefault(endpoint string, mode types.ObjectLockRetentionMode, days int32) error {
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(devserver.AccessKeyID, devserver.SecretAccessKey, ""),
	})
	_, err := client.PutObjectLockConfiguration(context.Background(), &s3.PutObjectLockConfigurationInput{
		Bucket: aws.String(testBucket),
		ObjectLockConfiguration: &types.ObjectLockConfiguration{
			ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: mode, Days: &days}},
		},
	})
	return err
}

// pin sets WORMLOG_LOG_ID to the log ID that the JSON in the file names.
func pin(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: pin FILE")
	}
	var v struct {
		LogID string `json:"log_id"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	if v.LogID == "" {
		ts.Fatalf("%s names no log ID", args[0])
	}
	ts.Setenv("WORMLOG_LOG_ID", v.LogID)
}
