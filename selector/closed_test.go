package selector_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/selector"
)

// Nothing that has no class or no route may reach any Dialer, nor the network
// by itself.
func TestFailsClosed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d := &fake{}
	var rec recorder
	s := mustNew(t, selector.Config{Rules: cluster()[2:3], Routes: routesFor(d, selector.Pod), Trace: rec.trace()})
	var zero selector.Selector

	address := ln.Addr().String()
	dials := map[string]func() (net.Conn, error){
		"no class":      func() (net.Conn, error) { return s.DialContext(t.Context(), "tcp", address) },
		"unknown class": func() (net.Conn, error) { return s.For("nobody").DialContext(t.Context(), "tcp", address) },
		"empty class":   func() (net.Conn, error) { return s.For("").DialContext(t.Context(), "tcp", address) },
		"zero selector": func() (net.Conn, error) { return zero.DialContext(t.Context(), "tcp", address) },
		"zero For":      func() (net.Conn, error) { return zero.For(selector.Pod).DialContext(t.Context(), "tcp", address) },
		"network":       func() (net.Conn, error) { return s.For(selector.Pod).DialContext(t.Context(), "unix", address) },
		"context class": func() (net.Conn, error) {
			return s.DialContext(selector.WithClass(t.Context(), "nobody"), "tcp", address)
		},
	}
	for name, dial := range dials {
		c, err := dial()
		asError(t, c, err)
		de := wantNoRoute(t, err)
		if de.Address != address || de.Network == "" {
			t.Errorf("%s: error does not name what was dialled: %v", name, err)
		}
	}
	d.wantDials(t, 0)
	// A direct dial would be in the queue before this one.
	own, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	got, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.RemoteAddr().String() != own.LocalAddr().String() {
		t.Errorf("somebody dialled directly: %v", got.RemoteAddr())
	}
	if len(rec.starts) != 5 || len(rec.dones) != 5 {
		t.Errorf("the trace saw %d starts and %d ends of 5 failed dials", len(rec.starts), len(rec.dones))
	}
}

// The package cannot dial directly, because it does not know how.
func TestSourceNeverDials(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				x, _ := sel.X.(*ast.Ident)
				if x != nil && x.Name == "net" && (strings.HasPrefix(sel.Sel.Name, "Dial") || strings.HasPrefix(sel.Sel.Name, "Lookup") || strings.HasSuffix(sel.Sel.Name, "Resolver")) {
					t.Errorf("%s uses net.%s", e.Name(), sel.Sel.Name)
				}
			}
			return true
		})
	}
	if seen == 0 {
		t.Error("no source was read")
	}
}
