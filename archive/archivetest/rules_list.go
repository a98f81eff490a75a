package archivetest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wormlog/wormlog/archive"
	"golang.org/x/sync/errgroup"
)

// listRules are what Versions promises.
var listRules = []rule{
	{"versions-of-empty-home", 0, versionsOfEmpty},
	{"versions-describe-objects", 0, versionsDescribe},
	{"versions-keys-ascending", 0, versionsAscending},
	{"versions-by-prefix", 0, versionsByPrefix},
	{"versions-start-after", 0, versionsStartAfter},
	{"versions-over-pages", 0, versionsOverPages},
	{"versions-stopped-early", 0, versionsStopped},
	{"versions-newest-first", aVersion, versionsNewestFirst},
	{"versions-of-one-key-over-pages", aVersion, versionsOfOneKey},
	{"versions-show-delete-markers", aMarker, versionsShowMarkers},
}

func versionsOfEmpty(c *checker) {
	if all := c.list("", ""); len(all) > 0 {
		c.fail("an empty home lists %d versions", len(all))
	}
	c.put("there", nil)
	if none := c.list("not-there", ""); len(none) > 0 {
		c.fail("a prefix without keys lists %d versions", len(none))
	}
}

func versionsDescribe(c *checker) {
	created := c.put("described/object", []byte("four"))
	all := c.list("", "")
	if len(all) != 1 {
		c.stop("one object lists as %d versions", len(all))
	}
	v := all[0]
	c.near("the listed LastModified", v.LastModified, created.Date)
	if head := c.head(v.Key, ""); !head.LastModified.Equal(v.LastModified) {
		c.fail("head dates the object %s, the listing %s", head.LastModified, v.LastModified)
	}
	v.LastModified = created.Date
	want := archive.Version{
		Key: "described/object", VersionID: created.VersionID, IsLatest: true, Size: 4, LastModified: created.Date,
	}
	if v != want {
		c.fail("the object is listed as %+v, not %+v", v, want)
	}
}

// mixedKeys sort otherwise by bytes than by words, by directories or without regard to case.
var mixedKeys = []string{
	"A/z", "B", "a-b/1", "a.b/1", "a/1", "a/10", "a/1=2/x", "a/2", "a=b/1", "aB", "a_b/1", "ab/1", "ab/1.x", "b", "z/z/z/z",
}

func versionsAscending(c *checker) {
	for i := range mixedKeys {
		c.put(mixedKeys[(i*7)%len(mixedKeys)], nil)
	}
	c.lists("all keys", "", "", mixedKeys...)
}

func versionsByPrefix(c *checker) {
	for _, key := range []string{"a/1", "a/2", "ab/1", "b/1"} {
		c.put(key, nil)
	}
	c.lists("a prefix inside a name", "a", "", "a/1", "a/2", "ab/1")
	c.lists("a prefix with its slash", "a/", "", "a/1", "a/2")
	c.lists("a whole key", "b/1", "", "b/1")
}

func versionsStartAfter(c *checker) {
	for _, key := range []string{"p/1", "p/2", "p/2x", "p/3", "q/1"} {
		c.put(key, nil)
	}
	c.lists("behind a key", "p/", "p/2", "p/2x", "p/3")
	c.lists("behind a name between two keys", "p/", "p/2w", "p/2x", "p/3")
	c.lists("behind the last key", "p/", "p/3")
	c.lists("behind a key of all", "", "p/3", "q/1")
	c.lists("behind a name before the prefix", "p/", "a", "p/1", "p/2", "p/2x", "p/3")
}

func versionsOverPages(c *checker) {
	keys := make([]string, c.opts.PageSize*5/2)
	for i := range keys {
		keys[i] = fmt.Sprintf("paged/%06d", i)
	}
	c.putAll(keys)
	c.lists("several pages", "paged/", "", keys...)
	i := c.opts.PageSize / 2
	c.lists("several pages behind a key", "paged/", keys[i], keys[i+1:]...)
}

// putAll creates empty objects, several at a time.
func (c *checker) putAll(keys []string) {
	until := c.until()
	g, ctx := errgroup.WithContext(c.ctx)
	g.SetLimit(16)
	for _, key := range keys {
		g.Go(func() error {
			_, err := c.createUntil(ctx, key, nil, until)
			return err
		})
	}
	c.prepared("create many objects", g.Wait())
}

func versionsStopped(c *checker) {
	c.put("a", nil)
	c.put("b", nil)
	listing := c.Store.Versions(c.ctx, "", "")
	for range 2 { // a sequence may be ranged over again
		for v, err := range listing {
			if err != nil || v.Key != "a" {
				c.fail("the listing begins with %+v, %v", v, err)
			}
			break
		}
	}
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	n := 0
	for _, err := range c.Store.Versions(ctx, "", "") {
		if n++; err == nil || n > 1 {
			c.fail("a listing under an ended context goes on: element %d, error %v", n, err)
		}
	}
}

func versionsNewestFirst(c *checker) {
	want := c.stack("stacked", 3)
	c.put("stacked-behind", nil)
	c.listsHistory("stacked", want)
}

func versionsOfOneKey(c *checker) {
	want := c.stack("stacked", c.opts.PageSize+2)
	c.put("stacked-behind", nil)
	c.listsHistory("stacked", want)
}

// stack makes n versions of key and returns their IDs, newest first.
func (c *checker) stack(key string, n int) []string {
	ids := []string{c.put(key, nil).VersionID}
	for i := 1; i < n; i++ {
		id, err := c.PutVersion(c.ctx, key, fmt.Appendf(nil, "%d", i))
		c.prepared("put a version", err)
		ids = append(ids, id)
	}
	slices.Reverse(ids)
	return ids
}

func versionsShowMarkers(c *checker) {
	first := c.put("marked", []byte("first"))
	marker, err := c.DeleteMarker(c.ctx, "marked")
	c.prepared("delete marker", err)
	c.put("marked-behind", nil)
	c.listsHistory("marked", []string{marker, first.VersionID})
	for _, v := range c.list("marked", "") {
		if v.DeleteMarker != (v.VersionID == marker) {
			c.fail("version %s of %q is listed with DeleteMarker %v; the marker is %s", v.VersionID, v.Key, v.DeleteMarker, marker)
		}
	}
}

// list returns a listing that must not fail.
func (c *checker) list(prefix, startAfter string) []archive.Version {
	var all []archive.Version
	for v, err := range c.Store.Versions(c.ctx, prefix, startAfter) {
		if err != nil {
			c.stop("listing %q behind %q failed: %v", prefix, startAfter, err)
		}
		all = append(all, v)
	}
	return all
}

// lists checks the keys of a listing in which every key has one version.
func (c *checker) lists(what, prefix, startAfter string, want ...string) {
	var got []string
	for _, v := range c.list(prefix, startAfter) {
		got = append(got, v.Key)
		if !v.IsLatest || v.DeleteMarker || v.VersionID == "" {
			c.fail("%s: the only version of a key is listed as %+v", what, v)
		}
	}
	if !slices.Equal(got, want) {
		c.fail("%s: listed are %s, not %s", what, few(got), few(want))
	}
}

// listsHistory checks the versions of one key, newest first, in a listing that shows other keys too.
func (c *checker) listsHistory(key string, want []string) {
	var got []string
	for _, v := range c.list(key, "") {
		if v.Key != key {
			continue
		}
		if v.IsLatest != (len(got) == 0) {
			c.fail("element %d of %q is listed with IsLatest %v", len(got), key, v.IsLatest)
		}
		got = append(got, v.VersionID)
	}
	if !slices.Equal(got, want) {
		c.fail("the versions of %q are listed as %s, not %s (newest first)", key, few(got), few(want))
	}
}

// onlyVersion checks that key has exactly one version.
func (c *checker) onlyVersion(key, versionID string) { c.listsHistory(key, []string{versionID}) }

// few prints a list that may be long.
func few(list []string) string {
	if len(list) > 20 {
		return fmt.Sprintf("%d (%s … %s)", len(list), list[0], list[len(list)-1])
	}
	return "[" + strings.Join(list, " ") + "]"
}
