//go:build !race

package archive

import (
	"runtime"
	"testing"
)

// The race detector makes pools forget and takes memory of its own, so these count without it.
func TestAppendAllocates(t *testing.T) {
	w := benchWriter(t)
	entries := corpus()
	i := 0
	appendOne := func() {
		if _, err := w.Append(t.Context(), Record{Data: entries[i%len(entries)]}); err != nil {
			t.Fatal(err)
		}
		i++
	}
	for range 20_000 {
		appendOne()
	}
	if n := testing.AllocsPerRun(20_000, appendOne); n >= 1 {
		t.Errorf("%v allocations an entry", n)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestSealMemory bounds what the writer holds, whatever goes through it.
func TestSealMemory(t *testing.T) {
	entries := corpus()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w := benchWriter(t)
	for i := range 50_000 {
		if _, err := w.Append(t.Context(), Record{Data: entries[i%len(entries)]}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	const limit = 56 << 20 // live; the collector lets the heap grow to twice of it
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > limit {
		t.Errorf("the writer holds %d MiB", held>>20)
	} else {
		t.Logf("the writer holds %d MiB", held>>20)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
