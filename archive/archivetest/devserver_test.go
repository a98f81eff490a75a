package archivetest

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/archive/s3lock"
)

// newDevServer starts a development server with the test's clock, and opens an archive on it.
func newDevServer(t *testing.T) tampered {
	t.Helper()
	server, err := devserver.New(devserver.Config{Now: newClock().now, PageSize: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := server.CreateBucket(testHome.Bucket, true); err != nil {
		t.Fatal(err)
	}
	url, err := server.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := func() archive.Store {
		store, err := s3lock.Open(t.Context(), s3lock.Config{
			Bucket: testHome.Bucket, Prefix: testHome.Prefix, Region: testHome.Region, Endpoint: url,
			AWS: &aws.Config{Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")},
		})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	return tampered{open(), DevServer(t, server, testHome), open}
}

func TestDevServerTampers(t *testing.T) {
	for _, tt := range tamperTests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, newDevServer(t)) })
	}
}

// TestDevServerKeepsTheContract also shows that a Tamperer is enough to run the suite.
func TestDevServerKeepsTheContract(t *testing.T) {
	TestStore(t, func(t *testing.T) StoreUnderTest {
		s := newDevServer(t)
		return StoreUnderTest{
			Store:        s.store,
			DeleteMarker: func(_ context.Context, key string) (string, error) { return s.raw.DeleteMarker(key) },
			PutVersion: func(_ context.Context, key string, body []byte) (string, error) {
				return s.raw.PutVersion(key, body, archive.Lock{}, time.Time{})
			},
		}
	}, SuiteOptions{PageSize: 3})
}

func TestCopyToDevServerAndBack(t *testing.T) {
	src, dev, back := newTampered(t), newDevServer(t), newTampered(t)
	mustCreate(t, src.store, "a", "a")
	must(src.raw.DeleteMarker("a"))(t)
	must(src.raw.PutVersion("a", []byte("x"), archive.Lock{LegalHold: true}, testStart.AddDate(-1, 0, 0)))(t)
	must(src.raw.InsertVersion(RawVersion{Key: "b", Body: []byte("no checksum")}, Newest))(t)
	if err := Copy(dev.raw, src.raw); err != nil {
		t.Fatal(err)
	}
	if err := Copy(back.raw, dev.raw); err != nil {
		t.Fatal(err)
	}
	want := slices.Collect(src.raw.All())
	for i := range want {
		want[i].Encryption, want[i].ContentType = "", "" // not kept there
	}
	got := slices.Collect(back.raw.All())
	if !reflect.DeepEqual(got, want) {
		t.Errorf("came back %v, went %v", got, want)
	}
}

func TestDevServerSettings(t *testing.T) {
	s := newDevServer(t)
	bad := archive.Settings{
		ObjectLock:       archive.Known[bool]{Value: true},
		DefaultMode:      archive.Known[archive.Mode]{Value: archive.Governance},
		DefaultDays:      archive.Known[int]{Value: 7},
		Versioning:       archive.Known[string]{Value: "Suspended"},
		Encryption:       archive.Known[string]{Value: "aws:kms"},
		LifecycleExpires: archive.Known[[]string]{Value: []string{"expire<all>"}},
		Policy:           archive.Known[string]{Value: `{"Version":"2012-10-17"}`},
	}
	unlocked := goodSettings()
	unlocked.ObjectLock.Value = false
	for _, want := range []archive.Settings{bad, unlocked, goodSettings()} {
		if err := s.raw.SetSettings(want); err != nil {
			t.Fatal(err)
		}
		got, err := s.store.Settings(t.Context())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("settings %+v, %v; want %+v", got, err, want)
		}
	}
	s.raw.Deny(GetLifecycleConfiguration, "")
	if got, err := s.store.Settings(t.Context()); err != nil || got.LifecycleExpires.Err == nil {
		t.Errorf("settings without s3:GetLifecycleConfiguration: %+v, %v", got, err)
	}
}
