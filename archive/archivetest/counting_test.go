package archivetest

import (
	"maps"
	"testing"
)

func TestCountingCountsEveryCall(t *testing.T) {
	m := NewMemory(t, testHome, newClock().now)
	version := mustCreate(t, m, "k", "").VersionID
	c := NewCounting(m)
	for _, call := range calls(t.Context(), c, version) {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Head(t.Context(), "missing", ""); err == nil {
		t.Fatal("a missing key was found")
	}
	want := map[Call]int{
		{OpCreate, "new"}: 1, {OpHead, "k"}: 1, {OpHead, "missing"}: 1, {OpGet, "k"}: 1, {OpVersions, ""}: 1,
		{OpExtendRetention, "k"}: 1, {OpSetLegalHold, "k"}: 1, {OpSettings, ""}: 1, {OpNow, ""}: 1,
	}
	if got := c.Calls(); !maps.Equal(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
	if all, heads, missing := c.Count("", ""), c.Count(OpHead, ""), c.Count(OpHead, "miss"); all != 9 || heads != 2 || missing != 1 {
		t.Errorf("counted %d calls, %d heads, %d of them under miss", all, heads, missing)
	}
	c.Reset()
	if n := c.Count("", ""); n != 0 {
		t.Errorf("%d calls after Reset", n)
	}
}
