package devserver_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/wormlog/wormlog/archive/devserver"
)

func TestRestartGoesOn(t *testing.T) {
	dir := t.TempDir()
	f := serve(t, devserver.Config{Dir: dir})
	f.setDefault(t, &types.DefaultRetention{Mode: toGovern, Days: aws.Int32(5)})
	kept := f.mustPut(t, "a", locked(compliance, 1), held)
	failsWith(t, f.retain(t, "a", kept, toComply, at(3), false), 0, "")
	gone := f.mustPut(t, "b")
	_, err := f.remove(t, "b", gone, true)
	failsWith(t, err, 0, "")
	_, err = f.remove(t, "a", "", false)
	failsWith(t, err, 0, "")
	_, err = f.Raw().PutVersion(bucket, devserver.Version{Key: "a", VersionID: "before", LastModified: start.AddDate(-1, 0, 0), Body: []byte("x")})
	failsWith(t, err, 0, "")
	f.createSecret(t, "s", "1")
	failsWith(t, f.putSecret(t, "s", 2, "2"), 0, "")
	before, err := f.Raw().Versions(bucket, "")
	failsWith(t, err, 0, "")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	journal, err := os.OpenFile(filepath.Join(dir, "journal.ndjson"), os.O_APPEND|os.O_WRONLY, 0)
	failsWith(t, err, 0, "")
	_, err = journal.WriteString(`{"version":{"bucket":"audit","ver`) // what a kill leaves
	failsWith(t, err, 0, "")
	failsWith(t, journal.Close(), 0, "")

	for range 2 {
		f = serve(t, devserver.Config{Dir: dir})
		after, err := f.Raw().Versions(bucket, "")
		if err != nil || !reflect.DeepEqual(before, after) {
			t.Fatalf("before\n%+v, after\n%+v, %v", before, after, err)
		}
		if body, err := f.Raw().Body(bucket, "a", kept); err != nil || string(body) != "body of a" {
			t.Fatalf("%q %v", body, err)
		}
		if f.secretValue(t, "s", "") != "2" || f.secretValue(t, "s", "AWSPREVIOUS") != "1" {
			t.Fatal("secrets differ")
		}
		_, err = f.remove(t, "a", kept, false)
		failsWith(t, err, 403, "AccessDenied")
		v := f.mustPut(t, "new")
		if got := f.mustHead(t, "new", v); got.ObjectLockMode != governance {
			t.Fatalf("the default retention is lost: %+v", got)
		}
		failsWith(t, f.Raw().DeleteVersion(bucket, "new", v), 0, "")
		failsWith(t, f.Close(), 0, "")
	}
	files, err := os.ReadDir(filepath.Join(dir, "bodies"))
	if err != nil || len(files) != 2 {
		t.Errorf("%d bodies for 2 versions, %v", len(files), err)
	}
}

func TestDirectoryIsForOneServer(t *testing.T) {
	dir := t.TempDir()
	serve(t, devserver.Config{Dir: dir})
	if _, err := devserver.New(devserver.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another server uses it") {
		t.Error(err)
	}
}

func TestBrokenJournalIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal.ndjson"), []byte("{\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := devserver.New(devserver.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "journal at byte 0") {
		t.Error(err)
	}
}
