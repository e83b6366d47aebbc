package yamlfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"right":         {"name: a # a comment", ""},
		"JSON":          {`{"name": "a"}`, ""},
		"tabbed JSON":   {"{\n\t\"name\": \"a\"\n}\n", ""},
		"tabbed YAML":   {"name:\n\t- a\n", "yaml"},
		"JSON key":      {"{\n\t\"nome\": \"a\"\n}", `unknown key "nome"; want name`},
		"key twice":     {`{"name": "a", "name": "b"}`, "already defined"},
		"unknown key":   {"nome: a", `line 1: unknown key "nome"; want name`},
		"list as text":  {"name: [a]", "line 1: a seq; want a text"},
		"text alone":    {"a", "want keys with their values"},
		"two documents": {"name: a\n---\nname: b", "more than one document"},
		"empty":         {"# nothing", "empty"},
		"no YAML":       {"name: [", "yaml"},
		"too large":     {"name: " + strings.Repeat("a", maxSize), "larger than"},
	} {
		path := filepath.Join(t.TempDir(), "file.yaml")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var v struct{ Name string }
		err := Read(path, &v)
		if c.want == "" {
			if err != nil || v.Name != "a" {
				t.Errorf("%s: %+v, %v", name, v, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v; want an error with the path and %q", name, err, c.want)
		}
	}
	if err := Read("/no/such.yaml", new(any)); !os.IsNotExist(err) {
		t.Errorf("%v, want that the file is not there", err)
	}
}
