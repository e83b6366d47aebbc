// Package deps_test enforces the dependency budget. A library that sits inside
// other people's apiservers drags along whatever it requires, so every module
// needs a reason, and the reason stands here.
package deps_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sallyport/sallyport"

// entry is a module that the core may require.
type entry struct {
	why string
	// floor is the lowest version allowed, for modules with known
	// vulnerabilities below it.
	floor string
	// testOnly keeps the module out of what users link.
	testOnly bool
}

// budget lists what go.mod may require directly. A new line here is a decision,
// and its reason is for those who inherit it.
var budget = map[string]entry{
	"golang.org/x/net":           {why: "nettest in dialertest, HTTP/2 details the standard library keeps to itself"},
	"golang.org/x/sync":          {why: "errgroup: goroutines that have an owner"},
	"golang.org/x/crypto":        {why: "the SSH client of sshtunnel", floor: "v0.52.0"},
	"google.golang.org/grpc":     {why: "Konnectivity's wire is gRPC", floor: "v1.82.1"},
	"google.golang.org/protobuf": {why: "protowire, to encode Konnectivity's packets by hand"},
	"github.com/hashicorp/yamux": {why: "the peer that the tests of our own yamux frames speak to", testOnly: true},
	"go.yaml.in/yaml/v3":         {why: "reading the files that programs are configured with: nodes behind SSH, the rules of identities and policies"},
	"github.com/google/go-cmp":   {why: "readable differences in tests", testOnly: true},
}

// banned are module prefixes that must not even be required indirectly.
var banned = map[string]string{
	"k8s.io/":                "users are pinned to their own Kubernetes minor version; adapters live in contrib",
	"sigs.k8s.io/":           "users are pinned to their own Kubernetes minor version; adapters live in contrib",
	"github.com/prometheus/": "metrics are trace hooks in the core; the Prometheus adapter lives in contrib",
}

// pure are the packages that build from the standard library and this module
// alone, so that a user of them links nothing else.
var pure = []string{"dialer", "direct", "files", "transport"}

// requirement is a line of go.mod.
type requirement struct {
	Path, Version string
	Indirect      bool
}

func TestDirectRequirementsAreInTheBudget(t *testing.T) {
	for _, r := range requirements(t) {
		if _, ok := budget[r.Path]; !ok && !r.Indirect {
			t.Errorf("go.mod requires %s, which is not in the budget. It allows only:\n%s"+
				"Do without it, put it into a module of its own under contrib, or add it here with its reason.",
				r.Path, reasons())
		}
	}
}

func TestBannedModules(t *testing.T) {
	for _, r := range requirements(t) {
		for prefix, why := range banned {
			if strings.HasPrefix(r.Path, prefix) {
				t.Errorf("go.mod requires %s: %s", r.Path, why)
			}
		}
	}
}

func TestFloors(t *testing.T) {
	for _, r := range requirements(t) {
		floor := budget[r.Path].floor
		if floor != "" && below(t, r.Version, floor) {
			t.Errorf("go.mod requires %s %s, which has known vulnerabilities; %s is the least", r.Path, r.Version, floor)
		}
	}
}

func TestPurePackages(t *testing.T) {
	for _, name := range pure {
		for _, path := range imports(t, "./"+name) {
			if path != module && !strings.HasPrefix(path, module+"/") {
				t.Errorf("package %s links %s; it has to build from the standard library alone", name, path)
			}
		}
	}
}

func TestTestOnlyModules(t *testing.T) {
	for _, path := range imports(t, "./...") {
		for mod, e := range budget {
			if e.testOnly && (path == mod || strings.HasPrefix(path, mod+"/")) {
				t.Errorf("a package that is not a test links %s, allowed only for: %s", path, e.why)
			}
		}
	}
}

func TestBelow(t *testing.T) {
	for _, tt := range []struct {
		v, floor string
		want     bool
	}{
		{"v0.52.0", "v0.52.0", false},
		{"v0.51.9", "v0.52.0", true},
		{"v0.52.1", "v0.52.0", false},
		{"v1.9.0", "v1.82.1", true},
		{"v1.100.0", "v1.82.1", false},
		{"v2.0.0", "v1.82.1", false},
		{"v0.52.0-rc.1", "v0.52.0", true},
		{"v0.53.0-rc.1", "v0.52.0", false},
	} {
		if got := below(t, tt.v, tt.floor); got != tt.want {
			t.Errorf("%s below %s: %v, want %v", tt.v, tt.floor, got, tt.want)
		}
	}
}

// requirements returns what the core's go.mod requires.
func requirements(t *testing.T) []requirement {
	t.Helper()
	var mod struct{ Require []requirement }
	if err := json.Unmarshal(goCommand(t, "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	if len(mod.Require) == 0 {
		t.Fatal("go.mod requires nothing at all: that cannot be it")
	}
	return mod.Require
}

// imports returns the packages outside of the standard library that the pattern
// needs, itself included, tests left out.
func imports(t *testing.T, pattern string) []string {
	t.Helper()
	out := goCommand(t, "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", pattern)
	paths := strings.Fields(string(out))
	if len(paths) == 0 {
		t.Fatalf("go list found nothing for %s", pattern)
	}
	return paths
}

// goCommand runs the go command at the module's root and returns its output.
func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		if ee, ok := err.(*exec.ExitError); ok {
			err = fmt.Errorf("%w\n%s", err, ee.Stderr)
		}
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// below reports whether version v is lower than floor. Both look like v1.2.3;
// anything behind a hyphen makes v a version before that one.
func below(t *testing.T, v, floor string) bool {
	t.Helper()
	plain, pre, _ := strings.Cut(v, "-")
	a, b := numbers(t, plain), numbers(t, floor)
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return pre != ""
}

func numbers(t *testing.T, v string) (n [3]int) {
	t.Helper()
	parts := strings.Split(strings.TrimPrefix(strings.TrimSuffix(v, "+incompatible"), "v"), ".")
	if len(parts) != len(n) {
		t.Fatalf("version %q does not look like v1.2.3", v)
	}
	for i, p := range parts {
		var err error
		if n[i], err = strconv.Atoi(p); err != nil {
			t.Fatalf("version %q: %v", v, err)
		}
	}
	return n
}

// reasons is the budget for people to read.
func reasons() string {
	var b strings.Builder
	for mod, e := range budget {
		fmt.Fprintf(&b, "  %s: %s\n", mod, e.why)
	}
	return b.String()
}
