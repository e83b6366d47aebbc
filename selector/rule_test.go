package selector_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/selector"
)

func TestBadRules(t *testing.T) {
	tests := []struct {
		name  string
		rule  selector.Rule
		field string
		value string
		right string // part of what would be right
	}{
		{"no class", selector.Rule{Ports: []string{"1"}}, "Class", "", "needs a class"},
		{"no route", selector.Rule{Class: "etcd", Ports: []string{"1"}}, "Class", "etcd", "routes for kubelet, pod"},
		{"no condition", selector.Rule{Class: "pod"}, "", "", `"0.0.0.0/0"`},
		{"empty CIDRs", selector.Rule{Class: "pod", CIDRs: []string{}, Ports: []string{"1"}}, "CIDRs", "", "leave it out"},
		{"empty Hosts", selector.Rule{Class: "pod", Hosts: []string{}, Ports: []string{"1"}}, "Hosts", "", "leave it out"},
		{"empty HostSuffixes", selector.Rule{Class: "pod", HostSuffixes: []string{}, Ports: []string{"1"}}, "HostSuffixes", "", "leave it out"},
		{"empty Ports", selector.Rule{Class: "pod", CIDRs: []string{"::/0"}, Ports: []string{}}, "Ports", "", "leave it out"},

		{"CIDR nonsense", cidr("ten/8"), "CIDRs[1]", "ten/8", "10.0.0.0/8"},
		{"CIDR empty", cidr(""), "CIDRs[1]", "", "10.0.0.0/8"},
		{"CIDR space", cidr("10.0.0.0/8 "), "CIDRs[1]", "10.0.0.0/8 ", "10.0.0.0/8"},
		{"CIDR octal", cidr("010.0.0.0/8"), "CIDRs[1]", "010.0.0.0/8", "10.0.0.0/8"},
		{"CIDR bits", cidr("10.0.0.0/33"), "CIDRs[1]", "10.0.0.0/33", "10.0.0.0/8"},
		{"CIDR address", cidr("192.0.2.1"), "CIDRs[1]", "192.0.2.1", `"192.0.2.1/32"`},
		{"CIDR address v6", cidr("fd00::1"), "CIDRs[1]", "fd00::1", `"fd00::1/128"`},
		{"CIDR address mapped", cidr("::ffff:192.0.2.1"), "CIDRs[1]", "::ffff:192.0.2.1", `"192.0.2.1/32"`},
		{"CIDR host bits", cidr("192.0.2.1/24"), "CIDRs[1]", "192.0.2.1/24", `"192.0.2.0/24" for the network or "192.0.2.1/32"`},
		{"CIDR mapped", cidr("::ffff:192.0.2.0/120"), "CIDRs[1]", "::ffff:192.0.2.0/120", `"192.0.2.0/24"`},
		{"CIDR mapped and wider", cidr("::ffff:0:0/90"), "CIDRs[1]", "::ffff:0:0/90", "10.0.0.0/8"},
		{"CIDR zone", cidr("fe80::%eth0/10"), "CIDRs[1]", "fe80::%eth0/10", "fd00::/8"},
		{"CIDR host", cidr("node.example"), "CIDRs[1]", "node.example", "10.0.0.0/8"},

		{"host empty", host(""), "Hosts[1]", "", "node-1.example.com"},
		{"host address", host("10.0.0.1"), "Hosts[1]", "10.0.0.1", `write "10.0.0.1/32" into CIDRs`},
		{"host address v6", host("::1"), "Hosts[1]", "::1", `write "::1/128" into CIDRs`},
		{"host hex", host("0x7f.1"), "Hosts[1]", "0x7f.1", "CIDRs"},
		{"host with port", host("node-1:10250"), "Hosts[1]", "node-1:10250", `a port does not belong here: write "node-1", and "10250" into Ports`},
		{"host address with port", host("10.0.0.1:443"), "Hosts[1]", "10.0.0.1:443", `write "10.0.0.1/32" into CIDRs and "443" into Ports`},
		{"host address v6 with port", host("[fd00::1]:443"), "Hosts[1]", "[fd00::1]:443", `write "fd00::1/128" into CIDRs and "443" into Ports`},
		{"host URL", host("https://node-1:10250"), "Hosts[1]", "https://node-1:10250", "want a host name, not a URL"},
		{"host wildcard", host("*.example"), "Hosts[1]", "*.example", "node-1.example.com"},
		{"host suffix", host(".example"), "Hosts[1]", ".example", "node-1.example.com"},
		{"host IDN", host("bücher.example"), "Hosts[1]", "bücher.example", "node-1.example.com"},

		{"suffix empty", suffix(""), "HostSuffixes[1]", "", ".cluster.local"},
		{"suffix dots", suffix(".."), "HostSuffixes[1]", "..", ".cluster.local"},
		{"suffix wildcard", suffix("*.example"), "HostSuffixes[1]", "*.example", `".example"`},
		{"suffix address", suffix(".0.0.1"), "HostSuffixes[1]", ".0.0.1", "CIDRs"},
		{"suffix with port", suffix(".example:443"), "HostSuffixes[1]", ".example:443", `write ".example", and "443" into Ports`},
		{"suffix URL", suffix("https://example"), "HostSuffixes[1]", "https://example", "not a URL"},
		{"suffix space", suffix("cluster local"), "HostSuffixes[1]", "cluster local", ".cluster.local"},

		{"port empty", port(""), "Ports[1]", "", "10250"},
		{"port name", port("https"), "Ports[1]", "https", "30000-32767"},
		{"port zero", port("0"), "Ports[1]", "0", "from 1 to 65535"},
		{"port too large", port("65536"), "Ports[1]", "65536", "from 1 to 65535"},
		{"port far too large", port("18446744073709551617"), "Ports[1]", "18446744073709551617", "from 1 to 65535"},
		{"port padded", port("0443"), "Ports[1]", "0443", "10250"},
		{"port signed", port("+443"), "Ports[1]", "+443", "10250"},
		{"range open", port("30000-"), "Ports[1]", "30000-", "30000-32767"},
		{"range from nothing", port("-30000"), "Ports[1]", "-30000", "30000-32767"},
		{"range spaced", port("1 - 2"), "Ports[1]", "1 - 2", "30000-32767"},
		{"range thrice", port("1-2-3"), "Ports[1]", "1-2-3", "30000-32767"},
		{"range backward", port("32767-30000"), "Ports[1]", "32767-30000", `"30000-32767"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			good := selector.Rule{Class: "kubelet", Ports: []string{"10250"}}
			s, err := selector.New(selector.Config{
				Rules:  []selector.Rule{good, good, tt.rule},
				Routes: routesFor(&fake{}, "kubelet", "pod"),
			})
			if err == nil || s != nil {
				t.Fatalf("New = %v, %v", s, err)
			}
			re, ok := errors.AsType[*selector.RuleError](err)
			if !ok {
				t.Fatalf("%v is no RuleError", err)
			}
			if re.Index != 2 || re.Class != tt.rule.Class || re.Field != tt.field || re.Value != tt.value {
				t.Errorf("%+v, want rule 2, class %q, field %q, value %q", re, tt.rule.Class, tt.field, tt.value)
			}
			for _, part := range []string{"rules[2]", `class "` + string(tt.rule.Class) + `"`, tt.field, tt.value, tt.right} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %q", err, part)
				}
			}
		})
	}
}

func cidr(bad string) selector.Rule {
	return selector.Rule{Class: "pod", CIDRs: []string{"10.0.0.0/8", bad}}
}
func host(bad string) selector.Rule {
	return selector.Rule{Class: "pod", Hosts: []string{"good.example", bad}}
}
func suffix(bad string) selector.Rule {
	return selector.Rule{Class: "pod", HostSuffixes: []string{".example", bad}}
}
func port(bad string) selector.Rule {
	return selector.Rule{Class: "pod", Ports: []string{"443", bad}}
}

func TestNewTellsAllThatIsWrong(t *testing.T) {
	_, err := selector.New(selector.Config{
		Rules: []selector.Rule{
			{Class: "pod", CIDRs: []string{"x", "y"}, Ports: []string{"http"}},
			{Class: "gone", Ports: []string{"1"}},
		},
		Routes: map[selector.Class]selector.Route{"pod": {Name: "p"}},
	})
	want := []string{`"x"`, `"y"`, `"http"`, `"gone"`, `Routes["pod"]: Dialer is nil`}
	for _, part := range want {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %s", err, part)
		}
	}
}

func TestNewTellsOfRulesWithoutRoutes(t *testing.T) {
	_, err := selector.New(selector.Config{Rules: []selector.Rule{{Class: "pod", CIDRs: []string{"x"}}}})
	for _, part := range []string{"Routes is empty", `"x"`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %s", err, part)
		}
	}
}

func TestBadRoutes(t *testing.T) {
	ok := dialer.Dialer(&fake{})
	var nilFunc dialer.Func
	var nilPointer *fake
	tests := []struct {
		name   string
		routes map[selector.Class]selector.Route
		want   string
	}{
		{"none", nil, "Routes is empty"},
		{"no class", map[selector.Class]selector.Route{"": {Name: "x", Dialer: ok}}, `Routes[""]`},
		{"no name", map[selector.Class]selector.Route{"pod": {Dialer: ok}}, `Routes["pod"]: Name`},
		{"nil", map[selector.Class]selector.Route{"pod": {Name: "x"}}, `Routes["pod"]: Dialer is nil`},
		{"nil func", map[selector.Class]selector.Route{"pod": {Name: "x", Dialer: nilFunc}}, `Routes["pod"]: Dialer is nil`},
		{"nil pointer", map[selector.Class]selector.Route{"pod": {Name: "x", Dialer: nilPointer}}, `Routes["pod"]: Dialer is nil`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := selector.New(selector.Config{Routes: tt.routes})
			if s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New = %v, %v; want an error with %q", s, err, tt.want)
			}
		})
	}
}

func TestRuleReadsFromJSON(t *testing.T) {
	var rule selector.Rule
	dec := json.NewDecoder(strings.NewReader(
		`{"class":"node","cidrs":["10.0.0.0/8"],"hosts":["a"],"hostSuffixes":[".b"],"ports":["1-2"]}`))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&rule); err != nil {
		t.Fatal(err)
	}
	s := mustNew(t, selector.Config{Rules: []selector.Rule{rule}, Routes: routesFor(&fake{}, "node")})
	for _, address := range []string{"10.0.0.1:1", "a:2", "x.b:1"} {
		if got, err := s.Classify(t.Context(), "tcp", address); got != selector.Node {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
}
