package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/cmd/internal/flagtest"
	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/konnectivity"
)

// peer is an agent with a verified certificate of the given name and group.
func peer(t *testing.T, name, group string) konnectivity.Peer {
	t.Helper()
	pair := testpki.MustCA(t, "ca").MustPair(t, testpki.Leaf{CommonName: name, Groups: []string{group}})
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return konnectivity.Peer{TLS: tls.ConnectionState{HandshakeComplete: true, VerifiedChains: [][]*x509.Certificate{{leaf}}}}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestIdentity(t *testing.T) {
	rules := write(t, `
- commonName: gateway-*
  group: gateways
  agentIDs: ["gateway-{name}"]
  cidrs: [10.244.0.0/16]
  defaultRoute: true
- commonName: edge
  agentIDs: [edge]
  hosts: ["*.example"]
`)
	node := peer(t, "system:node:node-1", "system:nodes")
	for name, c := range map[string]struct {
		options Options
		peer    konnectivity.Peer
		claim   konnectivity.Claim
		denied  bool
	}{
		"any, as itself":          {Options{AgentIdentity: identityAny}, node, konnectivity.Claim{AgentID: "node-1"}, false},
		"any, as another":         {Options{AgentIdentity: identityAny}, node, konnectivity.Claim{AgentID: "node-2"}, false},
		"any, no certificate":     {Options{AgentIdentity: identityAny}, konnectivity.Peer{}, konnectivity.Claim{AgentID: "node-2"}, true},
		"default, as another":     {Options{}, node, konnectivity.Claim{AgentID: "node-2"}, false},
		"default, no certificate": {Options{}, konnectivity.Peer{}, konnectivity.Claim{AgentID: "node-2"}, true},
		"node, as itself":         {Options{AgentIdentity: identityNode}, node, konnectivity.Claim{AgentID: "node-1"}, false},
		"node, as another":        {Options{AgentIdentity: identityNode}, node, konnectivity.Claim{AgentID: "node-2"}, true},
		"rules, of nobody":        {Options{IdentityRules: rules}, node, konnectivity.Claim{AgentID: "node-1"}, true},
		"rules, the first": {
			Options{IdentityRules: rules}, peer(t, "gateway-7", "gateways"),
			konnectivity.Claim{AgentID: "gateway-7", Identifiers: konnectivity.Identifiers{DefaultRoute: true}}, false,
		},
		"rules, another group": {Options{IdentityRules: rules}, peer(t, "gateway-7", "others"), konnectivity.Claim{AgentID: "gateway-7"}, true},
		"rules, the second": {
			Options{IdentityRules: rules}, peer(t, "edge", ""),
			konnectivity.Claim{AgentID: "edge", Identifiers: konnectivity.Identifiers{Hosts: []string{"a.example"}}}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			log, out := logged()
			id, err := c.options.identity(log)
			if err != nil {
				t.Fatal(err)
			}
			if err := id.Authorize(t.Context(), c.peer, c.claim); errors.Is(err, dialer.ErrDenied) != c.denied || (err != nil) != c.denied {
				t.Errorf("denied %v: %v, want %v", err != nil, err, c.denied)
			}
			open := c.options.AgentIdentity == "" && c.options.IdentityRules == ""
			if warned := strings.Contains(out.String(), "level=WARN"); warned != open {
				t.Errorf("warned %v, want %v: %s", warned, open, out)
			}
		})
	}
}

// Claims that are bound to certificates limit nothing where any agent is picked.
func TestAnyAgentIsPicked(t *testing.T) {
	rules := write(t, "- commonName: a\n  agentIDs: [a]\n")
	for _, c := range []struct {
		args   []string
		warned bool
	}{
		{[]string{"--agent-identity=node"}, true},
		{[]string{"--agent-identity-rules=" + rules}, true},
		{[]string{"--agent-identity=node", "--proxy-strategies=destHost,default"}, true},
		{[]string{"--agent-identity=node", "--proxy-strategies=destHost,cidr,defaultRoute"}, false},
		{[]string{"--agent-identity=any"}, false},
		{nil, false}, // that anything may be claimed is another warning
	} {
		o := NewOptions()
		flagtest.Parse(t, o.Flags(), c.args...)
		strategies, err := o.strategies()
		if err != nil {
			t.Fatal(err)
		}
		log, out := logged()
		o.warnOfAnyAgent(strategies, log)
		warned := strings.Contains(out.String(), "level=WARN") && strings.Contains(out.String(), "destHost,cidr,defaultRoute")
		if warned != c.warned {
			t.Errorf("%q: warned %v, want %v: %s", c.args, warned, c.warned, out)
		}
	}
	for _, flag := range []string{"agent-identity", "agent-identity-rules", "proxy-strategies"} {
		if usage := newFlags().Lookup(flag).Usage; !strings.Contains(usage, "default") || !strings.Contains(usage, "--") {
			t.Errorf("--%s does not say what the strategy default does: %s", flag, usage)
		}
	}
}

func TestIdentityRulesThatAreWrong(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":           {"", "empty"},
		"no rules":        {"[]", "without rules"},
		"no list":         {"commonName: a", "line 1: a map; want a list"},
		"misspelled":      {"- comonName: a\n  agentIDs: [a]", `unknown key "comonName"; want commonName, group, uri, agentIDs, hosts, cidrs, sans, defaultRoute`},
		"network alone":   {"- commonName: a\n  agentIDs: [a]\n  cidrs: 10.0.0.0/8", "line 3: a str; want a list of texts"},
		"twice":           {"- commonName: a\n  commonName: b\n  agentIDs: [a]", "already defined"},
		"second document": {"- commonName: a\n  agentIDs: [a]\n---\n- commonName: b", "more than one document"},
		"bad network":     {"- commonName: a\n  agentIDs: [a]\n  cidrs: [10.0.0.1/8]", "10.0.0.1/8"},
		"nobody":          {"- agentIDs: [a]", "CommonName"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.text)
			log, _ := logged()
			_, err := (&Options{IdentityRules: path}).identity(log)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--agent-identity-rules") || !strings.Contains(err.Error(), path) {
				t.Errorf("%v; want an error with the flag, %s and %q", err, path, c.want)
			}
		})
	}
}
