package sallyport_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
)

// The README shows the code that is compiled and run as examples, not copies that
// have gone their own way. lines is how many each may take.
func TestReadmeShowsTheExamples(t *testing.T) {
	examples := []struct {
		file, function string
		lines          int
	}{
		{"example_test.go", "embed", 20},
		{"example_test.go", "runAgent", 16},
		{"konnectivity/example_test.go", "clusterIdentity", 12},
		{"example_ssh_test.go", "sshNodes", 15},
	}
	blocks := goBlocks(t, "README.md")
	if len(blocks) != len(examples) {
		t.Fatalf("README.md has %d blocks of Go code, want %d", len(blocks), len(examples))
	}
	for i, e := range examples {
		compiled := function(t, e.file, e.function)
		if got, want := unindented(blocks[i]), unindented(compiled); got != want {
			t.Errorf("README.md shows\n%s\nand %s of %s is\n%s", got, e.function, e.file, want)
		}
		if n := len(strings.Split(compiled, "\n")); n > e.lines {
			t.Errorf("%s takes %d lines, %d at most", e.function, n, e.lines)
		}
	}
}

// The nodes file that the README shows is the one that the example reads.
func TestReadmeShowsTheNodesFile(t *testing.T) {
	if !strings.Contains(read(t, "README.md"), "\n```yaml\n"+nodesYAML+"```\n") {
		t.Errorf("README.md does not show this nodes file:\n%s", nodesYAML)
	}
}

// The commands of the README are there to be copied.
func TestReadmeHasTheCommands(t *testing.T) {
	text := read(t, "README.md")
	for _, want := range []string{"\ngo get github.com/sallyport/sallyport\n", "\ngo run ./examples/quickstart\n", "\ngo test ./...\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("README.md has no line %q", strings.TrimSpace(want))
		}
	}
}

// Links to files lead somewhere, in each document beside the README too.
func TestLinks(t *testing.T) {
	documents, err := filepath.Glob("*.md")
	if err != nil || len(documents) < 4 {
		t.Fatalf("documents %q, %v", documents, err)
	}
	code := regexp.MustCompile("(?s)\n```.*?\n```\n|`[^`\n]*`")
	link := regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)
	for _, document := range documents {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(read(t, document), "\n"), -1) {
			if strings.Contains(m[1], ":") {
				continue // elsewhere
			}
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("%s links to %s: %v", document, m[1], err)
			}
		}
	}
}

// The README leads to the other documents.
func TestReadmeLinks(t *testing.T) {
	text := read(t, "README.md")
	for _, file := range []string{"SPEC.md", "SECURITY.md", "CHANGELOG.md", "LICENSE"} {
		if !strings.Contains(text, "]("+file+")") {
			t.Errorf("README.md does not link to %s", file)
		}
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
}

func TestExampleLeavesNothing(t *testing.T) {
	leak.Check(t)
	Example()
	Example_ssh()
}

// goBlocks returns the blocks of Go code in file.
func goBlocks(t *testing.T, file string) (blocks []string) {
	t.Helper()
	for _, rest := range strings.Split(read(t, file), "\n```go\n")[1:] {
		block, _, closed := strings.Cut(rest, "\n```\n")
		if !closed {
			t.Fatalf("%s has a block of Go code without an end", file)
		}
		blocks = append(blocks, block)
	}
	return blocks
}

// function returns the source of the function name in file, without its comment.
func function(t *testing.T, file, name string) string {
	t.Helper()
	src := read(t, file)
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == name {
			return src[fset.Position(fn.Pos()).Offset:fset.Position(fn.End()).Offset]
		}
	}
	t.Fatalf("%s has no function %s", file, name)
	return ""
}

func unindented(code string) string {
	lines := strings.Split(code, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
