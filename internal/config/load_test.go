package config

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// Programs without file and flags take the environment, and a file that lies about is not read.
func TestFromEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := FromEnvironment([]string{"PATH=/bin", "WORMLOG_BUCKET=b", "WORMLOG_KEY_ROTATION_DAYS=30", "WORMLOG_CONFIG=", "WORMLOG_DEV_X=1"})
	if err != nil {
		t.Fatal(err)
	}
	if l.Bucket != "b" || l.KeyRotationDays != 30 || l.Writer != "main" || l.File != "" {
		t.Errorf("it is %+v", l)
	}
	if g := l.Given("bucket"); g != (Given{"b", "WORMLOG_BUCKET"}) {
		t.Errorf("bucket was given as %+v", g)
	}
	for environ, want := range map[string]string{
		"WORMLOG_CONFIG=a.yaml":              "this program reads none",
		"WORMLOG_BUKET=b":                    "did you mean bucket?",
		"WORMLOG_LOG_ID=1":                   "log_id (from WORMLOG_LOG_ID) is not right",
		"WORMLOG_ENFORCE_WORM=false":         "loopback endpoints only",
		"WORMLOG_ENDPOINT=https://k:s@host/": "it holds credentials",
	} {
		if _, err := FromEnvironment([]string{environ}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", environ, err, want)
		} else if strings.Contains(err.Error(), "k:s") {
			t.Errorf("%s: the error shows credentials: %v", environ, err)
		}
	}
}

func TestKeyRotationDays(t *testing.T) {
	for value, want := range map[string]uint64{"1": 1, "90": 90, "1000": 1000, "none": 0} {
		l, err := FromEnvironment([]string{"WORMLOG_KEY_ROTATION_DAYS=" + value})
		if err != nil || l.KeyRotationDays != want {
			t.Errorf("%q is %+v, %v; want %d", value, l, err, want)
		}
	}
	for _, value := range []string{"", "0", "1001", "-1", "90d", "1.5", "never", "18446744073709551616"} {
		if l, err := FromEnvironment([]string{"WORMLOG_KEY_ROTATION_DAYS=" + value}); err == nil {
			t.Errorf("%q is taken as %d", value, l.KeyRotationDays)
		}
	}
	if l, err := FromEnvironment(nil); err != nil || l.KeyRotationDays != 90 {
		t.Errorf("by default it is %+v, %v", l, err)
	}
}

// Each setting has a flag of its name with its default, and a help text.
func TestFlags(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	AddFlags(flags, GroupBucket, GroupCopies, GroupKeys, GroupInit, GroupWriter, GroupWrite)
	for _, s := range Settings() {
		f := flags.Lookup(s.flag())
		if f == nil || f.DefValue != s.Default || f.Usage == "" {
			t.Errorf("setting %s has the flag %+v", s.Name, f)
		}
	}
	if err := flags.Parse([]string{"--key-rotation-days", "none", "--enforce-worm"}); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	l, err := Load("", []string{"WORMLOG_KEY_ROTATION_DAYS=7"}, flags)
	if err != nil || l.KeyRotationDays != 0 || l.Given("key_rotation_days").From != "--key-rotation-days" {
		t.Errorf("it is %+v, %v", l, err)
	}
}
