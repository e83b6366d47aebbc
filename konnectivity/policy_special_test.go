package konnectivity

import (
	"net/netip"
	"strings"
	"testing"
)

// Each special address is refused to rules that merely cover it, and allowed to
// a rule that names it.
func TestPolicySpecial(t *testing.T) {
	for _, tt := range []struct {
		addr, what string
		names      []string // each names the address
		covers     []string // each holds the address, but means something else
	}{
		{"0.0.0.0", "unspecified", []string{"0.0.0.0/8", "0.0.0.0/32"}, []string{"0.0.0.0/7"}},
		{"0.255.255.255", "unspecified", []string{"0.0.0.0/8"}, []string{"0.0.0.0/7"}},
		{"127.0.0.1", "loopback", []string{"127.0.0.0/8", "127.0.0.1/32", "127.0.0.0/31"}, []string{"126.0.0.0/7", "0.0.0.0/1"}},
		{"127.255.255.255", "loopback", []string{"127.0.0.0/8"}, []string{"126.0.0.0/7"}},
		{"169.254.0.1", "link-local", []string{"169.254.0.0/16", "169.254.0.1/32"}, []string{"169.254.0.0/15"}},
		{"169.254.169.254", "cloud metadata", []string{"169.254.169.254/32"}, []string{"169.254.0.0/16", "169.254.169.254/31"}},
		{"169.254.170.2", "cloud metadata", []string{"169.254.170.2/32"}, []string{"169.254.170.0/24"}},
		{"169.254.170.23", "cloud metadata", []string{"169.254.170.23/32"}, []string{"169.254.170.0/24"}},
		{"169.254.0.23", "cloud metadata", []string{"169.254.0.23/32"}, []string{"169.254.0.0/16"}},
		{"100.100.100.200", "cloud metadata", []string{"100.100.100.200/32"}, []string{"100.64.0.0/10", "100.100.100.200/31"}},
		{"168.63.129.16", "cloud metadata", []string{"168.63.129.16/32"}, []string{"168.63.129.0/24"}},
		{"192.0.0.192", "cloud metadata", []string{"192.0.0.192/32"}, []string{"192.0.0.0/24"}},
		{"224.0.0.1", "multicast", []string{"224.0.0.0/4", "224.0.0.1/32"}, []string{"224.0.0.0/3"}},
		{"239.255.255.255", "multicast", []string{"224.0.0.0/4"}, []string{"224.0.0.0/3"}},
		{"255.255.255.255", "broadcast", []string{"255.255.255.255/32"}, []string{"240.0.0.0/4"}},
		{"::", "unspecified", []string{"::/128"}, []string{"::/127", "::/96"}},
		{"::1", "loopback", []string{"::1/128"}, []string{"::/127", "::/96"}},
		{"::10.0.0.1", "IPv4-compatible", []string{"::/96", "::10.0.0.1/128"}, []string{"::/95"}},
		{"::127.0.0.1", "IPv4-compatible form of loopback", []string{"::127.0.0.0/104"}, []string{"::/96"}},
		{"::ffff:10.0.0.1", "IPv4-mapped", []string{"::ffff:0:0/96", "::ffff:10.0.0.0/104"}, []string{"::/1", "::fffe:0:0/95", "10.0.0.0/8"}},
		{"::ffff:127.0.0.1", "IPv4-mapped form of loopback", []string{"::ffff:127.0.0.0/104"}, []string{"::ffff:0:0/96", "127.0.0.0/8"}},
		{"::ffff:169.254.169.254", "IPv4-mapped form of cloud metadata", []string{"::ffff:169.254.169.254/128"}, []string{"::ffff:169.254.0.0/112", "169.254.169.254/32"}},
		{"64:ff9b::127.0.0.1", "NAT64 form of loopback", []string{"64:ff9b::127.0.0.0/104"}, []string{"64:ff9b::/96", "127.0.0.0/8"}},
		{"64:ff9b::169.254.169.254", "NAT64 form of cloud metadata", []string{"64:ff9b::169.254.169.254/128"}, []string{"64:ff9b::/96"}},
		{"64:ff9b:1::1", "local NAT64", []string{"64:ff9b:1::/48"}, []string{"64:ff9b::/32"}},
		{"2002:7f00:1::1", "6to4 form of loopback", []string{"2002:7f00::/24"}, []string{"2002::/16"}},
		{"2002:a9fe:a9fe::", "6to4 form of cloud metadata", []string{"2002:a9fe:a9fe::/48"}, []string{"2002::/16", "2002:a9fe::/32"}},
		{"2001:0:1::1", "Teredo", []string{"2001::/32"}, []string{"2001::/23"}},
		{"fe80::1", "link-local", []string{"fe80::/10", "fe80::/64"}, []string{"fe80::/9"}},
		{"febf::1", "link-local", []string{"fe80::/10"}, []string{"fe80::/9"}},
		{"fec0::1", "site-local", []string{"fec0::/10"}, []string{"fe00::/8"}},
		{"ff02::1", "multicast", []string{"ff00::/8", "ff02::1/128"}, []string{"fe00::/7"}},
		{"fd00:ec2::254", "cloud metadata", []string{"fd00:ec2::254/128"}, []string{"fd00:ec2::/64"}},
		{"fd00:ec2::23", "cloud metadata", []string{"fd00:ec2::23/128"}, []string{"fd00:ec2::/64"}},
		{"fd20:ce::254", "cloud metadata", []string{"fd20:ce::254/128"}, []string{"fd20:ce::/32"}},
	} {
		t.Run(strings.ReplaceAll(tt.addr, ":", "_"), func(t *testing.T) {
			for _, c := range tt.names {
				policyCase{tt.addr, "", 80, ""}.check(t, mustPolicy(t, PolicyRule{CIDRs: []string{c}}))
				policyCase{"a.example", tt.addr, 80, ""}.check(t, mustPolicy(t, PolicyRule{CIDRs: []string{c}, Names: []string{"a.example"}}))
			}
			for _, c := range append(tt.covers, "0.0.0.0/0", "::/0") {
				p := mustPolicy(t, PolicyRule{CIDRs: []string{c}}, PolicyRule{Names: []string{"a.example"}})
				policyCase{tt.addr, "", 80, "special (" + tt.what + ")"}.check(t, p)
				policyCase{"a.example", tt.addr, 80, "special (" + tt.what + ")"}.check(t, p)
			}
			// What one rule names is no permission for another rule's port.
			split := mustPolicy(t, PolicyRule{CIDRs: tt.names[:1], Ports: []string{"22"}}, PolicyRule{CIDRs: []string{"0.0.0.0/0", "::/0"}})
			policyCase{tt.addr, "", 80, "no rule allows it"}.check(t, split)
		})
	}
}

// The neighbours of special blocks are ordinary.
func TestPolicyNotSpecial(t *testing.T) {
	p := mustPolicy(t, PolicyRule{CIDRs: []string{"0.0.0.0/0", "::/0"}})
	for _, a := range []string{
		"1.0.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "223.255.255.255", "240.0.0.1", "255.255.255.254",
		"100.100.100.199", "100.100.100.201", "168.63.129.15", "168.63.129.17", "192.0.0.191", "192.0.0.193", "10.0.0.1", "192.168.0.1",
		"::1:0:0:0", "64:ff9b::10.0.0.1", "2002:a00:1::1", "2001:1::1", "2001:db8::1", "fe7f::1", "fdff::1", "fd00:ec2::253", "fd00::1",
	} {
		policyCase{a, "", 80, ""}.check(t, p)
	}
}

// FuzzPolicySpecial checks the table against another opinion of what is special:
// nothing of that is ever allowed by rules that name nothing.
func FuzzPolicySpecial(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::169.254.169.254", "2002:7f00:1::", "fe80::1", "10.0.0.1", "::1"} {
		f.Add(s, netip.MustParseAddr(s).AsSlice(), uint16(443))
		f.Add("node-1", netip.MustParseAddr(s).AsSlice(), uint16(443))
	}
	f.Add("fe80::1%eth0", []byte(nil), uint16(0))
	p, err := NewPolicy(PolicyRule{CIDRs: []string{"0.0.0.0/0", "::/0"}}, PolicyRule{Names: []string{"*.example"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, host string, ip []byte, port uint16) {
		_ = p.AllowName(t.Context(), host, port)
		a, _ := netip.AddrFromSlice(ip)
		if p.Allow(t.Context(), host, netip.AddrPortFrom(a, port)) != nil {
			return
		}
		if port == 0 || !a.IsValid() {
			t.Errorf("no destination is allowed: %q %s %d", host, a, port)
		}
		lit, _ := netip.ParseAddr(host)
		if seemsSpecial(lit) || !lit.IsValid() && seemsSpecial(a) {
			t.Errorf("special address is allowed: %q at %s", host, a)
		}
	})
}

func seemsSpecial(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	b := a.As16()
	switch {
	case a.Zone() != "", a.Is4In6(), a.IsLoopback(), a.IsLinkLocalUnicast(), a.IsMulticast(), a.IsUnspecified():
		return true
	case a.Is4():
		v4 := a.As4()
		return v4[0] == 0 || a.String() == "255.255.255.255" || a.String() == "100.100.100.200" ||
			a.String() == "168.63.129.16" || a.String() == "192.0.0.192"
	case b[0] == 0x20 && b[1] == 0x02:
		return seemsSpecial(netip.AddrFrom4([4]byte(b[2:6])))
	case strings.HasPrefix(a.StringExpanded(), "0064:ff9b:0000:0000:0000:0000:"):
		return seemsSpecial(netip.AddrFrom4([4]byte(b[12:])))
	case strings.HasPrefix(a.StringExpanded(), "0000:0000:0000:0000:0000:0000:"), b[0] == 0xfe && b[1]&0xc0 == 0xc0:
		return true
	}
	return a.String() == "fd00:ec2::254"
}
