package konnectivity

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestParseIdentifiers(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		want        Identifiers
		str         string
	}{
		{"empty", "", Identifiers{}, ""},
		{
			"all keys", "host=a&ipv4=1.2.3.4&ipv6=2001:db8::1&cidr=10.0.0.0/8&default-route=true",
			Identifiers{
				Hosts:        []string{"a"},
				Addrs:        []netip.Addr{netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("2001:db8::1")},
				CIDRs:        []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
				DefaultRoute: true,
			},
			"cidr=10.0.0.0%2F8&default-route=true&host=a&ipv4=1.2.3.4&ipv6=2001%3Adb8%3A%3A1",
		},
		{"sorted, no duplicates", "host=b&host=A.&host=a", Identifiers{Hosts: []string{"a", "b"}}, "host=a&host=b"},
		{"one address, two spellings", "ipv6=2001:DB8:0::1&ipv6=2001:db8::1", Identifiers{Addrs: []netip.Addr{netip.MustParseAddr("2001:db8::1")}}, "ipv6=2001%3Adb8%3A%3A1"},
		{"mapped address", "ipv4=::ffff:1.2.3.4", Identifiers{Addrs: []netip.Addr{netip.MustParseAddr("1.2.3.4")}}, "ipv4=1.2.3.4"},
		{"literal host", "host=1.2.3.4&host=::1", Identifiers{Addrs: []netip.Addr{netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("::1")}}, "ipv4=1.2.3.4&ipv6=%3A%3A1"},
		{"mapped network", "cidr=::ffff:10.0.0.0/104", Identifiers{CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "cidr=10.0.0.0%2F8"},
		{"no default route", "default-route=false", Identifiers{}, ""},
		{"same default route twice", "default-route=1&default-route=true", Identifiers{DefaultRoute: true}, "default-route=true"},
		{"longest name", "host=" + longName(253), Identifiers{Hosts: []string{longName(253)}}, "host=" + longName(253)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseIdentifiers(tt.query)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("ParseIdentifiers(%q) = %+v, %v; want %+v", tt.query, got, err, tt.want)
			}
			if got.String() != tt.str {
				t.Errorf("String() = %q, want %q", got.String(), tt.str)
			}
			lenient, err := parseIdentifiersLenient(tt.query)
			if err != nil || !reflect.DeepEqual(lenient, tt.want) {
				t.Errorf("lenient = %+v, %v; want %+v", lenient, err, tt.want)
			}
		})
	}
}

// The value must be named with its key, and what would be right.
func TestParseIdentifiersErrors(t *testing.T) {
	for _, tt := range []struct{ name, query, want string }{
		{"not a query", "host=%zz", "want a query such as"},
		{"host of two words", "host=a b", `identifier "host", value "a b"`},
		{"host with control character", "host=a%00", "want letters"},
		{"host beyond ASCII", "host=%E2%84%AAelvin", "want letters"},
		{"empty label", "host=a..b", "nothing between two dots"},
		{"only a dot", "host=.", "empty"},
		{"long label", "host=" + strings.Repeat("a", 64), "at most 63"},
		{"long host", "host=" + longName(254), "at most 253"},
		{"not an address", "ipv4=127.1", `identifier "ipv4", value "127.1": not an address; want one such as 10.0.0.1`},
		{"not an IPv6 address", "ipv6=x", "2001:db8::1"},
		{"zone", "ipv6=fe80::1%25eth0", "leave it out"},
		{"not a network", "cidr=10.0.0.1", `identifier "cidr", value "10.0.0.1"`},
		{"wide mapped network", "cidr=::ffff:0:0/95", "wider than the IPv4-mapped"},
		{"not a bool", "default-route=yes", "want true or false"},
		{"contradiction", "default-route=true&default-route=false", "say it once"},
		{"too many", strings.Repeat("host=a&", maxIdentifiers) + "host=a", "at most 1024"},
		{"too long", "host=" + strings.Repeat("a", maxIdentifierQuery), "at most 49152"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for mode, parse := range map[string]func(string) (Identifiers, error){"strict": ParseIdentifiers, "lenient": parseIdentifiersLenient} {
				_, err := parse(tt.query)
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: error %v, want one with %q", mode, err, tt.want)
				}
				if err != nil && len(err.Error()) > 400 {
					t.Errorf("%s: an error of %d bytes repeats what a peer sent", mode, len(err.Error()))
				}
			}
		})
	}
}

func TestParseIdentifiersModes(t *testing.T) {
	v6 := Identifiers{Addrs: []netip.Addr{netip.MustParseAddr("2001:db8::1")}}
	net4 := Identifiers{CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	net6 := Identifiers{CIDRs: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}}
	for _, tt := range []struct {
		name, query string
		lenient     Identifiers
		strict      string
	}{
		{"unknown key", "uid=x", Identifiers{}, `identifier "uid", value "x": unknown key; want host`},
		{"empty host", "host=", Identifiers{}, "empty"},
		{"empty address", "ipv4=", Identifiers{}, "not an address"},
		{"empty default route", "default-route=&default-route=true", Identifiers{DefaultRoute: true}, "want true or false"},
		{"other family", "ipv4=2001:db8::1", v6, "want ipv6=2001:db8::1"},
		{"host bits", "cidr=10.0.0.1/8", net4, `identifier "cidr", value "10.0.0.1/8": bits behind the prefix; say 10.0.0.0/8 for the network or 10.0.0.1/32 for the address`},
		{"host bits, mapped", "cidr=::ffff:10.0.0.1/104", net4, "say 10.0.0.0/8 for the network or 10.0.0.1/32 for the address"},
		{"host bits, IPv6", "cidr=2001:db8::1/32", net6, "say 2001:db8::/32 for the network or 2001:db8::1/128"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := parseIdentifiersLenient(tt.query); err != nil || !reflect.DeepEqual(got, tt.lenient) {
				t.Errorf("lenient = %+v, %v; want %+v", got, err, tt.lenient)
			}
			if _, err := ParseIdentifiers(tt.query); err == nil || !strings.Contains(err.Error(), tt.strict) {
				t.Errorf("strict: error %v, want one with %q", err, tt.strict)
			}
		})
	}
}

func TestIdentifiersCanonicalKeepsItsInput(t *testing.T) {
	in := Identifiers{Hosts: []string{"B", "a"}, Addrs: []netip.Addr{netip.MustParseAddr("::ffff:1.2.3.4")}}
	got, err := in.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	got.Hosts[0] = "changed"
	if in.Hosts[0] != "B" || in.Hosts[1] != "a" || !in.Addrs[0].Is4In6() {
		t.Errorf("Canonical changed its input: %+v", in)
	}
	if _, err := (Identifiers{Addrs: []netip.Addr{{}}}).Canonical(); err == nil {
		t.Error("the zero address is canonical")
	}
	if _, err := (Identifiers{CIDRs: []netip.Prefix{{}}}).Canonical(); err == nil {
		t.Error("the zero network is canonical")
	}
}

// The most that may be said must survive the way over the wire.
func TestIdentifiersLargest(t *testing.T) {
	var id Identifiers
	for i := range maxIdentifiers {
		id.Hosts = append(id.Hosts, fmt.Sprintf("%04d", i)+longName(36))
	}
	if _, err := id.Canonical(); err != nil {
		t.Error(err)
	}
	got, err := ParseIdentifiers(id.String())
	if err != nil || len(got.Hosts) != maxIdentifiers {
		t.Errorf("%d hosts, %v; want %d", len(got.Hosts), err, maxIdentifiers)
	}
	for i := range id.Hosts {
		id.Hosts[i] += "." + longName(100)
	}
	if _, err := id.Canonical(); err == nil || !strings.Contains(err.Error(), "at most 49152") {
		t.Errorf("identifiers that no hello could carry: %v", err)
	}
}

func FuzzParseIdentifiers(f *testing.F) {
	f.Add("host=a&ipv4=1.2.3.4&ipv6=::1&cidr=10.1.0.0/8&default-route=true", true)
	f.Add("host=A.&ipv4=::ffff:1.2.3.4&cidr=::ffff:10.0.0.0/104&uid=7&default-route=", false)
	f.Add("ipv6=fe80::1%25eth0&host=%00", false)
	f.Fuzz(func(t *testing.T, query string, strict bool) {
		id, err := identifierParser{strict: strict}.parse(query)
		if err != nil {
			return
		}
		again, err := ParseIdentifiers(id.String())
		if err != nil || !reflect.DeepEqual(again, id) {
			t.Fatalf("%q: %+v, and by its String %q: %+v, %v", query, id, id.String(), again, err)
		}
	})
}

// longName returns a valid host name of n bytes.
func longName(n int) string {
	name := strings.Repeat(strings.Repeat("a", 49)+".", n/50+1)[:n]
	return strings.TrimSuffix(name, ".") + strings.Repeat("a", n-len(strings.TrimSuffix(name, ".")))
}
