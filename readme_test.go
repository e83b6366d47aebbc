package sallyport_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
)

// maxEmbedding is how many lines it may take to embed the library.
const maxEmbedding = 20

// The README shows the code that is compiled and run as the example, not a copy
// that has gone its own way.
func TestReadmeShowsTheExample(t *testing.T) {
	shown := goBlock(t, "README.md")
	compiled := function(t, "example_test.go", "embed")
	if got, want := unindented(shown), unindented(compiled); got != want {
		t.Errorf("README.md shows\n%s\nand the example is\n%s", got, want)
	}
	if n := len(strings.Split(compiled, "\n")); n > maxEmbedding {
		t.Errorf("embedding takes %d lines, %d at most", n, maxEmbedding)
	}
}

// The two commands of the README are there to be copied.
func TestReadmeHasTheCommands(t *testing.T) {
	text := read(t, "README.md")
	for _, want := range []string{"\ngo run ./examples/quickstart\n", "\ngo test ./...\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("README.md has no line %q", strings.TrimSpace(want))
		}
	}
}

// Links to files lead somewhere.
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
}

// goBlock returns the first block of Go code in file.
func goBlock(t *testing.T, file string) string {
	t.Helper()
	_, rest, ok := strings.Cut(read(t, file), "\n```go\n")
	block, _, closed := strings.Cut(rest, "\n```\n")
	if !ok || !closed {
		t.Fatalf("%s has no block of Go code", file)
	}
	return block
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
