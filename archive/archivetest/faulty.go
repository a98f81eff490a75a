package archivetest

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// Form says when a fault strikes. A call whose answer is lost has either happened or not, and code that is right in one
// case is often wrong in the other: try both.
type Form int

// The two forms of a fault.
const (
	BeforeEffect Form = iota // the request was lost: nothing happened
	AfterEffect              // the reply was lost: what was asked for has happened
)

// Forms are both, for tests that try each.
var Forms = []Form{BeforeEffect, AfterEffect}

// String names the form for test names.
func (f Form) String() string {
	if f == AfterEffect {
		return "reply lost"
	}
	return "request lost"
}

// Fault is one planned disturbance of a [Faulty] store. It strikes calls of Op whose key fits Key.
type Fault struct {
	Op  Op     // empty: any operation
	Key string // the key, or for Versions the prefix; * stands for any characters, empty for any key
	// Call is which of the fitting calls is struck, from 1; 0 strikes all of them.
	Call int
	Form Form
	// Err is what the struck call returns, wrapped: a sentinel of package archive or an error of package context. With nil
	// the call does not fail, which is of use with Pause.
	Err error
	// Elements is how many versions a struck listing yields before Err, in either form.
	Elements int
	// Stop ends the world with this call, as a crash does: the call returns Err (ErrUncertain if nil), and so does every
	// call that is under way or comes later. Form says whether this call still took effect.
	Stop bool
	// Pause holds the struck call, with BeforeEffect before it is made and with AfterEffect before it returns.
	Pause *Pause
}

// Pause is a place where a call waits for the test.
type Pause struct {
	reached chan struct{}
	resume  chan struct{}
	once    sync.Once
}

// NewPause returns a pause to put into a [Fault].
func NewPause() *Pause {
	return &Pause{reached: make(chan struct{}), resume: make(chan struct{})}
}

// Reached is closed when the first call waits.
func (p *Pause) Reached() <-chan struct{} { return p.reached }

// Resume lets the waiting calls go on, and later ones pass. It is called once.
func (p *Pause) Resume() { close(p.resume) }

func (p *Pause) wait(ctx context.Context) error {
	p.once.Do(func() { close(p.reached) })
	select {
	case <-p.resume:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Faulty is an [archive.Store] that disturbs the calls of another one by a plan. Methods may be called concurrently.
// Home is never disturbed.
type Faulty struct {
	store archive.Store

	mu      sync.Mutex
	plan    []*plannedFault
	stopErr error
	stopped chan struct{}
}

type plannedFault struct {
	Fault
	seen   int
	struck int
}

// NewFaulty returns store disturbed by plan. If several faults would strike one call, the first of the plan does; the
// others count the call but leave it alone.
func NewFaulty(store archive.Store, plan ...Fault) *Faulty {
	f := &Faulty{store: store, stopped: make(chan struct{})}
	f.Add(plan...)
	return f
}

// Add extends the plan. The new faults count calls from now on.
func (f *Faulty) Add(plan ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range plan {
		f.plan = append(f.plan, &plannedFault{Fault: p})
	}
}

// Unstruck returns the faults that have struck no call so far. A test that ends with some did not try what it says.
func (f *Faulty) Unstruck() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var left []Fault
	for _, p := range f.plan {
		if p.struck == 0 {
			left = append(left, p.Fault)
		}
	}
	return left
}

// Stopped is closed when a fault with Stop has struck.
func (f *Faulty) Stopped() <-chan struct{} { return f.stopped }

// arrive returns the fault that strikes a call, or nil.
func (f *Faulty) arrive(op Op, key string) (*Fault, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopErr != nil {
		return nil, f.stopErr
	}
	var strikes *plannedFault
	for _, p := range f.plan {
		if (p.Op != "" && p.Op != op) || !match(p.Key, key) {
			continue
		}
		p.seen++
		if strikes == nil && (p.Call == 0 || p.Call == p.seen) {
			strikes = p
		}
	}
	if strikes == nil {
		return nil, nil
	}
	strikes.struck++
	return &strikes.Fault, nil
}

// strike waits if the fault says so and returns its error; with Stop it ends the world first.
func (f *Faulty) strike(ctx context.Context, fault *Fault, c Call) error {
	if fault.Pause != nil {
		if err := fault.Pause.wait(ctx); err != nil {
			return fmt.Errorf("%s %q: %w", c.Op, c.Key, err)
		}
	}
	if fault.Stop {
		f.stop(fault.Err)
		return f.afterStop()
	}
	if fault.Err == nil {
		return nil
	}
	return fmt.Errorf("%s %q: injected fault, %s: %w", c.Op, c.Key, fault.Form, fault.Err)
}

func (f *Faulty) stop(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopErr != nil {
		return
	}
	if err == nil {
		err = archive.ErrUncertain
	}
	f.stopErr = fmt.Errorf("the process has crashed, as the test's plan says: %w", err)
	close(f.stopped)
}

// afterStop is the error that ends calls under way when the world stops, nil before that.
func (f *Faulty) afterStop() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stopErr
}

// disturb makes one call by the plan.
func disturb[T any](ctx context.Context, f *Faulty, op Op, key string, call func() (T, error)) (T, error) {
	var zero T
	c := Call{op, key}
	fault, err := f.arrive(op, key)
	if err != nil {
		return zero, err
	}
	if fault != nil && fault.Form == BeforeEffect {
		if err := f.strike(ctx, fault, c); err != nil {
			return zero, err
		}
	}
	if stopped := f.afterStop(); stopped != nil { // while this call was held
		return zero, stopped
	}
	v, err := call()
	if fault != nil && fault.Form == AfterEffect {
		if err := f.strike(ctx, fault, c); err != nil {
			return zero, err
		}
	}
	if stopped := f.afterStop(); stopped != nil {
		return zero, stopped
	}
	return v, err
}

// Create implements [archive.Store].
func (f *Faulty) Create(ctx context.Context, key string, body []byte, o archive.CreateOptions) (archive.Created, error) {
	return disturb(ctx, f, OpCreate, key, func() (archive.Created, error) { return f.store.Create(ctx, key, body, o) })
}

// Head implements [archive.Store].
func (f *Faulty) Head(ctx context.Context, key, versionID string) (archive.Object, error) {
	return disturb(ctx, f, OpHead, key, func() (archive.Object, error) { return f.store.Head(ctx, key, versionID) })
}

// Get implements [archive.Store].
func (f *Faulty) Get(ctx context.Context, key, versionID string, limit int64) ([]byte, archive.Object, error) {
	var o archive.Object
	body, err := disturb(ctx, f, OpGet, key, func() (body []byte, err error) {
		body, o, err = f.store.Get(ctx, key, versionID, limit)
		return body, err
	})
	if err != nil {
		return nil, archive.Object{}, err
	}
	return body, o, nil
}

// Versions implements [archive.Store]. Each range over the sequence is one call.
func (f *Faulty) Versions(ctx context.Context, prefix, startAfter string) iter.Seq2[archive.Version, error] {
	return func(yield func(archive.Version, error) bool) {
		fault, err := f.arrive(OpVersions, prefix)
		if err != nil {
			yield(archive.Version{}, err)
			return
		}
		f.list(ctx, fault, prefix, f.store.Versions(ctx, prefix, startAfter), yield)
	}
}

// list yields the versions of a listing up to where the fault, if any, breaks it.
func (f *Faulty) list(ctx context.Context, fault *Fault, prefix string, versions iter.Seq2[archive.Version, error],
	yield func(archive.Version, error) bool,
) {
	struckAt := func(n int) bool {
		err := f.afterStop()
		if err == nil && fault != nil && n == fault.Elements {
			err, fault = f.strike(ctx, fault, Call{OpVersions, prefix}), nil
		}
		if err != nil {
			yield(archive.Version{}, err)
		}
		return err != nil
	}
	n := 0
	if struckAt(n) {
		return
	}
	for v, err := range versions {
		if !yield(v, err) || err != nil {
			return
		}
		n++
		if struckAt(n) {
			return
		}
	}
	if fault != nil {
		struckAt(fault.Elements)
	}
}

// ExtendRetention implements [archive.Store].
func (f *Faulty) ExtendRetention(ctx context.Context, key, versionID string, until time.Time) error {
	_, err := disturb(ctx, f, OpExtendRetention, key, func() (struct{}, error) {
		return struct{}{}, f.store.ExtendRetention(ctx, key, versionID, until)
	})
	return err
}

// SetLegalHold implements [archive.Store].
func (f *Faulty) SetLegalHold(ctx context.Context, key, versionID string, on bool) error {
	_, err := disturb(ctx, f, OpSetLegalHold, key, func() (struct{}, error) {
		return struct{}{}, f.store.SetLegalHold(ctx, key, versionID, on)
	})
	return err
}

// Settings implements [archive.Store].
func (f *Faulty) Settings(ctx context.Context) (archive.Settings, error) {
	return disturb(ctx, f, OpSettings, "", func() (archive.Settings, error) { return f.store.Settings(ctx) })
}

// Now implements [archive.Store].
func (f *Faulty) Now(ctx context.Context) (time.Time, error) {
	return disturb(ctx, f, OpNow, "", func() (time.Time, error) { return f.store.Now(ctx) })
}

// Home implements [archive.Store].
func (f *Faulty) Home() archive.Home { return f.store.Home() }
