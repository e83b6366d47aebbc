package selector_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sallyport/sallyport/selector"
)

// BenchmarkClassify looks for the last of so many rules.
func BenchmarkClassify(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		var rules []selector.Rule
		for i := n - 1; i >= 0; i-- {
			rules = append(rules, selector.Rule{
				Class:        selector.Pod,
				CIDRs:        []string{fmt.Sprintf("10.%d.0.0/16", i), fmt.Sprintf("fd00:%x::/32", i)},
				HostSuffixes: []string{fmt.Sprintf(".zone-%d.example", i)},
				Ports:        []string{"443", "8000-9000"},
			})
		}
		s := mustNew(b, selector.Config{Rules: rules, Routes: routesFor(&fake{}, selector.Pod)})
		for kind, address := range map[string]string{
			"ipv4": "10.0.1.2:443", "ipv6": "[fd00::1]:8443", "name": "web.zone-0.example:443",
		} {
			b.Run(fmt.Sprintf("rules=%d/%s", n, kind), func(b *testing.B) {
				ctx := context.Background()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Classify(ctx, "tcp", address); err != nil {
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
