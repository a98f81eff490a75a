package archivetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
)

func TestJudge(t *testing.T) {
	r := rule{name: "the-rule"}
	deviations := map[string]string{"the-rule": "fixed in 1.9"}
	tests := []struct {
		name       string
		broken     []string
		deviations map[string]string
		failure    string
		deviation  string
	}{
		{"kept", nil, nil, "", ""},
		{"broken", []string{"seen"}, nil, "seen", ""},
		{"deviates", []string{"seen", "more"}, deviations, "", "deviates: the-rule: fixed in 1.9; seen: seen"},
		{"behaves by now", nil, deviations, "take it out of the list", ""},
		{"another deviates", []string{"seen"}, map[string]string{"other": "x"}, "seen", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			failures, deviation := r.judge(tt.broken, tt.deviations)
			if got := strings.Join(failures, "; "); !strings.Contains(got, tt.failure) || (tt.failure == "") != (got == "") {
				t.Errorf("failures %q, want one with %q", got, tt.failure)
			}
			if deviation != tt.deviation {
				t.Errorf("deviation %q, want %q", deviation, tt.deviation)
			}
		})
	}
}

func TestRulesHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range RuleNames() {
		if seen[name] || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("rule name %q is taken or not in kebab case", name)
		}
		seen[name] = true
	}
}

func TestRuleWithoutWhatItNeeds(t *testing.T) {
	for _, tt := range []struct {
		needs needs
		want  string
	}{{0, ""}, {aMarker, "DeleteMarker"}, {aVersion, "PutVersion"}} {
		if got := (rule{needs: tt.needs}).missing(StoreUnderTest{}); got != tt.want {
			t.Errorf("missing %q, want %q", got, tt.want)
		}
	}
}

// broken is a store with one thing wrong.
type broken struct {
	*Memory
	create   func(*Memory, context.Context, string, []byte, archive.CreateOptions) (archive.Created, error)
	object   func(*archive.Object)
	body     func([]byte) []byte
	listed   func([]archive.Version) []archive.Version
	err      func(error) error
	lockless bool
	ignore   bool
}

func (b broken) Create(ctx context.Context, key string, body []byte, o archive.CreateOptions) (archive.Created, error) {
	if b.ignore {
		ctx = context.WithoutCancel(ctx)
	}
	if b.create != nil {
		return b.create(b.Memory, ctx, key, body, o)
	}
	created, err := b.Memory.Create(ctx, key, body, o)
	return created, b.fail(err)
}

func (b broken) fail(err error) error {
	if err != nil && b.err != nil {
		return b.err(err)
	}
	return err
}

func (b broken) Head(ctx context.Context, key, versionID string) (archive.Object, error) {
	o, err := b.Memory.Head(ctx, key, versionID)
	if err == nil && b.object != nil {
		b.object(&o)
	}
	return o, b.fail(err)
}

func (b broken) Get(ctx context.Context, key, versionID string, limit int64) ([]byte, archive.Object, error) {
	body, o, err := b.Memory.Get(ctx, key, versionID, limit)
	if err == nil && b.object != nil {
		b.object(&o)
	}
	if err == nil && b.body != nil {
		body = b.body(body)
	}
	return body, o, b.fail(err)
}

func (b broken) Versions(ctx context.Context, prefix, startAfter string) iter.Seq2[archive.Version, error] {
	if b.listed == nil {
		return b.Memory.Versions(ctx, prefix, startAfter)
	}
	return func(yield func(archive.Version, error) bool) {
		var all []archive.Version
		for v, err := range b.Memory.Versions(ctx, prefix, startAfter) {
			if err != nil {
				yield(v, err)
				return
			}
			all = append(all, v)
		}
		for _, v := range b.listed(all) {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (b broken) ExtendRetention(ctx context.Context, key, versionID string, until time.Time) error {
	if b.lockless {
		o, err := b.Memory.Head(ctx, key, versionID)
		if err != nil {
			return err
		}
		o.Lock.RetainUntil = until
		return b.Raw().SetLock(key, versionID, o.Lock)
	}
	return b.fail(b.Memory.ExtendRetention(ctx, key, versionID, until))
}

// TestSuiteNotices proves the suite on stores that each break something: a rule that nothing can fail proves nothing.
func TestSuiteNotices(t *testing.T) {
	tests := []struct {
		name  string
		rules []string
		store broken
	}{
		{"creates over what exists", []string{"create-existing-refused", "create-same-bytes-again-refused", "create-concurrently-one-winner"},
			broken{create: func(m *Memory, _ context.Context, key string, body []byte, o archive.CreateOptions) (archive.Created, error) {
				id, err := m.Raw().PutVersion(key, body, archive.Lock{Mode: archive.Compliance, RetainUntil: o.RetainUntil}, time.Time{})
				return archive.Created{VersionID: id, Date: m.date()}, err
			}}},
		{"checks no checksum and no date", []string{"create-wrong-checksum-refused", "create-past-retain-until-refused"},
			broken{create: func(m *Memory, _ context.Context, key string, body []byte, _ archive.CreateOptions) (archive.Created, error) {
				id, err := m.Raw().PutVersion(key, body, archive.Lock{}, time.Time{})
				return archive.Created{VersionID: id, Date: m.date()}, err
			}}},
		{"answers nothing to a create", []string{"create-answers-version-and-date", "now-is-the-clock-of-its-dates"},
			broken{create: func(m *Memory, ctx context.Context, key string, body []byte, o archive.CreateOptions) (archive.Created, error) {
				_, err := m.Create(ctx, key, body, o)
				return archive.Created{}, err
			}}},
		{"takes a marker for an object", []string{"create-over-delete-marker"},
			broken{create: func(m *Memory, ctx context.Context, key string, body []byte, o archive.CreateOptions) (archive.Created, error) {
				if _, err := m.Head(ctx, key, ""); errors.Is(err, archive.ErrDeleteMarker) {
					return archive.Created{}, archive.ErrExists
				}
				return m.Create(ctx, key, body, o)
			}}},
		{"keeps no checksum", []string{"create-keeps-bytes-and-checksum", "create-keeps-empty-body"},
			broken{object: func(o *archive.Object) { o.HasSHA256 = false }}},
		{"locks a second short", []string{"lock-as-asked", "retention-extended", "retention-shortening-refused"},
			broken{object: func(o *archive.Object) { o.Lock.RetainUntil = o.Lock.RetainUntil.Add(-time.Second) }}},
		{"locks by governance", []string{"lock-as-asked", "legal-hold-on-and-off", "lock-unchanged-by-delete-marker"},
			broken{object: func(o *archive.Object) { o.Lock.Mode = archive.Governance }}},
		{"hides locks", []string{"lock-as-asked"}, broken{object: func(o *archive.Object) { o.RetentionHidden = true }}},
		{"dates by fractions", []string{"head-describes-the-object"},
			broken{object: func(o *archive.Object) { o.LastModified = o.LastModified.Add(time.Millisecond) }}},
		{"tells full keys", []string{"head-describes-the-object"}, broken{object: func(o *archive.Object) { o.Key = "logs/" + o.Key }}},
		{"changes bytes", []string{"create-keeps-bytes-and-checksum", "create-keeps-5-mib", "create-keeps-odd-names"},
			broken{body: func(b []byte) []byte { return append(b[:len(b)-1], 0) }}},
		{"shortens", []string{"retention-shortening-refused"}, broken{lockless: true}},
		{"goes on under an ended context", []string{"context-ended"}, broken{ignore: true}},
		{"names no errors", []string{"read-missing-key-not-found", "read-missing-version-not-found", "read-delete-marker",
			"read-delete-marker-by-version", "get-too-large", "create-existing-refused", "lock-change-of-missing-key-not-found"},
			broken{err: func(err error) error { return errors.New(err.Error()) }}},
		{"names two errors", []string{"read-missing-key-not-found", "get-too-large"},
			broken{err: func(err error) error { return fmt.Errorf("%w: %w", archive.ErrUncertain, err) }}},
		{"lists the last page only", []string{"versions-over-pages", "versions-keys-ascending", "versions-of-one-key-over-pages"},
			broken{listed: func(all []archive.Version) []archive.Version { return all[len(all)-len(all)%3:] }}},
		{"lists newest last", []string{"versions-newest-first", "versions-of-one-key-over-pages", "versions-show-delete-markers"},
			broken{listed: func(all []archive.Version) []archive.Version {
				for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
					all[i], all[j] = all[j], all[i]
				}
				return all
			}}},
		{"lists no markers", []string{"versions-show-delete-markers"},
			broken{listed: func(all []archive.Version) []archive.Version {
				for i := range all {
					all[i].DeleteMarker = false
				}
				return all
			}}},
		{"lists keys elsewhere", []string{"versions-by-prefix", "versions-start-after", "versions-of-empty-home"},
			broken{listed: func(all []archive.Version) []archive.Version {
				return append(all, archive.Version{Key: "zz", VersionID: "v", IsLatest: true})
			}}},
		{"lists sizes wrong", []string{"versions-describe-objects"},
			broken{listed: func(all []archive.Version) []archive.Version {
				for i := range all {
					all[i].Size++
				}
				return all
			}}},
	}
	for _, tt := range tests {
		for _, name := range tt.rules {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				m := NewMemory(new(recorder), testHome, newClock().now)
				m.SetPageSize(3)
				under := memoryUnderTest(m)
				tt.store.Memory = m
				under.Store = tt.store
				c := &checker{StoreUnderTest: under, ctx: t.Context(), t: t, opts: SuiteOptions{PageSize: 3, Retention: time.Minute * 10}}
				ruleNamed(t, name).run(c)
				if len(c.broken) == 0 {
					t.Error("the suite did not notice")
				}
			})
		}
	}
}

func (r rule) run(c *checker) { c.run(r.check) }

func ruleNamed(t *testing.T, name string) rule {
	t.Helper()
	for _, r := range rules {
		if r.name == name {
			return r
		}
	}
	t.Fatalf("no rule %q", name)
	return rule{}
}
