package archivetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// StoreUnderTest is a store for one rule of the suite, with what the suite needs beside [archive.Store]. A nil function
// means that this server offers no such way; the rules that need it are then logged as not applicable, by name.
type StoreUnderTest struct {
	// Store has an empty home. It may be wrapped, but not by anything that repeats creates.
	Store archive.Store
	// DeleteMarker does what DELETE without version ID does.
	DeleteMarker func(ctx context.Context, key string) (versionID string, err error)
	// PutVersion does what PUT without If-None-Match does: it stacks a version without a lock of its own.
	PutVersion func(ctx context.Context, key string, body []byte) (versionID string, err error)
}

// SuiteOptions fit the suite to a server.
type SuiteOptions struct {
	// PageSize is how many versions the server lists at a time; 0 means 1,000. The paging rules make two and a half times
	// as many objects.
	PageSize int
	// Retention is for how long objects are locked; 0 means ten minutes. Objects on a real server stay that long.
	Retention time.Duration
	// Deviations are the rules that this server is known to break, each with the reason. Such a rule has to fail: a server
	// that behaves by now fails the suite, so that the entry is taken out.
	Deviations map[string]string
}

// TestStore runs the contract of [archive.Store], one subtest a rule. open is called once a rule; what it opens, it
// closes by t.Cleanup. Rules run one after the other.
func TestStore(t *testing.T, open func(t *testing.T) StoreUnderTest, opts SuiteOptions) {
	t.Helper()
	if opts.PageSize == 0 {
		opts.PageSize = 1000
	}
	if opts.Retention == 0 {
		opts.Retention = 10 * time.Minute
	}
	for name := range opts.Deviations {
		if !slices.Contains(RuleNames(), name) {
			t.Errorf("the suite has no rule %q to deviate from; its rules are %q", name, RuleNames())
		}
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) { r.test(t, open(t), opts) })
	}
}

// RuleNames returns the names of the suite's rules, in the order in which they run.
func RuleNames() []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.name
	}
	return names
}

// needs says what of [StoreUnderTest] a rule cannot do without.
type needs int

const (
	aMarker needs = 1 << iota
	aVersion
)

// rules are the contract of [archive.Store].
var rules = slices.Concat(createRules, readRules, lockRules, listRules)

// rule is one promise of the contract.
type rule struct {
	name  string
	needs needs
	check func(*checker)
}

func (r rule) test(t *testing.T, s StoreUnderTest, opts SuiteOptions) {
	t.Helper()
	if missing := r.missing(s); missing != "" {
		t.Logf("not applicable: %s: the store under test offers no %s", r.name, missing)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := &checker{ctx: ctx, t: t, StoreUnderTest: s, opts: opts}
	c.run(r.check)
	failures, deviation := r.judge(c.broken, opts.Deviations)
	for _, failure := range failures {
		t.Error(failure)
	}
	if deviation != "" {
		t.Log(deviation)
	}
}

// judge turns what the store broke of the rule into what the test fails of, or into the deviation to be logged.
func (r rule) judge(broken []string, deviations map[string]string) (failures []string, deviation string) {
	reason, deviates := deviations[r.name]
	switch {
	case !deviates:
		return broken, ""
	case len(broken) == 0:
		return []string{fmt.Sprintf("the server keeps the rule %s by now, though it is listed as a deviation (%s): "+
			"take it out of the list", r.name, reason)}, ""
	}
	return nil, fmt.Sprintf("deviates: %s: %s; seen: %s", r.name, reason, broken[0])
}

func (r rule) missing(s StoreUnderTest) string {
	if r.needs&aMarker != 0 && s.DeleteMarker == nil {
		return "DeleteMarker"
	}
	if r.needs&aVersion != 0 && s.PutVersion == nil {
		return "PutVersion"
	}
	return ""
}

// checker runs one rule. It tells the rule's own failures, which a deviation expects, from those of preparations, which
// nothing excuses.
type checker struct {
	StoreUnderTest
	ctx    context.Context
	t      *testing.T
	opts   SuiteOptions
	broken []string
}

// ruleOver ends a rule whose further checks would make no sense.
type ruleOver struct{}

func (c *checker) run(check func(*checker)) {
	defer func() {
		if p := recover(); p != nil && p != (ruleOver{}) {
			panic(p)
		}
	}()
	check(c)
}

// fail notes that the store broke the rule.
func (c *checker) fail(format string, args ...any) {
	c.broken = append(c.broken, fmt.Sprintf(format, args...))
}

// stop notes that the store broke the rule, and ends it.
func (c *checker) stop(format string, args ...any) {
	c.fail(format, args...)
	panic(ruleOver{})
}

// prepared ends the test if a preparation failed.
func (c *checker) prepared(what string, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("preparing: %s: %v", what, err)
	}
}

// now is the store's clock.
func (c *checker) now() time.Time {
	c.t.Helper()
	now, err := c.Store.Now(c.ctx)
	c.prepared("ask for the time", err)
	return now
}

// until is a retain-until that is soon enough for a test and late enough for the test to end before it.
func (c *checker) until() time.Time {
	c.t.Helper()
	return c.now().UTC().Truncate(time.Second).Add(c.opts.Retention)
}

// near checks that two dates of the store's are a minute apart at most: one clock, and the time that calls take.
func (c *checker) near(what string, got, want time.Time) {
	if d := got.Sub(want); d < -time.Minute || d > time.Minute {
		c.fail("%s is %s, the store's clock said %s", what, got.Format(time.RFC3339), want.Format(time.RFC3339))
	}
}

func (c *checker) wholeSecondsUTC(what string, t time.Time) {
	if t.Nanosecond() != 0 || t.Location() != time.UTC {
		c.fail("%s is %s, which is not in whole seconds and UTC", what, t.Format(time.RFC3339Nano))
	}
}

// wantErr checks that err wraps want and, of all that an error of a store may wrap, nothing else.
func (c *checker) wantErr(what string, err, want error) {
	if !errors.Is(err, want) {
		c.fail("%s: the error is %v, which does not wrap %q", what, err, want)
		return
	}
	for _, other := range sentinels {
		if other != want && errors.Is(err, other) {
			c.fail("%s: the error %v wraps both %q and %q", what, err, want, other)
		}
	}
}

// sentinels are what an error of a store may wrap, exactly one at a time.
var sentinels = []error{
	archive.ErrNotFound, archive.ErrExists, archive.ErrConflict, archive.ErrThrottled, archive.ErrDenied,
	archive.ErrRefused, archive.ErrDeleteMarker, archive.ErrTooLarge, archive.ErrUncertain,
	context.Canceled, context.DeadlineExceeded,
}
