package selector_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/selector"
)

// cluster is a rule set with every kind of condition in it.
func cluster() []selector.Rule {
	return []selector.Rule{
		{Class: selector.Kubelet, CIDRs: []string{"192.0.2.0/24", "2001:db8:1::/48"}, HostSuffixes: []string{".nodes.example"}, Ports: []string{"10250"}},
		{Class: selector.Node, CIDRs: []string{"192.0.2.0/24", "2001:db8:1::/48"}, Ports: []string{"22", "30000-32767"}},
		{Class: selector.Pod, CIDRs: []string{"10.0.0.0/8", "fd00:10::/32"}},
		{Class: selector.Service, HostSuffixes: []string{"cluster.local."}},
		{Class: selector.Etcd, Hosts: []string{"Etcd-0.etcd", "etcd_1.etcd."}, Ports: []string{"2379"}},
		{Class: "metrics", Ports: []string{"9100"}},
		{Class: "linklocal", CIDRs: []string{"fe80::/10"}},
	}
}

func clusterSelector(t testing.TB, d dialer.Dialer) *selector.Selector {
	return mustNew(t, selector.Config{
		Rules: cluster(),
		Routes: routesFor(d, selector.Kubelet, selector.Node, selector.Pod, selector.Service,
			selector.Etcd, "metrics", "linklocal"),
	})
}

func TestClassify(t *testing.T) {
	s := clusterSelector(t, &fake{})
	const none = selector.Class("")
	tests := []struct {
		address string
		want    selector.Class
	}{
		// Both kinds of condition have to be met, and the first rule wins.
		{"192.0.2.7:10250", selector.Kubelet},
		{"192.0.2.7:22", selector.Node},
		{"192.0.2.7:80", none},
		{"192.0.3.7:10250", none},
		{"node-1.nodes.example:10250", selector.Kubelet},
		{"node-1.nodes.example:10255", none},

		// The ends of a range belong to it.
		{"192.0.2.7:29999", none},
		{"192.0.2.7:30000", selector.Node},
		{"192.0.2.7:32767", selector.Node},
		{"192.0.2.7:32768", none},

		// IPv6, in any spelling; mapped addresses are IPv4.
		{"[2001:db8:1::7]:10250", selector.Kubelet},
		{"[2001:DB8:1:0:0::0007]:10250", selector.Kubelet},
		{"[2001:db8:2::7]:10250", none},
		{"[fd00:10::1]:80", selector.Pod},
		{"[::ffff:10.1.2.3]:80", selector.Pod},
		{"[::ffff:0a01:0203]:80", selector.Pod},
		{"[::FFFF:11.1.2.3]:80", none},
		{"[::10.1.2.3]:80", none}, // IPv4-compatible is not mapped

		// Zones.
		{"[fe80::1]:80", "linklocal"},
		{"[fe80::1%eth0]:80", none},
		{"[fe80::1%eth0]:9100", none}, // not even by a rule about ports alone
		{"[::ffff:10.1.2.3%eth0]:80", none},
		{"10.1.2.3%eth0:80", none},

		// Names: case and trailing dots mean nothing, dots between labels do.
		{"api.cluster.local:443", selector.Service},
		{"API.Cluster.LOCAL.:443", selector.Service},
		{"cluster.local:443", selector.Service},
		{"notcluster.local:443", none},
		{"cluster.local.evil.example:443", none},
		{"nodes.example:10250", none}, // ".nodes.example" is only what is below
		{"a.b.nodes.example:10250", selector.Kubelet},
		{"evilnodes.example:10250", none},
		{"etcd-0.etcd:2379", selector.Etcd},
		{"ETCD-0.ETCD.:2379", selector.Etcd},
		{"etcd_1.etcd:2379", selector.Etcd},
		{"x.etcd-0.etcd:2379", none},
		{"etcd-0.etcd:2380", none},

		// A name never matches a CIDR, whatever it looks like.
		{"10.1.2.3.example:80", none},
		{"a10-1-2-3:80", none},

		// Ports alone.
		{"anything.example:9100", "metrics"},
		{"198.51.100.1:9100", "metrics"},
		{"[2001:db8:9::1]:9100", "metrics"},

		// Numbers that are not properly written addresses are neither addresses
		// nor names.
		{"010.0.0.1:80", none},
		{"10.0.0.01:80", none},
		{"10.1:80", none},
		{"167772161:80", none},
		{"0x7f.1:9100", none},
		{"0x0a000001:9100", none},
		{"0X0A.0.0.0X1:9100", none},
		{"10.0.0.0x1:9100", none},
		{"10.0.0.0x:9100", none},
		{"10.0.0.1.:80", none},
		{"10.0.0.256:9100", none},
		{"10.0.0.1.1:9100", none},
		{"example.1:9100", none},
		{"[::ffff:010.0.0.1]:80", none},
		{"１０.0.0.1:9100", none},
		{"10。0。0。1:9100", none},

		// Addresses that are none.
		{"", none},
		{"10.1.2.3", none},
		{":9100", none},
		{"[]:9100", none},
		{"10.1.2.3:", none},
		{"10.1.2.3:0", none},
		{"10.1.2.3:65536", none},
		{"10.1.2.3:99999", none},
		{"10.1.2.3:080", none},
		{"10.1.2.3:+80", none},
		{"10.1.2.3:http", none},
		{"10.1.2.3:-1", none},
		{"fd00:10::1:80", none},
		{"[10.1.2.3]:80", none},
		{"[node.example]:9100", none},
		{"https://api.cluster.local:443", none},
		{"user@api.cluster.local:443", none},
		{"api.cluster.local/x:443", none},
		{" api.cluster.local:443", none},
		{"api.cluster.local :443", none},
		{"api..cluster.local:443", none},
		{".cluster.local:443", none},
		{"api.cluster.local..:443", none},
		{".:9100", none},
		{"*.cluster.local:443", none},
		{"api\x00.cluster.local:443", none},
		{"\u212aubernetes.cluster.local:443", none}, // the Kelvin sign folds to k
		{strings.Repeat("a", 63) + ".cluster.local:443", selector.Service},
		{strings.Repeat("a", 64) + ".cluster.local:443", none},
		{strings.Repeat("a.", 119) + "cluster.local:443", selector.Service},
		{strings.Repeat("a.", 121) + "cluster.local:443", none},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			got, err := s.Classify(t.Context(), "tcp", tt.address)
			if got != tt.want {
				t.Errorf("class = %q (%v), want %q", got, err, tt.want)
			}
			if (err != nil) != (tt.want == none) {
				t.Errorf("err = %v for class %q", err, got)
			}
			if err != nil {
				wantNoRoute(t, err)
			}
		})
	}
}

// The text has to tell what is wrong with the address.
func TestClassifyErrorText(t *testing.T) {
	s := clusterSelector(t, &fake{})
	for address, want := range map[string]string{
		"203.0.113.1:80": "no rule",
		"10.0.0.1":       "missing port",
		":80":            "the host is empty",
		"10.0.0.1:http":  `port "http"`,
		"010.0.0.1:80":   `host "010.0.0.1" is not a properly written IP address`,
		"[fe80::1%lo]:1": "zone",
		"[node-1]:1":     "brackets",
		"a b:1":          `"a b" is neither`,

		"https://api.cluster.local:443": "want host:port, not a URL",
	} {
		_, err := s.Classify(t.Context(), "tcp", address)
		if de := wantNoRoute(t, err); !strings.Contains(err.Error(), want) || de.Address != address || de.Network != "tcp" {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func wantNoRoute(t testing.TB, err error) *dialer.Error {
	t.Helper()
	de := asError(t, nil, err)
	if !errors.Is(err, dialer.ErrNoRoute) || dialer.KindOf(err) != dialer.NoRoute || !de.At(dialer.HopSelect) {
		t.Errorf("error %v: kind %v at hop %q, want %v at %q", err, dialer.KindOf(err), de.Hop, dialer.NoRoute, dialer.HopSelect)
	}
	return de
}

func TestClassifyNetworks(t *testing.T) {
	s := clusterSelector(t, &fake{})
	for _, network := range []string{"tcp", "tcp4", "tcp6"} {
		if c, err := s.Classify(t.Context(), network, "10.0.0.1:80"); c != selector.Pod || err != nil {
			t.Errorf("%s: %q, %v", network, c, err)
		}
	}
	for _, network := range []string{"", "udp", "unix", "TCP", "ip", "tcp:80"} {
		// A class from the context is no way around.
		ctx := selector.WithClass(t.Context(), selector.Pod)
		_, err := s.Classify(ctx, network, "10.0.0.1:80")
		wantNoRoute(t, err)
		if !strings.Contains(err.Error(), "want tcp, tcp4 or tcp6") {
			t.Errorf("%s: %v does not say what would be right", network, err)
		}
	}
}

func TestCatchAll(t *testing.T) {
	s := mustNew(t, selector.Config{
		Rules: []selector.Rule{
			{Class: "v4", CIDRs: []string{"0.0.0.0/0"}},
			{Class: "v6", CIDRs: []string{"::/0"}},
			{Class: "names", HostSuffixes: []string{"."}},
		},
		Routes: routesFor(&fake{}, "v4", "v6", "names"),
	})
	for address, want := range map[string]selector.Class{
		"203.0.113.1:1":        "v4",
		"[::ffff:192.0.2.1]:1": "v4",
		"[2001:db8::1]:65535":  "v6",
		"localhost:80":         "names",
		"a.b.c.:80":            "names",
	} {
		if got, err := s.Classify(t.Context(), "tcp", address); got != want {
			t.Errorf("%s: %q, %v; want %q", address, got, err, want)
		}
	}
	for _, address := range []string{"0177.0.0.1:80", "[fe80::1%lo]:80", ":80"} {
		if got, err := s.Classify(t.Context(), "tcp", address); err == nil {
			t.Errorf("%s has class %q even by a catch-all", address, got)
		}
	}
}

func TestHostSuffixNeedsNoNameBelow(t *testing.T) {
	s := mustNew(t, selector.Config{
		Rules:  []selector.Rule{{Class: "x", HostSuffixes: []string{"LOCALHOST"}}},
		Routes: routesFor(&fake{}, "x"),
	})
	if got, err := s.Classify(t.Context(), "tcp", "localhost:1"); got != "x" {
		t.Errorf("class = %q, %v", got, err)
	}
}

func TestClassFromContext(t *testing.T) {
	d := &fake{}
	s := clusterSelector(t, d)

	// It wins over the rules, which would say pod.
	ctx := selector.WithClass(t.Context(), selector.Etcd)
	if got, err := s.Classify(ctx, "tcp", "10.0.0.1:80"); got != selector.Etcd || err != nil {
		t.Errorf("Classify = %q, %v", got, err)
	}
	mustDial(t, ctx, s, "tcp", "10.0.0.1:80")
	if d.class != selector.Etcd {
		t.Errorf("the route saw class %q", d.class)
	}

	// It reaches addresses no rule has a class for, as they are written.
	mustDial(t, ctx, s, "tcp", "[fe80::1%eth0]:80")
	if d.address != "[fe80::1%eth0]:80" {
		t.Errorf("the route saw address %q", d.address)
	}
	d.wantDials(t, 2)

	// The last one counts, and one without a route is no wish for the rules.
	for _, class := range []selector.Class{"", "nobody", "POD"} {
		c, err := s.DialContext(selector.WithClass(ctx, class), "tcp", "10.0.0.1:80")
		de := asError(t, c, err)
		wantNoRoute(t, err)
		if de.Class != string(class) {
			t.Errorf("error names class %q, want %q", de.Class, class)
		}
	}
	d.wantDials(t, 2)
}

func TestClassFromEmptyContext(t *testing.T) {
	if c, ok := selector.ClassFrom(context.Background()); c != "" || ok {
		t.Errorf("ClassFrom = %q, %v", c, ok)
	}
	if c, ok := selector.ClassFrom(selector.WithClass(context.Background(), "")); c != "" || !ok {
		t.Errorf("ClassFrom = %q, %v", c, ok)
	}
}
