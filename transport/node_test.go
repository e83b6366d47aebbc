package transport_test

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// node is the certificate of a kubelet, valid for names.
func node(name string, names ...string) testpki.Leaf {
	return testpki.Leaf{CommonName: "system:node:" + name, Groups: []string{"system:nodes"}, Names: names}
}

func TestNodeIdentity(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	without := func(l testpki.Leaf, groups ...string) testpki.Leaf { l.Groups = groups; return l }
	byAddress := func(host string) string { return map[string]string{"10.0.0.5": "node-1"}[host] }
	for _, tc := range []struct {
		name   string
		leaf   testpki.Leaf
		dial   string
		lookup func(string) string
		ok     bool
	}{
		{"right", node("node-1", "node-1"), "node-1:1", transport.HostAsNode, true},
		{"right, in other letters", node("node-1", "node-1"), "NODE-1.:1", transport.HostAsNode, true},
		{"right among groups", without(node("node-1", "node-1"), "a", "system:nodes"), "node-1:1", transport.HostAsNode, true},
		{"right by address", node("node-1", "10.0.0.5"), "10.0.0.5:1", byAddress, true},
		{"other node with the name in its certificate", node("node-2", "node-1"), "node-1:1", transport.HostAsNode, false},
		{"other node with the address in its certificate", node("node-2", "10.0.0.5"), "10.0.0.5:1", byAddress, false},
		{"missing group", without(node("node-1", "node-1")), "node-1:1", transport.HostAsNode, false},
		{"similar group", without(node("node-1", "node-1"), "system:nodes2"), "node-1:1", transport.HostAsNode, false},
		{"name alone", testpki.Leaf{CommonName: "node-1", Groups: []string{"system:nodes"}, Names: []string{"node-1"}}, "node-1:1", transport.HostAsNode, false},
		{"longer name", node("node-11", "node-1"), "node-1:1", transport.HostAsNode, false},
		{"unknown host", node("", "10.0.0.6"), "10.0.0.6:1", byAddress, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := echoServer(t, &tls.Config{Certificates: []tls.Certificate{ca.MustPair(t, tc.leaf)}})
			d := mustDialer(t, transport.Config{
				Roots: transport.StaticRoots(ca.Pool()), Address: toAddress(addr), NodeName: tc.lookup,
			})
			if tc.ok {
				dialEcho(t, d, tc.dial)
				return
			}
			err := refused(t, d, tc.dial, dialer.HopTLS)
			ne, ok := errors.AsType[*transport.NodeError](err)
			if !ok || !errors.Is(err, dialer.ErrDenied) || ne.CommonName != tc.leaf.CommonName {
				t.Fatalf("got %v, want a NodeError that found %q", err, tc.leaf.CommonName)
			}
			if ne.Node != "" && !strings.Contains(err.Error(), `expected "system:node:`+ne.Node+`"`) {
				t.Errorf("the error does not say what was expected: %v", err)
			}
		})
	}
}

// TestNodeIdentityIsTheLeafs tries peers whose certificate is another node's,
// and that hold the right subject somewhere else.
func TestNodeIdentityIsTheLeafs(t *testing.T) {
	subject := func(name string) pkix.Name {
		return pkix.Name{CommonName: "system:node:" + name, Organization: []string{"system:nodes"}}
	}
	root := sign(t, nil, pkix.Name{CommonName: "root"}, true)
	right := sign(t, root, subject("node-1"), false, "node-1")
	intermediate := sign(t, root, subject("node-1"), true)

	alongside := sign(t, root, subject("node-2"), false, "node-1")
	alongside.chain = append(alongside.chain, right.chain...)

	two := pkix.Name{
		Organization: []string{"system:nodes"},
		ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "system:node:node-2"},
			{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "system:node:node-1"},
		},
	}
	for name, tc := range map[string]struct {
		server *signed
		ok     bool
	}{
		"right":                    {right, true},
		"right under intermediate": {sign(t, intermediate, subject("node-1"), false, "node-1"), true},
		"right one alongside":      {alongside, false},
		"right one above":          {sign(t, intermediate, subject("node-2"), false, "node-1"), false},
		"two common names":         {sign(t, root, two, false, "node-1"), false},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustDialer(t, transport.Config{
				Roots:    transport.StaticRoots(root.pool()),
				Address:  toAddress(echoServer(t, tc.server.server())),
				NodeName: transport.HostAsNode,
			})
			if tc.ok {
				dialEcho(t, d, "node-1:10250")
				return
			}
			if err := refused(t, d, "node-1:10250", dialer.HopTLS); !errors.Is(err, dialer.ErrDenied) {
				t.Errorf("got %v, want a denial", err)
			}
		})
	}
}
