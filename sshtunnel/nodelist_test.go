package sshtunnel

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func cidrs(t testing.TB, texts ...string) (all []netip.Prefix) {
	t.Helper()
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestNodeListLookup(t *testing.T) {
	l, err := NewNodeList(
		Node{Name: "a", Address: "192.0.2.1:22", Hosts: []string{"A.example.", "10.0.0.1", "2001:db8::1"}, CIDRs: cidrs(t, "10.244.0.0/16", "fd00:1::/32")},
		Node{Name: "b", Address: "[2001:db8::2]:22", Hosts: []string{"b_1.example", "10.244.0.9"}, CIDRs: cidrs(t, "10.244.1.0/24", "fd00:1:2::/48")},
		Node{Name: "c", Address: "c.example:22"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"a.example":          "a", // in any case, with and without a dot
		"A.EXAMPLE.":         "a",
		"10.0.0.1":           "a",
		"::ffff:10.0.0.1":    "a",
		"2001:db8::1":        "a",
		"2001:0db8:0:0::1":   "a",
		"10.244.7.7":         "a", // the network
		"10.244.1.7":         "b", // a longer prefix within it
		"10.244.0.9":         "b", // a host within another's network
		"fd00:1::5":          "a",
		"fd00:1:2::5":        "b",
		"b_1.example":        "b",
		"":                   "",
		"c.example":          "", // the server's address is no destination
		"x.a.example":        "",
		"example":            "",
		"10.0.0.2":           "",
		"10.244.1.7%eth0":    "",
		"fd00:1::5%eth0":     "",
		"010.0.0.1":          "", // another spelling, which some read as 8.0.0.1
		"10.244.257":         "", // and this as 10.244.1.1
		"0xaf40107":          "",
		"[2001:db8::1]":      "",
		"2001:db8::1:22:::":  "",
		"a.example:22":       "",
		"\u212a.example":     "", // the Kelvin sign is no k
		"https://a.example/": "",
	} {
		n, ok := l.Lookup(host)
		if n.Name != want || ok != (want != "") {
			t.Errorf("%q lives on %q, %v; want %q", host, n.Name, ok, want)
		}
	}
	if l.Len() != 3 {
		t.Errorf("%d nodes", l.Len())
	}
}

// What a caller does to its slices afterwards changes nothing, nor what it does to
// those that Lookup returned.
func TestNodeListCopies(t *testing.T) {
	hosts := []string{"a"}
	nodes := []Node{{Name: "a", Address: "a:22", Hosts: hosts}}
	l, err := NewNodeList(nodes...)
	if err != nil {
		t.Fatal(err)
	}
	hosts[0], nodes[0].Name = "b", "b"
	n, ok := l.Lookup("a")
	if !ok || n.Name != "a" || n.Hosts[0] != "a" {
		t.Fatalf("%+v, %v", n, ok)
	}
	n.Hosts[0] = "c"
	if n, _ := l.Lookup("a"); n.Hosts[0] != "a" {
		t.Errorf("%+v", n)
	}
}

func TestNodeListErrors(t *testing.T) {
	good := Node{Name: "a", Address: "192.0.2.1:22", Hosts: []string{"a", "10.0.0.1"}, CIDRs: cidrs(t, "10.1.0.0/16")}
	with := func(change func(*Node)) []Node {
		n := Node{Name: "b", Address: "192.0.2.2:22"}
		change(&n)
		return []Node{good, n}
	}
	for name, c := range map[string]struct {
		nodes []Node
		want  string
	}{
		"no nodes":            {nil, "no nodes"},
		"no name":             {with(func(n *Node) { n.Name = "" }), `node 1, "": Name: empty`},
		"name with a space":   {with(func(n *Node) { n.Name = "b c" }), "Name: want printable ASCII"},
		"long name":           {with(func(n *Node) { n.Name = strings.Repeat("n", 254) }), "254 bytes long; at most 253"},
		"name twice":          {with(func(n *Node) { n.Name = "a" }), `Name: node "a" has it, too`},
		"no address":          {with(func(n *Node) { n.Address = "" }), `node 1, "b": Address ""`},
		"address, no port":    {with(func(n *Node) { n.Address = "192.0.2.2" }), `Address "192.0.2.2"`},
		"host twice":          {with(func(n *Node) { n.Hosts = []string{"x", "A."} }), `Hosts[1] "A.": node "a" has it, too`},
		"address twice":       {with(func(n *Node) { n.Hosts = []string{"::ffff:10.0.0.1"} }), `node "a" has it, too`},
		"host with port":      {with(func(n *Node) { n.Hosts = []string{"b:22"} }), `Hosts[0] "b:22"`},
		"empty host":          {with(func(n *Node) { n.Hosts = []string{""} }), "empty"},
		"host with a slash":   {with(func(n *Node) { n.Hosts = []string{"b/c"} }), "'/' in it"},
		"wildcard":            {with(func(n *Node) { n.Hosts = []string{"*.b"} }), "'*' in it"},
		"two dots":            {with(func(n *Node) { n.Hosts = []string{"b..c"} }), "between dots"},
		"long host":           {with(func(n *Node) { n.Hosts = []string{strings.Repeat("b.", 127) + "b"} }), "255 bytes long"},
		"network twice":       {with(func(n *Node) { n.CIDRs = cidrs(t, "10.1.0.0/16") }), `CIDRs[0] 10.1.0.0/16: node "a" has it, too`},
		"bits behind":         {with(func(n *Node) { n.CIDRs = cidrs(t, "10.2.0.1/16") }), "want 10.2.0.0/16 for the network or 10.2.0.1/32 for the address"},
		"no network":          {with(func(n *Node) { n.CIDRs = []netip.Prefix{{}} }), "no network"},
		"IPv4-mapped network": {with(func(n *Node) { n.CIDRs = cidrs(t, "::ffff:10.2.0.0/112") }), "want 10.2.0.0/16"},
	} {
		l, err := NewNodeList(c.nodes...)
		if l != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want an error with %q", name, err, c.want)
		}
	}
	if _, err := NewNodeList(); !errors.Is(err, ErrNoNodes) {
		t.Errorf("%v, want ErrNoNodes", err)
	}
}

// All faults are told at once, but not thousands.
func TestNodeListTellsSeveralFaults(t *testing.T) {
	many := make([]Node, 100)
	_, err := NewNodeList(many...)
	if err == nil || strings.Count(err.Error(), "\n") != maxProblems-1 {
		t.Errorf("%v; want %d lines", err, maxProblems)
	}
}
