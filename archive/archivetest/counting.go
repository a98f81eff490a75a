package archivetest

import (
	"context"
	"iter"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// Counting is an [archive.Store] that counts the calls of another one, failed ones included. Methods may be called
// concurrently.
type Counting struct {
	store archive.Store

	mu    sync.Mutex
	calls map[Call]int
}

// NewCounting returns store with a count of 0.
func NewCounting(store archive.Store) *Counting {
	return &Counting{store: store, calls: make(map[Call]int)}
}

// Count returns how many calls of op there were on keys (for Versions: prefixes) that start with prefix. An empty op
// counts all operations.
func (c *Counting) Count(op Op, prefix string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for call, times := range c.calls {
		if (op == "" || call.Op == op) && strings.HasPrefix(call.Key, prefix) {
			n += times
		}
	}
	return n
}

// Calls returns how often each call was made.
func (c *Counting) Calls() map[Call]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.calls)
}

// Reset sets the counts to 0.
func (c *Counting) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.calls)
}

func (c *Counting) count(op Op, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[Call{op, key}]++
}

// Create implements [archive.Store].
func (c *Counting) Create(ctx context.Context, key string, body []byte, o archive.CreateOptions) (archive.Created, error) {
	c.count(OpCreate, key)
	return c.store.Create(ctx, key, body, o)
}

// Head implements [archive.Store].
func (c *Counting) Head(ctx context.Context, key, versionID string) (archive.Object, error) {
	c.count(OpHead, key)
	return c.store.Head(ctx, key, versionID)
}

// Get implements [archive.Store].
func (c *Counting) Get(ctx context.Context, key, versionID string, limit int64) ([]byte, archive.Object, error) {
	c.count(OpGet, key)
	return c.store.Get(ctx, key, versionID, limit)
}

// Versions implements [archive.Store]. Each range over the sequence counts once, however many pages it takes.
func (c *Counting) Versions(ctx context.Context, prefix, startAfter string) iter.Seq2[archive.Version, error] {
	versions := c.store.Versions(ctx, prefix, startAfter)
	return func(yield func(archive.Version, error) bool) {
		c.count(OpVersions, prefix)
		versions(yield)
	}
}

// ExtendRetention implements [archive.Store].
func (c *Counting) ExtendRetention(ctx context.Context, key, versionID string, until time.Time) error {
	c.count(OpExtendRetention, key)
	return c.store.ExtendRetention(ctx, key, versionID, until)
}

// SetLegalHold implements [archive.Store].
func (c *Counting) SetLegalHold(ctx context.Context, key, versionID string, on bool) error {
	c.count(OpSetLegalHold, key)
	return c.store.SetLegalHold(ctx, key, versionID, on)
}

// Settings implements [archive.Store].
func (c *Counting) Settings(ctx context.Context) (archive.Settings, error) {
	c.count(OpSettings, "")
	return c.store.Settings(ctx)
}

// Now implements [archive.Store].
func (c *Counting) Now(ctx context.Context) (time.Time, error) {
	c.count(OpNow, "")
	return c.store.Now(ctx)
}

// Home implements [archive.Store]. It is not counted: it asks nothing of the bucket.
func (c *Counting) Home() archive.Home { return c.store.Home() }
