package selector_test

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/selector"
)

// FuzzClassify checks with the standard library's own, older parsers that a
// class is given only for what its rule says, and that nothing else is dialled.
func FuzzClassify(f *testing.F) {
	for _, seed := range []string{
		"10.0.0.1:80", "[::ffff:10.0.0.1]:80", "[fd00:10::1%eth0]:80", "010.0.0.1:80", "0x7f.1:9100",
		"api.cluster.local:443", "A.CLUSTER.LOCAL.:1", "x:9100", ":9100", "[]:1", "[a]:9100", "1.:9100", "a:b:c", "",
	} {
		f.Add("tcp", seed)
	}
	f.Add("unix", "/run/x.sock")
	_, pods, err := net.ParseCIDR("10.0.0.0/8")
	if err != nil {
		f.Fatal(err)
	}
	d := &fake{}
	s := mustNew(f, selector.Config{
		Rules: []selector.Rule{
			{Class: selector.Pod, CIDRs: []string{"10.0.0.0/8"}},
			{Class: selector.Service, HostSuffixes: []string{"cluster.local"}},
			{Class: "metrics", Ports: []string{"9100"}},
		},
		Routes: routesFor(d, selector.Pod, selector.Service, "metrics"),
	})
	f.Fuzz(func(t *testing.T, network, address string) {
		before := d.dials.Load()
		class, err := s.Classify(t.Context(), network, address)
		c, dialErr := s.DialContext(t.Context(), network, address)
		if err != nil {
			if class != "" || c != nil || d.dials.Load() != before {
				t.Fatalf("%q has no class, and yet %q was dialled", address, class)
			}
			if !errors.Is(err, dialer.ErrNoRoute) || !errors.Is(dialErr, dialer.ErrNoRoute) {
				t.Fatalf("%v and %v are not ErrNoRoute", err, dialErr)
			}
			return
		}
		if dialErr != nil {
			t.Fatal(dialErr)
		}
		c.Close()
		if d.address != address {
			t.Fatalf("dialled %q for %q", d.address, address)
		}
		host, port, err := net.SplitHostPort(address)
		n, portErr := strconv.ParseUint(port, 10, 16)
		if err != nil || portErr != nil || n == 0 || host == "" || !strings.HasPrefix(network, "tcp") {
			t.Fatalf("%s %q has class %s", network, address, class)
		}
		name := strings.ToLower(strings.TrimSuffix(host, "."))
		ok := false
		switch ip := net.ParseIP(host); class {
		case selector.Pod:
			ok = ip != nil && pods.Contains(ip)
		case selector.Service:
			ok = ip == nil && (name == "cluster.local" || strings.HasSuffix(name, ".cluster.local"))
		case "metrics":
			ok = n == 9100
		}
		if !ok {
			t.Fatalf("%q has class %s", address, class)
		}
	})
}
