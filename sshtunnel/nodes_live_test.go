package sshtunnel

import (
	"errors"
	"strings"
	"testing"
)

func TestLiveNodes(t *testing.T) {
	l, err := NewLiveNodes()
	if err != nil {
		t.Fatal(err)
	}
	expect := func(n int, want string) {
		t.Helper()
		list, err := l.Current()
		if list.Len() != n || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d nodes, %v; want %d, %q", list.Len(), err, n, want)
		}
	}
	expect(0, "no nodes")
	l.Failed(nil)
	expect(0, "no nodes")
	a, b := Node{Name: "a", Address: "a:22"}, Node{Name: "b", Address: "b:22"}
	if err := l.Update(a, b); err != nil {
		t.Error(err)
	}
	expect(2, "")
	// Neither an empty list nor a broken one takes the place of a good one.
	if err := l.Update(); !errors.Is(err, ErrNoNodes) {
		t.Errorf("%v", err)
	}
	expect(2, "not refreshed: sshtunnel: no nodes")
	if err := l.Update(a, Node{Name: "c"}); err == nil {
		t.Error("no error for a node without an address")
	}
	expect(2, `node 1, "c": Address`)
	l.Failed(errors.New("apiserver is away"))
	expect(2, "not refreshed: apiserver is away")
	l.Failed(nil)
	expect(2, "")
	if err := l.Update(a); err != nil {
		t.Error(err)
	}
	expect(1, "")
}

func TestNewLiveNodesChecks(t *testing.T) {
	if l, err := NewLiveNodes(Node{Name: "a"}); l != nil || err == nil {
		t.Errorf("%v, %v", l, err)
	}
	l, err := NewLiveNodes(Node{Name: "a", Address: "a:22"})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := l.Current(); list.Len() != 1 || err != nil {
		t.Errorf("%d nodes, %v", list.Len(), err)
	}
}
