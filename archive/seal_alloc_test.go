//go:build !race

package archive

import "testing"

// The race detector makes pools forget, so this counts without it.
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
