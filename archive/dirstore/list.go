package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wormlog/wormlog/archive"
)

// Versions implements [archive.Store]: one version of each file. A name that is not UTF-8 is listed with U+FFFD for what
// is not; it is no object's, so nothing reads it, and nothing looks into it if it is a directory.
func (s *Store) Versions(ctx context.Context, prefix, startAfter string) iter.Seq2[archive.Version, error] {
	return func(yield func(archive.Version, error) bool) {
		dir := "."
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			dir = prefix[:i]
		}
		if !fs.ValidPath(dir) {
			return // no file is called so
		}
		l := listing{ctx: ctx, store: s, prefix: prefix, startAfter: startAfter, yield: yield}
		l.walk(dir)
	}
}

// listing is one call of Versions.
type listing struct {
	ctx                context.Context
	store              *Store
	prefix, startAfter string
	yield              func(archive.Version, error) bool
}

// item is an entry of a directory. The key of a directory ends in a slash: that is how its files' keys go on, and what
// decides their place.
type item struct {
	key   string
	entry fs.DirEntry
}

// walk yields what lies in and below a directory. It says whether to go on.
func (l *listing) walk(dir string) bool {
	items, err := l.items(dir)
	if err != nil {
		l.yield(archive.Version{}, fmt.Errorf("list %q: %w", dir, err))
		return false
	}
	for _, x := range items {
		if below, ok := strings.CutSuffix(x.key, "/"); ok {
			if l.wants(x.key) && !l.walk(below) {
				return false
			}
			continue
		}
		if !strings.HasPrefix(x.key, l.prefix) || x.key <= l.startAfter {
			continue
		}
		info, err := x.entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since the directory was read
		}
		if err != nil {
			l.yield(archive.Version{}, fmt.Errorf("list %q: %w", x.key, because(err)))
			return false
		}
		v := archive.Version{Key: x.key, VersionID: VersionID, IsLatest: true, Size: info.Size(), LastModified: modified(info)}
		if !l.yield(v, nil) {
			return false
		}
	}
	return true
}

// wants says whether keys that begin with that of a directory can be asked for.
func (l *listing) wants(key string) bool {
	if !strings.HasPrefix(key, l.prefix) && !strings.HasPrefix(l.prefix, key) {
		return false
	}
	return key > l.startAfter || strings.HasPrefix(l.startAfter, key)
}

// items reads a directory, in the order of keys. One that is not there is empty.
func (l *listing) items(dir string) (items []item, err error) {
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	if err := l.store.throughLink(dir); err != nil {
		return nil, err // empty it would pass for one in which nothing was ever archived
	}
	if info, err := l.store.root.Lstat(filepath.FromSlash(dir)); err == nil && !info.IsDir() {
		return nil, nil // a file: it is listed where it lies
	}
	f, err := l.store.root.Open(filepath.FromSlash(dir))
	if err != nil {
		if err = because(err); errors.Is(err, archive.ErrNotFound) {
			return nil, nil
		}
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, because(err)
	}
	above := ""
	if dir != "." {
		above = dir + "/"
	}
	for _, e := range entries {
		key := above + strings.ToValidUTF8(e.Name(), string(utf8.RuneError))
		if e.IsDir() && utf8.ValidString(e.Name()) {
			key += "/"
		}
		items = append(items, item{key, e})
	}
	slices.SortStableFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	return items, nil
}
