package archive_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/archive"
)

// docs/findings.md has a section for each code, in the order of code.go, that begins with its usual verdict and says how
// it comes about innocently and what to do.
func TestFindingsPage(t *testing.T) {
	page := readText(t, "../docs/findings.md")
	sections := strings.Split(page, "\n## ")[1:]
	var headings []archive.Code
	for _, section := range sections {
		heading, body, _ := strings.Cut(section, "\n")
		code := archive.Code(heading)
		headings = append(headings, code)
		verdict := string(archive.UsualVerdicts[code])
		if verdict == "" || !strings.HasPrefix(body, verdict+". ") && !strings.HasPrefix(body, verdict+"; ") {
			t.Errorf("%s: the section does not begin with the usual verdict %q", code, verdict)
		}
		if !strings.Contains(body, "\n- **Innocently:** ") || !strings.Contains(body, "\n- **Do:** ") {
			t.Errorf("%s: how it comes about innocently, or what to do, is not said", code)
		}
	}
	declared := declaredCodes(t)
	if !slices.Equal(headings, declared) {
		t.Errorf("sections:\n%q\ncodes:\n%q", headings, declared)
	}
	slices.Sort(declared)
	if known := slices.Sorted(maps.Keys(archive.UsualVerdicts)); !slices.Equal(known, declared) {
		t.Errorf("codes with a usual verdict:\n%q\ndeclared:\n%q", known, declared)
	}
}

// declaredCodes reads the constants of code.go.
func declaredCodes(t *testing.T) (declared []archive.Code) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "code.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, archive.Code(value))
		}
		return true
	})
	return declared
}
