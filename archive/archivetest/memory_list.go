package archivetest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/wormlog/wormlog/archive"
)

// Versions implements [archive.Store].
func (m *Memory) Versions(ctx context.Context, prefix, startAfter string) iter.Seq2[archive.Version, error] {
	return func(yield func(archive.Version, error) bool) {
		at := position{key: startAfter, wholeKey: true}
		for {
			page, more, err := m.page(ctx, prefix, &at)
			if err != nil {
				yield(archive.Version{}, fmt.Errorf("list versions of %q: %w", prefix+"*", err))
				return
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

// position is where a listing goes on: behind a version, or behind all versions of a key.
type position struct {
	key, versionID string
	wholeKey       bool
}

// page lists up to pageSize versions behind at, and moves at behind them.
func (m *Memory) page(ctx context.Context, prefix string, at *position) (page []archive.Version, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isDenied(ListBucketVersions, prefix) {
		return nil, false, archive.ErrDenied
	}
	for v := range m.behind(*at, prefix) {
		if len(page) == m.pageSize {
			more = true
			break
		}
		page = append(page, v)
	}
	if more {
		last := page[len(page)-1]
		*at = position{key: last.Key, versionID: last.VersionID}
	}
	if m.misorder == PagesReversed {
		slices.Reverse(page)
	}
	return page, more, nil
}

// behind yields the versions behind a position. If the version there is gone by now, its key is taken as listed.
func (m *Memory) behind(at position, prefix string) iter.Seq[archive.Version] {
	return func(yield func(archive.Version) bool) {
		i, _ := slices.BinarySearch(m.keys, max(at.key, prefix))
		for _, key := range m.keys[i:] {
			if !strings.HasPrefix(key, prefix) {
				return
			}
			versions := m.listOrder(key)
			if key == at.key {
				n := slices.IndexFunc(versions, func(v *RawVersion) bool { return v.VersionID == at.versionID })
				if at.wholeKey || n < 0 {
					continue
				}
				versions = versions[n+1:]
			}
			for _, v := range versions {
				if !yield(v.listed(v == m.latest(key))) {
					return
				}
			}
		}
	}
}

// listOrder returns a key's versions in the order in which they are listed.
func (m *Memory) listOrder(key string) []*RawVersion {
	versions := m.objects[key].versions
	if m.misorder == OldestFirst {
		versions = slices.Clone(versions)
		slices.Reverse(versions)
	}
	return versions
}
