package konnectivity

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
)

// userPeer returns a peer that has shown a token of that user and no certificate.
func userPeer(name string, groups ...string) Peer {
	return Peer{TLS: tls.ConnectionState{HandshakeComplete: true}, User: &User{Name: name, Groups: groups}}
}

func TestIdentityOfUsers(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	cert := identityPeer(t, ca, testpki.Leaf{CommonName: "node:a", Groups: []string{"nodes"}, Names: []string{"a.example"}})
	both := func(u Peer) Peer {
		p := cert
		p.User = u.User
		return p
	}
	ids := []string{"{name}"}
	exact := IdentityRule{User: "agent", AgentIDs: []string{"*"}, SANs: true}
	prefix := IdentityRule{User: "sa:*", UserGroup: "g", AgentIDs: ids, Hosts: ids}
	group := IdentityRule{UserGroup: "g", AgentIDs: []string{"*"}}
	mixed := IdentityRule{Group: "nodes", User: "sa:*", AgentIDs: ids, SANs: true}
	twice := IdentityRule{CommonName: "node:*", User: "sa:*", AgentIDs: ids}
	for name, c := range map[string]struct {
		rule    IdentityRule
		peer    Peer
		agentID string
		query   string
		want    string
	}{
		"exact":                      {exact, userPeer("agent"), "x", "", ""},
		"exact, another":             {exact, userPeer("agents"), "x", "", "no rule is for it"},
		"exact, as a group":          {exact, userPeer("x", "agent"), "x", "", "no rule is for it"},
		"exact, nobody":              {exact, cert, "x", "", "no rule is for it"},
		"SANs without a certificate": {exact, userPeer("agent"), "x", "host=a.example", "may not claim the host"},
		"SANs of the certificate":    {exact, both(userPeer("agent")), "x", "host=a.example", ""},
		"prefix":                     {prefix, userPeer("sa:a", "f", "g"), "a", "host=a", ""},
		"prefix, another's id":       {prefix, userPeer("sa:a", "g"), "b", "", `the agent id "b"`},
		"prefix, another's host":     {prefix, userPeer("sa:a", "g"), "a", "host=b", `the host "b"`},
		"prefix, nothing behind it":  {prefix, userPeer("sa:", "g"), "a", "", "no rule is for it"},
		"prefix, not of the group":   {prefix, userPeer("sa:a", "h"), "a", "", "no rule is for it"},
		"a star in the name":         {prefix, userPeer("sa:*", "g"), "b", "", `the agent id "b"`},
		"group":                      {group, userPeer("anybody", "g"), "b", "", ""},
		"group, none":                {group, userPeer("anybody"), "b", "", "no rule is for it"},
		"group of the certificate":   {IdentityRule{UserGroup: "nodes", AgentIDs: []string{"*"}}, cert, "a", "", "no rule is for it"},
		"both":                       {mixed, both(userPeer("sa:b")), "b", "host=a.example", ""},
		"both, the user alone":       {mixed, userPeer("sa:b"), "b", "", "no rule is for it"},
		"both, certificate alone":    {mixed, cert, "b", "", "no rule is for it"},
		"two names that agree":       {twice, both(userPeer("sa:a")), "a", "", ""},
		"two names that differ":      {twice, both(userPeer("sa:b")), "a", "", "no rule is for it"},
		"a rule for certificates":    {IdentityRule{Group: "nodes", AgentIDs: []string{"*"}}, userPeer("x", "nodes"), "a", "", "no rule is for it"},
		"the same, beside a user":    {IdentityRule{Group: "nodes", AgentIDs: []string{"*"}}, both(userPeer("x")), "a", "", ""},
		"nodes":                      {NodeRule(), userPeer("system:node:a", "system:nodes"), "a", "", "no rule is for it"},
	} {
		t.Run(name, func(t *testing.T) {
			checkClaim(t, mustIdentity(t, c.rule), c.peer, c.agentID, c.query, c.want)
		})
	}
}

// A certificate that came along must be good, whatever the token allows.
func TestIdentityBadCertificateBesideUser(t *testing.T) {
	id := mustIdentity(t, IdentityRule{User: "agent", AgentIDs: []string{"*"}})
	p := userPeer("agent")
	p.TLS.HandshakeComplete = false
	if err := id.Authorize(t.Context(), p, Claim{AgentID: "a"}); !errors.Is(err, dialer.ErrDenied) {
		t.Errorf("unfinished handshake: %v", err)
	}
	cn := func(v string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: oidCommonName(), Value: v}
	}
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "b", Names: []pkix.AttributeTypeAndValue{cn("a"), cn("b")}}}
	p = userPeer("agent")
	p.TLS.VerifiedChains = [][]*x509.Certificate{{leaf}}
	if err := id.Authorize(t.Context(), p, Claim{AgentID: "a"}); !errors.Is(err, dialer.ErrDenied) || !strings.Contains(err.Error(), "2 common names") {
		t.Errorf("two common names: %v", err)
	}
	err := id.Authorize(t.Context(), Peer{TLS: tls.ConnectionState{HandshakeComplete: true}}, Claim{AgentID: "a"})
	if !errors.Is(err, dialer.ErrDenied) || !strings.Contains(err.Error(), "no verified client certificate") {
		t.Errorf("neither: %v", err)
	}
}

func TestUserRuleErrors(t *testing.T) {
	for _, c := range []struct {
		rule IdentityRule
		want string
	}{
		{IdentityRule{User: "a*b", AgentIDs: []string{"x"}}, `User: "a*b": '*' may only be its last`},
		{IdentityRule{User: "{name}", AgentIDs: []string{"x"}}, `User: "{name}"`},
		{IdentityRule{User: "a", AgentIDs: []string{"{name}"}}, "{name} has no value"},
		{IdentityRule{User: "a"}, "AgentIDs: none"},
		{IdentityRule{AgentIDs: []string{"x"}}, "none of CommonName, Group, URI, User and UserGroup"},
	} {
		if _, err := NewIdentity(c.rule); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.rule, err, c.want)
		}
	}
}
