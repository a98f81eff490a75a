package archive_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wormlog/wormlog/archive"
)

// abandoning is a store whose segment from entry 1 on hangs, once, until its context ends. As net/http may, it goes on reading the body
// of a request that was given up.
type abandoning struct {
	archive.Store
	mu           sync.Mutex
	hangs        chan struct{}
	body, before []byte
}

func (a *abandoning) Create(ctx context.Context, key string, body []byte, o archive.CreateOptions) (archive.Created, error) {
	if strings.HasPrefix(key, "segments/") && a.first(key, body) {
		close(a.hangs)
		<-ctx.Done()
		return archive.Created{}, ctx.Err()
	}
	if strings.HasPrefix(key, "manifests/") {
		<-a.hangs
	}
	return a.Store.Create(ctx, key, body, o)
}

func (a *abandoning) first(key string, body []byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.body != nil || !strings.HasSuffix(key, "/00000000000000000001.ndjson.zst") {
		return false
	}
	a.body, a.before = body, bytes.Clone(body)
	return true
}

// When a stream is given up its uploads are, too, and what they sent may still be on its way.
func TestBodyOfAnAbandonedUploadIsNotReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		store := &abandoning{Store: s.mem, hangs: make(chan struct{})}
		w := s.open(onStore(store), smallBatches(1))
		name := must(archive.ParseStreamName(w.Stream()))(t)
		must(s.mem.Raw().PutVersion(name.ManifestKey(0), []byte("taken"), archive.Lock{}, s.log.Created.Time))(t)
		_, first := s.add(w, "a", 2)
		s.acknowledged(first)
		for range 4 {
			_, more := s.add(w, "b", 8)
			s.acknowledged(more)
		}
		s.close(w)
		if !bytes.Equal(store.body, store.before) {
			t.Error("the body of an upload that was given up was overwritten")
		}
	})
}
