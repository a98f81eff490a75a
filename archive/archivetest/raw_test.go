package archivetest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// tampered is a store that the Tamperer's promises are tested on.
type tampered struct {
	store archive.Store
	raw   Tamperer
	// open opens the store anew, as a run that begins now does; nil if a store remembers nothing.
	open func() archive.Store
}

// history lists a key's versions as the store shows them, newest first.
func (s tampered) history(t *testing.T, key string) []string {
	t.Helper()
	var ids []string
	for v, err := range s.store.Versions(t.Context(), key, "") {
		if err != nil {
			t.Fatal(err)
		}
		if v.IsLatest != (len(ids) == 0) {
			t.Errorf("element %d is listed with IsLatest %v", len(ids), v.IsLatest)
		}
		ids = append(ids, v.VersionID)
	}
	return ids
}

func (s tampered) head(t *testing.T, key, versionID string) archive.Object {
	t.Helper()
	o, err := s.store.Head(t.Context(), key, versionID)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// must ends the test if a tamper failed, and returns what it made.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newTampered(t *testing.T) tampered {
	m := NewMemory(t, testHome, newClock().now)
	return tampered{store: m, raw: m.Raw()}
}

var tamperTests = []struct {
	name string
	test func(*testing.T, tampered)
}{
	{"versions put and inserted stand where they should", tamperPlaces},
	{"versions and keys are removed in spite of locks", tamperRemoves},
	{"bodies change with and without their checksum", tamperBodies},
	{"locks and dates change", tamperLocksAndDates},
	{"markers cover", tamperMarkers},
	{"what does not exist cannot be tampered with", tamperMissing},
	{"permissions hide", tamperPermissions},
	{"all is listed", tamperAll},
}

func TestMemoryTampers(t *testing.T) {
	for _, tt := range tamperTests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, newTampered(t)) })
	}
}

func tamperPlaces(t *testing.T, s tampered) {
	first := mustCreate(t, s.store, "k", "first").VersionID
	lock := archive.Lock{Mode: archive.Governance, RetainUntil: testStart.Truncate(time.Second).AddDate(1, 0, 0)}
	newest := must(s.raw.PutVersion("k", []byte("newest"), lock, time.Time{}))(t)
	long := testStart.Truncate(time.Second).AddDate(0, -1, 0)
	v := RawVersion{Key: "k", Body: []byte("older"), SHA256: sha256.Sum256([]byte("older")), HasSHA256: true, LastModified: long}
	oldest := must(s.raw.InsertVersion(v, Oldest))(t)
	v.VersionID = "chosen.by.the.test"
	between := must(s.raw.InsertVersion(v, 1))(t)
	if got, want := s.history(t, "k"), []string{newest, v.VersionID, first, oldest}; !slices.Equal(got, want) {
		t.Errorf("history %q, want %q", got, want)
	}
	if between != v.VersionID {
		t.Errorf("version ID %q instead of the chosen one", between)
	}
	if o := s.head(t, "k", ""); o.Lock != lock || o.Size != 6 || o.LastModified != testStart.Truncate(time.Second) {
		t.Errorf("the version put is %+v", o)
	}
	if o := s.head(t, "k", oldest); o.LastModified != long || o.SHA256 != v.SHA256 {
		t.Errorf("the version inserted is %+v", o)
	}
	if _, err := s.raw.InsertVersion(v, 0); !errors.Is(err, archive.ErrExists) {
		t.Errorf("a version ID given twice: %v", err)
	}
}

func tamperRemoves(t *testing.T, s tampered) {
	first := mustCreate(t, s.store, "k", "first").VersionID
	second := must(s.raw.PutVersion("k", nil, archive.Lock{}, time.Time{}))(t)
	mustCreate(t, s.store, "kk", "")
	if err := s.raw.DeleteVersion("k", second); err != nil {
		t.Fatal(err)
	}
	if o := s.head(t, "k", ""); o.VersionID != first {
		t.Errorf("the current version is %s, not %s again", o.VersionID, first)
	}
	if err := s.raw.DeleteVersion("k", first); err != nil {
		t.Fatal(err)
	}
	if err := s.raw.RemoveKey("kk"); err != nil {
		t.Fatal(err)
	}
	if n := len(s.history(t, "")); n != 0 {
		t.Errorf("%d versions left", n)
	}
	if third := mustCreate(t, s.store, "k", "third").VersionID; third == first || third == second {
		t.Errorf("version ID %s came again", third)
	}
}

func tamperBodies(t *testing.T, s tampered) {
	created := mustCreate(t, s.store, "k", "original")
	for _, fix := range []bool{false, true} {
		forged := []byte("forged")
		if err := s.raw.ReplaceBody("k", created.VersionID, forged, fix); err != nil {
			t.Fatal(err)
		}
		copy(forged, "......")
		body, o, err := s.store.Get(t.Context(), "k", created.VersionID, 100)
		if err != nil || !bytes.Equal(body, []byte("forged")) || o.Size != 6 {
			t.Fatalf("get: %q %+v %v", body, o, err)
		}
		if fixed := o.SHA256 == sha256.Sum256(body); fixed != fix {
			t.Errorf("checksum fixed: %v, want %v", fixed, fix)
		}
	}
}

func tamperLocksAndDates(t *testing.T, s tampered) {
	created := mustCreate(t, s.store, "k", "")
	past := testStart.Truncate(time.Second).AddDate(-1, 0, 0)
	for _, lock := range []archive.Lock{
		{Mode: archive.Compliance, RetainUntil: past}, {Mode: archive.Governance, RetainUntil: past, LegalHold: true}, {},
	} {
		if err := s.raw.SetLock("k", created.VersionID, lock); err != nil {
			t.Fatal(err)
		}
		if o := s.head(t, "k", ""); o.Lock != lock {
			t.Errorf("lock %+v, want %+v", o.Lock, lock)
		}
	}
	second := must(s.raw.PutVersion("k", nil, archive.Lock{}, time.Time{}))(t)
	if err := s.raw.SetLastModified("k", second, past.Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if o := s.head(t, "k", second); o.LastModified != past {
		t.Errorf("LastModified %s", o.LastModified)
	}
	if got, want := s.history(t, "k"), []string{second, created.VersionID}; !slices.Equal(got, want) {
		t.Errorf("re-dating changed the order to %q", got)
	}
}

func tamperMarkers(t *testing.T, s tampered) {
	created := mustCreate(t, s.store, "k", "")
	marker := must(s.raw.DeleteMarker("k"))(t)
	if _, err := s.store.Head(t.Context(), "k", ""); !errors.Is(err, archive.ErrDeleteMarker) {
		t.Errorf("head: %v", err)
	}
	if got, want := s.history(t, "k"), []string{marker, created.VersionID}; !slices.Equal(got, want) {
		t.Errorf("history %q, want %q", got, want)
	}
	alone := must(s.raw.DeleteMarker("never created"))(t)
	if got := s.history(t, "never"); !slices.Equal(got, []string{alone}) {
		t.Errorf("a marker alone lists as %q", got)
	}
	if err := s.raw.DeleteVersion("k", ""); err != nil {
		t.Fatal(err)
	}
	s.head(t, "k", "")
}

func tamperMissing(t *testing.T, s tampered) {
	mustCreate(t, s.store, "k", "")
	other := mustCreate(t, s.store, "other", "").VersionID
	for what, err := range map[string]error{
		"replace":      s.raw.ReplaceBody("k", other, nil, true),
		"lock":         s.raw.SetLock("k", other, archive.Lock{}),
		"date":         s.raw.SetLastModified("k", other, testStart),
		"delete":       s.raw.DeleteVersion("k", other),
		"remove":       s.raw.RemoveKey("missing"),
		"lock current": s.raw.SetLock("missing", "", archive.Lock{}),
	} {
		if !errors.Is(err, archive.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func tamperPermissions(t *testing.T, s tampered) {
	until := testStart.Truncate(time.Second).AddDate(0, 0, 1)
	locked := archive.Lock{Mode: archive.Compliance, RetainUntil: until, LegalHold: true}
	version := mustCreate(t, s.store, "in/k", "").VersionID
	mustCreate(t, s.store, "out/k", "")
	if err := s.store.SetLegalHold(t.Context(), "in/k", version, true); err != nil {
		t.Fatal(err)
	}
	visible := s.head(t, "in/k", "")
	hidden := func(change func(*archive.Object)) archive.Object { o := visible; change(&o); return o }
	read := func(key string) error { _, err := s.store.Head(t.Context(), key, ""); return err }
	list := func(prefix string) error {
		for _, err := range s.store.Versions(t.Context(), prefix, "") {
			return err
		}
		return nil
	}
	tests := []struct {
		action Action
		want   archive.Object // unless denied
		denied func() error
	}{
		{GetObjectRetention, hidden(func(o *archive.Object) {
			o.RetentionHidden, o.Lock = true, archive.Lock{LegalHold: true}
		}), nil},
		{GetObjectLegalHold, hidden(func(o *archive.Object) { o.HoldHidden, o.Lock.LegalHold = true, false }), nil},
		{GetObject, archive.Object{}, func() error { return read("in/k") }},
		{ListBucketVersions, visible, func() error { return list("in/") }},
		{ListBucket, visible, func() error { return read("in/missing") }},
		{PutObject, visible, func() error { _, err := create(t, s.store, "in/new", ""); return err }},
		{PutObjectRetention, visible, func() error { _, err := create(t, s.store, "in/new", ""); return err }},
		{PutObjectRetention, visible, func() error { return s.store.ExtendRetention(t.Context(), "in/k", version, until) }},
		{PutObjectLegalHold, visible, func() error { return s.store.SetLegalHold(t.Context(), "in/k", version, false) }},
	}
	for _, tt := range tests {
		t.Run(string(tt.action), func(t *testing.T) {
			defer s.raw.AllowAll()
			s.raw.Deny(tt.action, "in/")
			if s.open != nil {
				s.store = s.open()
			}
			if tt.denied != nil {
				if err := tt.denied(); !errors.Is(err, archive.ErrDenied) {
					t.Errorf("error %v, want denied", err)
				}
			}
			if tt.action != GetObject {
				got := s.head(t, "in/k", "")
				got.Date = tt.want.Date
				if got != tt.want {
					t.Errorf("head %+v, want %+v", got, tt.want)
				}
			}
			if err := errors.Join(read("out/k"), list("out/")); err != nil {
				t.Errorf("beside the denied prefix: %v", err)
			}
		})
	}
	if o := s.head(t, "in/k", ""); o.Lock != locked {
		t.Errorf("with all permissions back the lock is %+v", o.Lock)
	}
}

func tamperAll(t *testing.T, s tampered) {
	for _, key := range []string{"b", "a", "c"} {
		mustCreate(t, s.store, key, key)
	}
	must(s.raw.PutVersion("b", []byte("b2"), archive.Lock{}, time.Time{}))(t)
	must(s.raw.DeleteMarker("b"))(t)
	var got []string
	for v := range s.raw.All() {
		got = append(got, v.Key+":"+string(v.Body))
		if !v.DeleteMarker && (!v.HasSHA256 || v.SHA256 != sha256.Sum256(v.Body)) {
			t.Errorf("%s has checksum %x", v.Key, v.SHA256)
		}
	}
	if want := []string{"a:a", "b:", "b:b2", "b:b", "c:c"}; !slices.Equal(got, want) {
		t.Errorf("all are %q, want %q", got, want)
	}
}

func TestCopyIsTheSame(t *testing.T) {
	src, dst := newTampered(t), newTampered(t)
	mustCreate(t, src.store, "a", "a")
	must(src.raw.DeleteMarker("a"))(t)
	must(src.raw.PutVersion("a", []byte("x"), archive.Lock{}, testStart.AddDate(-1, 0, 0)))(t)
	mustCreate(t, src.store, "b", "b")
	if err := Copy(dst.raw, src.raw); err != nil {
		t.Fatal(err)
	}
	want, got := slices.Collect(src.raw.All()), slices.Collect(dst.raw.All())
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the copy has %v, the original %v", got, want)
	}
	if err := dst.raw.RemoveKey("b"); err != nil {
		t.Fatal(err)
	}
	if n := count(src.raw); n != len(want) {
		t.Errorf("removing from the copy left %d versions in the original", n)
	}
}

func TestMemorySettings(t *testing.T) {
	s := newTampered(t)
	denied := map[Action]func(archive.Settings) error{
		GetBucketObjectLockConfiguration: func(s archive.Settings) error { return s.ObjectLock.Err },
		GetBucketVersioning:              func(s archive.Settings) error { return s.Versioning.Err },
		GetEncryptionConfiguration:       func(s archive.Settings) error { return s.Encryption.Err },
		GetLifecycleConfiguration:        func(s archive.Settings) error { return s.LifecycleExpires.Err },
		GetBucketPolicy:                  func(s archive.Settings) error { return s.Policy.Err },
		GetBucketPublicAccessBlock:       func(s archive.Settings) error { return s.PublicAccessBlocked.Err },
	}
	for action, unknown := range denied {
		s.raw.Deny(action, "")
		got, err := s.store.Settings(t.Context())
		if err != nil || !errors.Is(unknown(got), archive.ErrDenied) {
			t.Errorf("without %s: %+v, %v", action, got, err)
		}
		s.raw.AllowAll()
		if got, err = s.store.Settings(t.Context()); err != nil || unknown(got) != nil {
			t.Errorf("with %s: %+v, %v", action, got, err)
		}
	}
	changed := goodSettings()
	changed.Versioning.Value = "Suspended"
	if err := s.raw.SetSettings(changed); err != nil {
		t.Fatal(err)
	}
	if got, err := s.store.Settings(t.Context()); err != nil || !reflect.DeepEqual(got, changed) {
		t.Errorf("settings %+v, %v", got, err)
	}
}

func TestMemoryMisorders(t *testing.T) {
	m := NewMemory(t, testHome, newClock().now)
	m.SetPageSize(2)
	for _, key := range []string{"a", "b", "c"} {
		mustCreate(t, m, key, "old")
	}
	must(m.Raw().PutVersion("b", []byte("newer"), archive.Lock{}, time.Time{}))(t)
	for order, want := range map[Misorder][]string{
		InOrder:       {"a old!", "b newer!", "b old", "c old!"},
		PagesReversed: {"b newer!", "a old!", "c old!", "b old"},
		OldestFirst:   {"a old!", "b old", "b newer!", "c old!"},
	} {
		m.Raw().Misorder(order)
		var got []string
		for v, err := range m.Versions(t.Context(), "", "") {
			if err != nil {
				t.Fatal(err)
			}
			name := v.Key + map[int64]string{3: " old", 5: " newer"}[v.Size]
			if v.IsLatest {
				name += "!"
			}
			got = append(got, name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("order %d lists %q, want %q", order, got, want)
		}
	}
}
