package konnectivity

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/direct"
)

// A policyCase asks for host, which resolved to addr; an empty addr means that
// host is the literal itself.
type policyCase struct {
	host, addr string
	port       uint16
	want       string // "" for allowed, otherwise a part of the denial
}

func (c policyCase) check(t *testing.T, p *Policy) {
	t.Helper()
	addr := c.addr
	if addr == "" {
		addr = c.host
	}
	err := p.Allow(t.Context(), c.host, netip.AddrPortFrom(netip.MustParseAddr(addr), c.port))
	if c.want == "" {
		if err != nil {
			t.Errorf("Allow(%q, %s, %d) = %v, want nil", c.host, addr, c.port, err)
		}
		return
	}
	if !errors.Is(err, dialer.ErrDenied) || dialer.KindOf(err) != dialer.Denied || !strings.Contains(err.Error(), c.want) {
		t.Errorf("Allow(%q, %s, %d) = %v, want a denial with %q", c.host, addr, c.port, err, c.want)
	}
}

func mustPolicy(t testing.TB, rules ...PolicyRule) *Policy {
	t.Helper()
	p, err := NewPolicy(rules...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPolicyCIDRs(t *testing.T) {
	p := mustPolicy(t,
		PolicyRule{CIDRs: []string{"10.0.0.0/8", "2001:db8::/32"}, Ports: []string{"443", "30000-32767"}},
		PolicyRule{CIDRs: []string{"192.0.2.7/32"}},
	)
	for _, c := range []policyCase{
		{"10.1.2.3", "", 443, ""},
		{"10.0.0.0", "", 443, ""},
		{"10.255.255.255", "", 443, ""},
		{"9.255.255.255", "", 443, "no rule allows it"},
		{"11.0.0.0", "", 443, "no rule allows it"},
		{"2001:db8::1", "", 443, ""},
		{"2001:db9::1", "", 443, "no rule allows it"},
		{"node-1", "10.1.2.3", 443, ""},
		{"node-1", "11.1.2.3", 443, "no rule allows it"},
		{"10.1.2.3", "", 442, "no rule allows it"},
		{"10.1.2.3", "", 444, "no rule allows it"},
		{"10.1.2.3", "", 29999, "no rule allows it"},
		{"10.1.2.3", "", 30000, ""},
		{"10.1.2.3", "", 32767, ""},
		{"10.1.2.3", "", 32768, "no rule allows it"},
		{"10.1.2.3", "", 0, "port 0"},
		{"192.0.2.7", "", 0, "no destination"},
		{"192.0.2.7", "", 1, ""},
		{"192.0.2.7", "", 65535, ""},
		{"192.0.2.6", "", 443, "no rule allows it"},
	} {
		c.check(t, p)
	}
	only := mustPolicy(t, PolicyRule{CIDRs: []string{"10.0.0.0/8"}, Ports: []string{"443"}})
	policyCase{"10.1.2.3", "", 22, "no rule allows port 22"}.check(t, only)
}

func TestPolicyNames(t *testing.T) {
	p := mustPolicy(t,
		PolicyRule{Names: []string{"API.example.", "*.Nodes.example"}, Ports: []string{"443"}},
		PolicyRule{Names: []string{"db.example"}, CIDRs: []string{"10.0.0.0/8"}},
	)
	for _, c := range []policyCase{
		{"api.example", "192.0.2.1", 443, ""},
		{"Api.Example.", "2001:db8::1", 443, ""},
		{"api.example", "192.0.2.1", 80, "no rule allows it"},
		{"xapi.example", "192.0.2.1", 443, "no rule allows it"},
		{"api.example.org", "192.0.2.1", 443, "no rule allows it"},
		{"a.api.example", "192.0.2.1", 443, "no rule allows it"},
		{"a.nodes.example", "192.0.2.1", 443, ""},
		{"b.A.NODES.example", "192.0.2.1", 443, ""},
		{"nodes.example", "192.0.2.1", 443, "no rule allows it"},
		{"xnodes.example", "192.0.2.1", 443, "no rule allows it"},
		{"a.xnodes.example", "192.0.2.1", 443, "no rule allows it"},
		{".nodes.example", "192.0.2.1", 443, "not a host name"},
		{"192.0.2.1", "", 443, "no rule allows it"},
		{"api.example", "127.0.0.1", 443, "loopback"},
		{"api.example", "169.254.169.254", 443, "cloud metadata"},
		{"db.example", "10.0.0.1", 5432, ""},
		{"db.example", "192.0.2.1", 5432, "no rule allows it"},
		{"other.example", "10.0.0.1", 5432, "no rule allows it"},
		{"10.0.0.1", "", 5432, "no rule allows it"},
	} {
		c.check(t, p)
	}
}

// What is neither a name nor an address must not get to a resolver, which would
// make 127.0.0.1 of most of these.
func TestPolicyOddHosts(t *testing.T) {
	p := mustPolicy(t, PolicyRule{CIDRs: []string{"0.0.0.0/0", "::/0", "127.0.0.0/8"}})
	for _, host := range []string{
		"", ".", "..", " ", "a b", "a\x00", "a\n", "a..b", "[::1]", "1.2.3.4:80", "a/b", "a%eth0", "\u212aelvin", "münchen",
		"0177.0.0.1", "2130706433", "127.1", "127.0.0.1.", "0x7f.1", "0x7f000001", "0X7F000001", "127.0.0.01", "0x", "256.256.256.256",
		longName(254), strings.Repeat("a", 64),
	} {
		policyCase{host, "192.0.2.1", 443, "port 443: "}.check(t, p)
		if err := p.AllowName(t.Context(), host, 443); !errors.Is(err, dialer.ErrDenied) {
			t.Errorf("AllowName(%q) = %v, want a denial", host, err)
		}
	}
	for _, host := range []string{"0x7g", "a1", "1a", "1.a", "localhost", "a_b", "192-0-2-1.example"} {
		policyCase{host, "192.0.2.1", 443, ""}.check(t, p)
	}
}

func TestPolicyLiteralMustBeDialedAsAsked(t *testing.T) {
	p := mustPolicy(t, PolicyRule{CIDRs: []string{"10.0.0.0/8", "2001:db8::/32"}})
	for _, c := range []policyCase{
		{"10.0.0.1", "10.0.0.2", 443, "another one"},
		{"10.0.0.1", "::ffff:10.0.0.1", 443, ""},
		{"::ffff:10.0.0.1", "10.0.0.1", 443, "IPv4-mapped"},
		{"2001:DB8:0::1", "2001:db8::1", 443, ""},
		{"fe80::1%eth0", "fe80::1", 443, "zone"},
		{"node-1", "fe80::1%eth0", 443, "zone"},
	} {
		c.check(t, p)
	}
	for _, host := range []string{"10.0.0.1", "node-1"} {
		if err := p.Allow(t.Context(), host, netip.AddrPortFrom(netip.Addr{}, 443)); !errors.Is(err, dialer.ErrDenied) {
			t.Errorf("Allow(%q, no address) = %v, want a denial", host, err)
		}
	}
}

func TestPolicyAllowName(t *testing.T) {
	names := mustPolicy(t, PolicyRule{Names: []string{"*.example"}, Ports: []string{"443"}}, PolicyRule{CIDRs: []string{"127.0.0.1/32"}, Ports: []string{"22"}})
	for _, tt := range []struct {
		host string
		port uint16
		want bool
	}{
		{"a.example", 443, true},
		{"A.EXAMPLE.", 443, true},
		{"a.example", 444, false},
		{"secret.attacker.test", 443, false},
		{"any.test", 22, true}, // it may resolve into the CIDR
		{"a.example", 0, false},
		{"127.0.0.1", 22, true},
		{"127.0.0.1", 443, false},
		{"127.0.0.2", 22, false},
		{"::ffff:127.0.0.1", 22, false},
	} {
		err := names.AllowName(t.Context(), tt.host, tt.port)
		if (err == nil) != tt.want || err != nil && !errors.Is(err, dialer.ErrDenied) {
			t.Errorf("AllowName(%q, %d) = %v, want allowed: %v", tt.host, tt.port, err, tt.want)
		}
	}
}

func TestPolicyDeniesByDefault(t *testing.T) {
	for _, p := range []*Policy{nil, {}} {
		policyCase{"10.0.0.1", "", 443, "port 443: "}.check(t, p)
		if err := p.AllowName(t.Context(), "node-1", 443); !errors.Is(err, dialer.ErrDenied) {
			t.Errorf("AllowName of %v = %v, want a denial", p, err)
		}
	}
	if _, err := NewPolicy(); err == nil || !strings.Contains(err.Error(), "say what is allowed") {
		t.Errorf("NewPolicy() = %v, want an error that asks what is allowed", err)
	}
}

// A denial goes over the tunnel and into logs: it names the destination, and
// does not let it write there what it likes.
func TestPolicyDenialText(t *testing.T) {
	p := mustPolicy(t, PolicyRule{CIDRs: []string{"10.0.0.0/8"}})
	err := p.Allow(t.Context(), "node-1", netip.MustParseAddrPort("192.0.2.1:22"))
	if want := `"node-1" at 192.0.2.1, port 22: no rule allows it`; err == nil || err.Error() != want {
		t.Errorf("denial %q, want %q", err, want)
	}
	err = p.Allow(t.Context(), "127.0.0.1", netip.MustParseAddrPort("127.0.0.1:22"))
	if want := `"127.0.0.1", port 22: 127.0.0.1 is special (loopback): a rule must name it, as in CIDRs "127.0.0.1/32"`; err == nil || err.Error() != want {
		t.Errorf("denial %q, want %q", err, want)
	}
	d := direct.Dialer{Allow: p.Allow}
	if _, err = d.DialContext(t.Context(), "tcp", "127.0.0.1:22"); err == nil || strings.Count(err.Error(), "denied") != 1 {
		t.Errorf("a dial fails with %q, want it to say denied once", err)
	}
	err = p.Allow(t.Context(), "a\nb"+strings.Repeat("x", 1<<16), netip.MustParseAddrPort("192.0.2.1:22"))
	if err == nil || len(err.Error()) > 500 || strings.Contains(err.Error(), "\n") {
		t.Errorf("denial %.600q lets the destination through as it is", err)
	}
}

func TestNewPolicyErrors(t *testing.T) {
	for _, tt := range []struct {
		rule PolicyRule
		want []string
	}{
		{PolicyRule{}, []string{"neither CIDRs nor Names", "give at least one"}},
		{PolicyRule{Ports: []string{"443"}}, []string{"neither CIDRs nor Names"}},
		{PolicyRule{CIDRs: []string{""}}, []string{"CIDRs", `""`, "such as 10.0.0.0/8"}},
		{PolicyRule{CIDRs: []string{"10.0.0.0/8", "10.0.0.5/8"}}, []string{"CIDRs", `"10.0.0.5/8"`, "10.0.0.0/8 or 10.0.0.5/32"}},
		{PolicyRule{CIDRs: []string{"10.0.0.5"}}, []string{"CIDRs", "10.0.0.5/32"}},
		{PolicyRule{CIDRs: []string{"::1"}}, []string{"::1/128"}},
		{PolicyRule{CIDRs: []string{"fe80::1%eth0"}}, []string{"not a network"}},
		{PolicyRule{CIDRs: []string{"fe80::%eth0/64"}}, []string{"not a network"}},
		{PolicyRule{CIDRs: []string{"10.0.0.0/33"}}, []string{"not a network"}},
		{PolicyRule{Names: []string{"*"}}, []string{"Names", `"*"`, "*.example"}},
		{PolicyRule{Names: []string{"a.*.example"}}, []string{"*.example"}},
		{PolicyRule{Names: []string{"*.*.example"}}, []string{"*.example"}},
		{PolicyRule{Names: []string{"*."}}, []string{"*.example"}},
		{PolicyRule{Names: []string{""}}, []string{"empty"}},
		{PolicyRule{Names: []string{"10.0.0.1"}}, []string{"put it into CIDRs"}},
		{PolicyRule{Names: []string{"127.1"}}, []string{"ends in a number"}},
		{PolicyRule{Names: []string{"*.1"}}, []string{"ends in a number"}},
		{PolicyRule{Names: []string{"a"}, Ports: []string{"0"}}, []string{"Ports", `"0"`, "1 to 65535"}},
		{PolicyRule{Names: []string{"a"}, Ports: []string{"65536"}}, []string{"1 to 65535"}},
		{PolicyRule{Names: []string{"a"}, Ports: []string{"0443"}}, []string{"1 to 65535"}},
		{PolicyRule{Names: []string{"a"}, Ports: []string{"https"}}, []string{"1 to 65535"}},
		{PolicyRule{Names: []string{"a"}, Ports: []string{"1-"}}, []string{"1 to 65535"}},
		{PolicyRule{Names: []string{"a"}, Ports: []string{"-1"}}, []string{"1 to 65535"}},
		{PolicyRule{Names: []string{"a"}, Ports: []string{"1-2-3"}}, []string{"1 to 65535"}},
		{PolicyRule{Names: []string{"a"}, Ports: []string{"2-1"}}, []string{"say 1-2"}},
	} {
		_, err := NewPolicy(PolicyRule{Names: []string{"good"}}, tt.rule)
		if err == nil {
			t.Errorf("%+v is accepted", tt.rule)
			continue
		}
		for _, want := range append(tt.want, "policy rule 1") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: error %q lacks %q", tt.rule, err, want)
			}
		}
	}
}
