package selector_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/selector"
)

// manyRules are n rules of one class, the last of which is that of all
// destinations.
func manyRules(n int) []selector.Rule {
	var rules []selector.Rule
	for i := n - 1; i >= 0; i-- {
		rules = append(rules, selector.Rule{
			Class:        selector.Pod,
			CIDRs:        []string{fmt.Sprintf("10.%d.0.0/16", i), fmt.Sprintf("fd00:%x::/32", i)},
			HostSuffixes: []string{fmt.Sprintf(".zone-%d.example", i)},
			Ports:        []string{"443", "8000-9000"},
		})
	}
	return rules
}

var destinations = []struct{ kind, address string }{
	{"ipv4", "10.0.1.2:443"}, {"ipv6", "[fd00::1]:8443"}, {"name", "web.zone-0.example:443"},
}

// BenchmarkClassify looks for the last of so many rules.
func BenchmarkClassify(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		s := mustNew(b, selector.Config{Rules: manyRules(n), Routes: routesFor(&fake{}, selector.Pod)})
		for _, to := range destinations {
			b.Run(fmt.Sprintf("rules=%d/address=%s", n, to.kind), func(b *testing.B) {
				ctx := context.Background()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Classify(ctx, "tcp", to.address); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkDial is what a selector adds to a dial: the class, the route, and what
// surrounds the conn of a dialer that has one at once.
func BenchmarkDial(b *testing.B) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	ready := dialer.Func(func(context.Context, string, string) (net.Conn, error) { return near, nil })
	for _, n := range []int{1, 100} {
		s := mustNew(b, selector.Config{Rules: manyRules(n), Routes: routesFor(ready, selector.Pod)})
		for _, to := range destinations {
			b.Run(fmt.Sprintf("rules=%d/address=%s", n, to.kind), func(b *testing.B) {
				ctx := context.Background()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.DialContext(ctx, "tcp", to.address); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func TestClassifyAllocatesNothing(t *testing.T) {
	s := clusterSelector(t, &fake{})
	for _, address := range []string{"10.0.0.1:80", "[fd00:10::1]:80", "[::ffff:10.0.0.1]:80", "api.cluster.local:443"} {
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := s.Classify(t.Context(), "tcp", address); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", address, allocs)
		}
	}
}
