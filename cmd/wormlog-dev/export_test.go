package main

import (
	"maps"
	"strings"
	"testing"
)

// exported reads what export wrote.
func exported(lines string) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(lines) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok {
			env[name] = strings.ReplaceAll(strings.Trim(value, "'"), `'\''`, "'")
		}
	}
	return env
}

func TestExportQuotes(t *testing.T) {
	if got := export("A=it's; rm -rf $HOME"); got != `export A='it'\''s; rm -rf $HOME'` {
		t.Error(got)
	}
	if got := exported(export("A=b=c") + "\n" + export("D=e'f")); !maps.Equal(got, map[string]string{"A": "b=c", "D": "e'f"}) {
		t.Error(got)
	}
}
