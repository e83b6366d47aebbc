package konnectivity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
)

// identityPeer returns a peer that showed a certificate for l, verified as a
// server would.
func identityPeer(t *testing.T, ca *testpki.CA, l testpki.Leaf) Peer {
	t.Helper()
	leaf, err := x509.ParseCertificate(ca.MustPair(t, l).Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		t.Fatal(err)
	}
	return Peer{
		RemoteAddr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1},
		TLS:        tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: chains},
	}
}

func mustIdentity(t *testing.T, rules ...IdentityRule) Identity {
	t.Helper()
	id, err := NewIdentity(rules...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// checkClaim authorizes agent id with the identifiers of query. An empty want
// means that it is admitted.
func checkClaim(t *testing.T, id Identity, p Peer, agentID, query, want string) {
	t.Helper()
	ids, err := parseIdentifiersLenient(query)
	if err != nil {
		t.Fatal(err)
	}
	err = id.Authorize(t.Context(), p, Claim{AgentID: agentID, Identifiers: ids})
	switch {
	case want == "" && err != nil:
		t.Errorf("%q claiming %q: %v, want it admitted", agentID, query, err)
	case want != "" && (!errors.Is(err, dialer.ErrDenied) || dialer.KindOf(err) != dialer.Denied || !strings.Contains(err.Error(), want)):
		t.Errorf("%q claiming %q: %v, want a denial with %q", agentID, query, err, want)
	}
}

func TestNodeIdentity(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	id := NodeIdentity()
	node1 := identityPeer(t, ca, testpki.Leaf{
		CommonName: "system:node:node-1", Groups: []string{"other", "system:nodes"},
		Names: []string{"node-1.example", "*.wild.example", "10.0.0.1", "2001:db8::1"},
	})
	for _, tt := range []struct{ agentID, query, want string }{
		{"node-1", "", ""},
		{"node-1", "host=node-1&host=NODE-1.example.&ipv4=10.0.0.1&ipv6=2001:db8::1&ipv4=::ffff:10.0.0.1", ""},
		{"node-2", "", `the agent id "node-2"`},
		{"node-10", "", `the agent id "node-10"`},
		{"Node-1", "", `the agent id "Node-1"`},
		{"node-1", "host=node-2", `the host "node-2"`},
		{"node-1", "host=node-1&host=node-2", `the host "node-2"`},
		{"node-1", "host=a.node-1", `the host "a.node-1"`},
		{"node-1", "host=node-2.example", `the host "node-2.example"`},
		{"node-1", "host=a.wild.example", `the host "a.wild.example"`},
		{"node-1", "host=node-1&ipv4=10.0.0.2", "the address 10.0.0.2"},
		{"node-1", "ipv6=2001:db8::2", "the address 2001:db8::2"},
		{"node-1", "host=10.0.0.2", "the address 10.0.0.2"},
		{"node-1", "cidr=10.0.0.1/32", "the network 10.0.0.1/32"},
		{"node-1", "cidr=0.0.0.0/0", "the network 0.0.0.0/0"},
		{"node-1", "host=node-1&default-route=true", "the default route"},
		{"node-1", "host=node-2", "CN=system:node:node-1"},
	} {
		checkClaim(t, id, node1, tt.agentID, tt.query, tt.want)
	}
	address := identityPeer(t, ca, testpki.Leaf{CommonName: "system:node:10.0.0.9", Groups: []string{"system:nodes"}})
	checkClaim(t, id, address, "10.0.0.9", "host=10.0.0.9", "")
	checkClaim(t, id, address, "10.0.0.9", "host=10.0.0.8", "the address 10.0.0.8")
	for name, l := range map[string]testpki.Leaf{
		"no group":       {CommonName: "system:node:node-1"},
		"another group":  {CommonName: "system:node:node-1", Groups: []string{"system:nodes2"}},
		"no node":        {CommonName: "node-1", Groups: []string{"system:nodes"}},
		"nameless node":  {CommonName: "system:node:", Groups: []string{"system:nodes"}},
		"another prefix": {CommonName: "xsystem:node:node-1", Groups: []string{"system:nodes"}},
	} {
		t.Run(name, func(t *testing.T) { checkClaim(t, id, identityPeer(t, ca, l), "node-1", "", "no rule is for it") })
	}
}

// A name out of a certificate is text, whatever it looks like.
func TestIdentityNameIsNoPattern(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	id := mustIdentity(t, IdentityRule{CommonName: "agent:*", AgentIDs: []string{"{name}"}, Hosts: []string{"{name}", "*.{name}"}})
	for _, name := range []string{"*", "*.example", "{name}", "example*"} {
		p := identityPeer(t, ca, testpki.Leaf{CommonName: "agent:" + name})
		checkClaim(t, id, p, "other", "", "the agent id")
		checkClaim(t, id, p, name, "", "")
		checkClaim(t, id, p, name, "host=a.example", "the host")
		checkClaim(t, id, p, name, "host=example", "the host")
	}
	p := identityPeer(t, ca, testpki.Leaf{CommonName: "agent:Example"})
	checkClaim(t, id, p, "Example", "host=example&host=a.example", "")
	checkClaim(t, id, p, "Example", "host=aexample", "the host")
	below := mustIdentity(t, IdentityRule{CommonName: "agent:*", AgentIDs: []string{"{name}"}, Hosts: []string{"*.{name}"}})
	p = identityPeer(t, ca, testpki.Leaf{CommonName: "agent:10.0.0.1"})
	checkClaim(t, below, p, "10.0.0.1", "host=10.0.0.1", "the address 10.0.0.1")
}

func TestIdentityRules(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	id := mustIdentity(t,
		IdentityRule{
			CommonName: "edge-*", Group: "edges", AgentIDs: []string{"{name}", "spare-{name}-*"},
			Hosts: []string{"gw.{name}.example", "*.{name}.internal"}, CIDRs: []string{"10.1.0.0/16", "2001:db8::/32"},
		},
		IdentityRule{URI: "spiffe://example.org/router", AgentIDs: []string{"*"}, Hosts: []string{"*"}, CIDRs: []string{"0.0.0.0/0"}, DefaultRoute: true},
		IdentityRule{CommonName: "edge-7", AgentIDs: []string{"7"}, Hosts: []string{"seven.example"}},
	)
	edge := identityPeer(t, ca, testpki.Leaf{CommonName: "edge-7", Groups: []string{"edges"}, Names: []string{"san.example", "10.9.0.1"}})
	router := identityPeer(t, ca, testpki.Leaf{Names: []string{"spiffe://example.org/router"}})
	for _, tt := range []struct {
		p                    Peer
		agentID, query, want string
	}{
		{edge, "7", "host=gw.7.example&host=a.b.7.internal&ipv4=10.1.2.3&cidr=10.1.0.0/16&cidr=10.1.2.0/24&ipv6=2001:db8::1", ""},
		{edge, "spare-7-a", "", ""},
		{edge, "spare-7-", "", "the agent id"},
		{edge, "8", "", "the agent id"},
		{edge, "7", "host=gw.8.example", "the host"},
		{edge, "7", "host=7.internal", "the host"},
		{edge, "7", "cidr=10.0.0.0/8", "the network 10.0.0.0/8"},
		{edge, "7", "cidr=10.1.0.0/15", "the network 10.0.0.0/15"},
		{edge, "7", "cidr=10.2.0.0/16", "the network 10.2.0.0/16"},
		{edge, "7", "cidr=2001:db8::/31", "the network 2001:db8::/31"},
		{edge, "7", "ipv4=10.2.0.1", "the address 10.2.0.1"},
		{edge, "7", "cidr=::ffff:10.0.0.0/104", "the network 10.0.0.0/8"},
		{edge, "7", "default-route=true", "the default route"},
		{edge, "7", "host=san.example", "the host"},                 // the rule does not say SANs
		{edge, "7", "ipv4=10.9.0.1", "10.9.0.1"},                    // nor for addresses
		{edge, "7", "host=seven.example", ""},                       // the last rule allows it
		{edge, "7", "host=seven.example&ipv4=10.1.2.3", "the host"}, // halves do not add up
		{router, "any", "host=any.where&cidr=0.0.0.0/0&ipv4=127.0.0.1&default-route=true", ""},
		{router, "any", "cidr=::/0", "the network ::/0"},
	} {
		checkClaim(t, id, tt.p, tt.agentID, tt.query, tt.want)
	}
	for name, l := range map[string]testpki.Leaf{
		"one URI of two":   {Names: []string{"spiffe://example.org/router", "spiffe://example.org/other"}},
		"below the URI":    {Names: []string{"spiffe://example.org/router/x"}},
		"URI as the name":  {CommonName: "spiffe://example.org/router"},
		"edge, no group":   {CommonName: "edge-8"},
		"edge, wrong case": {CommonName: "EDGE-8", Groups: []string{"edges"}},
		"nothing":          {},
	} {
		t.Run(name, func(t *testing.T) { checkClaim(t, id, identityPeer(t, ca, l), "8", "", "no rule is for it") })
	}
	sans := mustIdentity(t, IdentityRule{Group: "edges", AgentIDs: []string{"7"}, SANs: true})
	checkClaim(t, sans, edge, "7", "host=san.example&ipv4=10.9.0.1", "")
	checkClaim(t, sans, edge, "7", "host=edge-7", "the host")
	checkClaim(t, sans, router, "7", "", "spiffe://example.org/router")
}

// Only what the handshake verified counts, and of that only the leaf.
func TestIdentityNeedsVerifiedLeaf(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	node := identityPeer(t, ca, testpki.Leaf{CommonName: "system:node:node-1", Groups: []string{"system:nodes"}})
	other := identityPeer(t, ca, testpki.Leaf{CommonName: "someone"})
	unfinished, unverified, nested := node, node, other
	unfinished.TLS.HandshakeComplete = false
	unverified.TLS.VerifiedChains = nil
	// A node's certificate further up the chain says nothing about this peer.
	nested.TLS.VerifiedChains = [][]*x509.Certificate{
		{other.TLS.PeerCertificates[0], node.TLS.PeerCertificates[0]},
		{node.TLS.PeerCertificates[0]},
	}
	empty := node
	empty.TLS.VerifiedChains = [][]*x509.Certificate{{}}
	for name, tt := range map[string]struct {
		p    Peer
		want string
	}{
		"verified":   {node, ""},
		"no TLS":     {Peer{}, "no finished TLS handshake"},
		"unfinished": {unfinished, "no finished TLS handshake"},
		"unverified": {unverified, "no verified client certificate"},
		"empty":      {empty, "no verified client certificate"},
		"nested":     {nested, "no rule is for it"},
	} {
		t.Run(name, func(t *testing.T) { checkClaim(t, NodeIdentity(), tt.p, "node-1", "host=node-1", tt.want) })
	}
}

func TestIdentityMalformedClaims(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	id := mustIdentity(t, IdentityRule{CommonName: "agent", AgentIDs: []string{"*"}, Hosts: []string{"*"}})
	p := identityPeer(t, ca, testpki.Leaf{CommonName: "agent"})
	checkClaim(t, id, p, strings.Repeat("a", 253), "host=x", "")
	for _, bad := range []string{"", strings.Repeat("a", 254), "a\x00", "a\nb", "a b", "a\x7f", "ä", "\xff"} {
		checkClaim(t, id, p, bad, "", "agent id")
		checkClaim(t, id, p, bad, "", "CN=agent")
	}
	err := id.Authorize(t.Context(), p, Claim{AgentID: "a", Identifiers: Identifiers{Hosts: []string{"*.example"}}})
	if !errors.Is(err, dialer.ErrDenied) || !strings.Contains(err.Error(), "*.example") {
		t.Errorf("claim of a pattern: %v, want a denial", err)
	}
	id = mustIdentity(t, IdentityRule{CommonName: "agent", AgentIDs: []string{"a"}, Hosts: []string{"node-1"}})
	err = id.Authorize(t.Context(), p, Claim{AgentID: "a", Identifiers: Identifiers{Hosts: []string{"Node-1."}}})
	if err != nil {
		t.Errorf("claim that is not canonical: %v, want it admitted", err)
	}
}

func TestIdentityFunc(t *testing.T) {
	if err := IdentityFunc(nil).Authorize(t.Context(), Peer{}, Claim{}); !errors.Is(err, dialer.ErrDenied) {
		t.Errorf("a nil IdentityFunc says %v, want a denial", err)
	}
	said := errors.New("said")
	f := IdentityFunc(func(_ context.Context, _ Peer, c Claim) error {
		if c.AgentID == "a" {
			return nil
		}
		return said
	})
	if err := f.Authorize(t.Context(), Peer{}, Claim{AgentID: "a"}); err != nil {
		t.Error(err)
	}
	if err := f.Authorize(t.Context(), Peer{}, Claim{AgentID: "b"}); !errors.Is(err, said) {
		t.Errorf("error %v, want the function's", err)
	}
}

func TestNewIdentityErrors(t *testing.T) {
	if _, err := NewIdentity(); err == nil || !strings.Contains(err.Error(), "say who may claim what") {
		t.Errorf("NewIdentity() = %v, want an error", err)
	}
	ids := []string{"a"}
	for _, tt := range []struct {
		rule IdentityRule
		want string
	}{
		{IdentityRule{AgentIDs: ids}, "whose certificates"},
		{IdentityRule{CommonName: "a"}, "AgentIDs: none"},
		{IdentityRule{CommonName: "a*b", AgentIDs: ids}, `CommonName: "a*b": '*' may only`},
		{IdentityRule{CommonName: "a**", AgentIDs: ids}, "'*' may only"},
		{IdentityRule{CommonName: "{name}", AgentIDs: ids}, "AgentIDs and Hosts"},
		{IdentityRule{URI: "router", AgentIDs: ids}, "such as spiffe://example.org/agent"},
		{IdentityRule{URI: "SPIFFE://example.org/agent", AgentIDs: ids}, "say spiffe://example.org/agent"},
		{IdentityRule{Group: "g", AgentIDs: []string{"{name}"}}, `AgentIDs: "{name}": {name} has no value`},
		{IdentityRule{CommonName: "a", AgentIDs: []string{"{name}"}}, "{name} has no value"},
		{IdentityRule{CommonName: "a*", AgentIDs: []string{"{Name}"}}, "unknown placeholder"},
		{IdentityRule{CommonName: "a*", AgentIDs: []string{"{na{name}me}"}}, "unknown placeholder"},
		{IdentityRule{CommonName: "a", AgentIDs: []string{""}}, "every agent has an id"},
		{IdentityRule{CommonName: "a", AgentIDs: []string{"a b"}}, "visible ASCII"},
		{IdentityRule{CommonName: "a", AgentIDs: []string{"*a"}}, "'*' may only"},
		{IdentityRule{CommonName: "a", AgentIDs: ids, Hosts: []string{"{name}"}}, `Hosts: "{name}": {name} has no value`},
		{IdentityRule{CommonName: "a", AgentIDs: ids, Hosts: []string{"a*"}}, "*.example"},
		{IdentityRule{CommonName: "a", AgentIDs: ids, Hosts: []string{"10.0.0.1"}}, "put it into CIDRs"},
		{IdentityRule{CommonName: "a", AgentIDs: ids, CIDRs: []string{"10.0.0.1/8"}}, `CIDRs: "10.0.0.1/8"`},
		{IdentityRule{CommonName: "a", AgentIDs: ids, CIDRs: []string{"::ffff:10.0.0.0/104"}}, "IPv4-mapped"},
	} {
		_, err := NewIdentity(IdentityRule{CommonName: "good", AgentIDs: ids}, tt.rule)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "identity rule 1") {
			t.Errorf("%+v: error %v, want one with %q", tt.rule, err, tt.want)
		}
	}
}

// A rule's URI is compared as crypto/x509 writes it, so that form must be the
// one that is accepted.
func TestIdentityURIForm(t *testing.T) {
	u, err := url.Parse("spiffe://example.org/a%20b")
	if err != nil || checkURI(u.String()) != nil {
		t.Errorf("%v: %v, %v", u, err, checkURI(u.String()))
	}
}
