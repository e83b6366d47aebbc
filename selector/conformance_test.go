package selector_test

import (
	"net"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/dialer/dialertest"
	"github.com/sallyport/sallyport/selector"
)

// A Selector over a Failover whose first route is broken keeps every promise of
// the Dialer behind them.
func TestConformance(t *testing.T) {
	dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
		over := mustFailover(t, selector.FailoverConfig{Routes: []selector.Route{
			{Name: "broken", Dialer: &fake{err: &dialer.Error{Hop: dialer.HopProxy, Err: dialer.ErrReset}}},
			{Name: "plain", Dialer: &net.Dialer{}},
		}})
		return dialertest.Fixture{Dialer: mustNew(t, selector.Config{
			Rules:  []selector.Rule{{Class: selector.Node, CIDRs: []string{"127.0.0.0/8", "::1/128"}}},
			Routes: routesFor(over, selector.Node),
		})}
	})
}
