// Package imports holds the rules on what may import what (docs/design.md, "Packages"), as a test.
package imports

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wormlog/wormlog/"

// dependencies lists what a package needs to be built, itself included.
func dependencies(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", module+pkg).Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", pkg, err)
	}
	return strings.Fields(string(out))
}

// TestCore keeps the packages that an offline verifier links free of network, AWS and SQL.
func TestCore(t *testing.T) {
	for _, pkg := range []string{"internal/lineobject", "keys", "archive", "archive/dirstore"} {
		for _, dep := range dependencies(t, pkg) {
			if dep == "net" || dep == "net/http" || dep == "database/sql" || dep == "testing" ||
				strings.HasPrefix(dep, "github.com/aws/") {
				t.Errorf("%s depends on %s", pkg, dep)
			}
		}
	}
}

// TestDirection keeps imports of our own one-way.
func TestDirection(t *testing.T) {
	for pkg, allowed := range map[string][]string{
		"internal/lineobject": nil,
		"internal/trouble":    nil,
		"keys":                {"internal/lineobject"},
		"keys/secretsmanager": {"internal/lineobject", "keys"},
		"archive":             {"internal/lineobject", "internal/trouble", "keys"},
		"archive/s3lock":      {"internal/lineobject", "internal/trouble", "keys", "archive"},
		"archive/dirstore":    {"internal/lineobject", "internal/trouble", "keys", "archive"},
		"archive/devserver":   {"internal/lineobject", "keys"},
		"archive/archivetest": {"internal/lineobject", "internal/trouble", "keys", "archive", "archive/devserver", "internal/leaks"},
		"internal/config":     {"internal/lineobject", "internal/trouble", "keys", "archive", "archive/s3lock"},
		"internal/rotate":     {"internal/lineobject", "internal/trouble", "keys", "keys/secretsmanager", "archive"},
	} {
		for _, dep := range dependencies(t, pkg) {
			ours, ok := strings.CutPrefix(dep, module)
			if ok && ours != pkg && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s", pkg, ours)
			}
		}
	}
}

// TestCommands keeps what only tests and development need out of the product.
func TestCommands(t *testing.T) {
	for _, command := range []string{"cmd/wormlog", "cmd/wormlog-lambda"} {
		for _, dep := range dependencies(t, command) {
			if dep == "testing" || dep == module+"archive/devserver" || dep == module+"archive/archivetest" || dep == module+"internal/leaks" {
				t.Errorf("%s links %s", command, dep)
			}
		}
	}
}
