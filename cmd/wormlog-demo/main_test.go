package main

import (
	"strings"
	"testing"
)

// The demo is its own test: it fails if a verdict is another than the attack deserves.
func TestTheStoryGoesAsTold(t *testing.T) {
	var told, complained strings.Builder
	status := run(t.Context(), []string{"--log", "../../testdata/logs/invictus-cloudtrail/cloudtrail.ndjson"}, &told, &complained)
	if status != 0 || !strings.Contains(told.String(), "2,900 entries archived and acknowledged") {
		t.Errorf("status %d\n%s%s", status, told.String(), complained.String())
	}
}
