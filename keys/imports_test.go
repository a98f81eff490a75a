package keys_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImports keeps the package what a verifier on an offline machine can link: no network, no AWS, no SQL.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		if path == "net" || path == "net/http" || path == "database/sql" || strings.HasPrefix(path, "github.com/aws/") {
			t.Errorf("keys depends on %s", path)
		}
	}
}
