package archivetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// createRules are what Create promises.
var createRules = []rule{
	{"create-answers-version-and-date", 0, createAnswers},
	{"create-keeps-bytes-and-checksum", 0, func(c *checker) { createKeeps(c, []byte("{\"a\":1}\n\x00\xff")) }},
	{"create-keeps-empty-body", 0, func(c *checker) { createKeeps(c, nil) }},
	{"create-keeps-5-mib", 0, func(c *checker) { createKeeps(c, bytes.Repeat([]byte("wormlog\n"), 5<<20/8)) }},
	{"create-keeps-odd-names", 0, createKeepsOddNames},
	{"create-copies-the-body", 0, createCopies},
	{"create-existing-refused", 0, createExistingRefused},
	{"create-same-bytes-again-refused", 0, createAgainRefused},
	{"create-wrong-checksum-refused", 0, createWrongChecksumRefused},
	{"create-past-retain-until-refused", 0, createPastRefused},
	{"create-over-delete-marker", aMarker, createOverMarker},
	{"create-concurrently-one-winner", 0, createConcurrently},
}

func createAnswers(c *checker) {
	now := c.now()
	created, err := c.create("answer", []byte("x"))
	if err != nil {
		c.stop("create failed: %v", err)
	}
	if created.VersionID == "" || created.VersionID == "null" {
		c.fail("create answered version ID %q", created.VersionID)
	}
	c.near("the date that create answered", created.Date, now)
	if o := c.head("answer", ""); o.VersionID != created.VersionID {
		c.fail("create answered version %s, and head of the key shows version %s", created.VersionID, o.VersionID)
	}
}

func createKeeps(c *checker, body []byte) {
	created, err := c.create("kept", body)
	if err != nil {
		c.stop("create failed: %v", err)
	}
	c.holds("kept", "", body)
	c.holds("kept", created.VersionID, body)
}

func createKeepsOddNames(c *checker) {
	names := []string{
		"segments/date=2026-11-22/hour=17/stream=web-1.01JD8Z5Q4V0000000000000000/00000000000000000000.ndjson.zst",
		"odd/percent%3Dsign", "odd/a&b", "odd/a;b", "odd/a:b", "odd/a@b", "odd/a$b", "odd/a,b", "odd/a!b", "odd/a~b",
		"odd/a'b(c)", "odd/UPPER", "odd/upper", "odd/..dots..",
	}
	for _, name := range names {
		if _, err := c.create(name, []byte(name)); err != nil {
			c.fail("create %q failed: %v", name, err)
			continue
		}
		c.holds(name, "", []byte(name))
	}
	if got := len(c.list("", "")); got != len(names) {
		c.fail("%d keys are listed of %d created", got, len(names))
	}
}

func createCopies(c *checker) {
	body := []byte("before")
	c.put("copied", body)
	copy(body, "after!")
	c.holds("copied", "", []byte("before"))
	got, _, err := c.Store.Get(c.ctx, "copied", "", 100)
	c.prepared("get", err)
	copy(got, "after!")
	c.holds("copied", "", []byte("before"))
}

func createExistingRefused(c *checker) {
	first := c.put("once", []byte("first"))
	_, err := c.create("once", []byte("second"))
	c.wantErr("create of a key that exists", err, archive.ErrExists)
	c.holds("once", "", []byte("first"))
	c.onlyVersion("once", first.VersionID)
}

func createAgainRefused(c *checker) {
	first := c.put("once", []byte("same"))
	_, err := c.create("once", []byte("same"))
	c.wantErr("create of a key that exists with equal bytes", err, archive.ErrExists)
	c.onlyVersion("once", first.VersionID)
}

func createWrongChecksumRefused(c *checker) {
	_, err := c.Store.Create(c.ctx, "checksum", []byte("body"),
		archive.CreateOptions{RetainUntil: c.until(), SHA256: sha256.Sum256([]byte("another body"))})
	c.wantErr("create with a wrong checksum", err, archive.ErrRefused)
	c.absent("checksum")
}

func createPastRefused(c *checker) {
	body := []byte("body")
	for what, until := range map[string]time.Time{"no": {}, "a past": c.now().Add(-time.Hour)} {
		_, err := c.Store.Create(c.ctx, "past", body, archive.CreateOptions{RetainUntil: until, SHA256: sha256.Sum256(body)})
		c.wantErr("create with "+what+" retain-until", err, archive.ErrRefused)
		c.absent("past")
	}
}

func createOverMarker(c *checker) {
	first := c.put("marked", []byte("first"))
	_, err := c.DeleteMarker(c.ctx, "marked")
	c.prepared("delete marker", err)
	second, err := c.create("marked", []byte("second"))
	if err != nil {
		c.stop("a delete marker counts as absent for If-None-Match, but create over it failed: %v", err)
	}
	c.holds("marked", "", []byte("second"))
	c.holds("marked", second.VersionID, []byte("second"))
	c.holds("marked", first.VersionID, []byte("first"))
}

func createConcurrently(c *checker) {
	const racers = 8
	var wg sync.WaitGroup
	created, errs := make([]archive.Created, racers), make([]error, racers)
	until := c.until()
	for i := range racers {
		wg.Go(func() {
			body := fmt.Appendf(nil, "racer %d", i)
			created[i], errs[i] = c.Store.Create(c.ctx, "raced", body,
				archive.CreateOptions{RetainUntil: until, SHA256: sha256.Sum256(body)})
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			c.fail("two creates of one key succeeded: %d and %d", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, archive.ErrExists) && !errors.Is(err, archive.ErrConflict):
			c.fail("a create that lost the race failed otherwise than by ErrExists or ErrConflict: %v", err)
		}
	}
	if winner < 0 {
		c.stop("no create of %d won: %v", racers, errors.Join(errs...))
	}
	c.onlyVersion("raced", created[winner].VersionID)
	c.holds("raced", "", fmt.Appendf(nil, "racer %d", winner))
}

// create makes an object, locked for as long as the suite's options say.
func (c *checker) create(key string, body []byte) (archive.Created, error) {
	return c.createUntil(c.ctx, key, body, c.until())
}

func (c *checker) createUntil(ctx context.Context, key string, body []byte, until time.Time) (archive.Created, error) {
	return c.Store.Create(ctx, key, body, archive.CreateOptions{
		RetainUntil: until, SHA256: sha256.Sum256(body), ContentType: "application/octet-stream",
	})
}

// put creates an object for a rule about something else.
func (c *checker) put(key string, body []byte) archive.Created {
	c.t.Helper()
	created, err := c.create(key, body)
	c.prepared("create "+key, err)
	return created
}
