package konnectivity

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

func TestParseStrategies(t *testing.T) {
	for _, c := range []struct {
		list string
		want []Strategy
		err  string
	}{
		{"default", []Strategy{StrategyDefault}, ""},
		{"destHost,defaultRoute", []Strategy{StrategyDestHost, StrategyDefaultRoute}, ""},
		{"cidr, destHost ,default", []Strategy{StrategyCIDR, StrategyDestHost, StrategyDefault}, ""},
		{"", nil, `"" is none; want some of destHost, cidr, defaultRoute, default`},
		{"desthost", nil, `"desthost" is none`},
		{"default,", nil, `"" is none`},
		{"default,cidr,default", nil, `"default" twice`},
	} {
		got, err := ParseStrategies(c.list)
		if !slices.Equal(got, c.want) || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %v, %v", c.list, got, err)
		}
	}
}

// Each strategy finds what it is for, in the order given, and nothing else.
func TestStrategies(t *testing.T) {
	leak.Check(t)
	to := echo(t)
	host := netip.MustParseAddr(hostOf(to))
	agents := map[string]Identifiers{
		"host":  {Addrs: []netip.Addr{host}},
		"net":   {CIDRs: []netip.Prefix{netip.PrefixFrom(host, 8).Masked()}},
		"route": {DefaultRoute: true},
		"other": {Hosts: []string{"other.example"}},
	}
	for _, c := range []struct {
		strategies string // empty: what is picked by default
		ids        string // of the agents that are there
		want       string // one of these is picked; empty: nobody
	}{
		{"", "host net route other", "host"},
		{"", "net route other", "net"},
		{"", "route other", "route"},
		{"", "other", ""},
		{"defaultRoute,cidr,destHost", "host net route other", "route"},
		{"cidr,destHost", "host net route other", "net"},
		{"destHost", "net route other", ""},
		{"cidr", "host route other", ""},
		{"defaultRoute", "host net other", ""},
		{"default", "other", "other"},
		{"destHost,default", "net route other", "net route other"},
	} {
		t.Run(c.strategies+"/"+c.ids, func(t *testing.T) {
			w := newWorld(t, func(cfg *ServerConfig) {
				if c.strategies == "" {
					return
				}
				var err error
				if cfg.Strategies, err = ParseStrategies(c.strategies); err != nil {
					t.Fatal(err)
				}
			})
			for _, id := range strings.Fields(c.ids) {
				w.run(w.agentConfig(id, agents[id]))
			}
			conn, err := w.srv.DialContext(context.Background(), "tcp", to)
			if c.want == "" {
				if !errors.Is(err, dialer.ErrNoRoute) {
					t.Errorf("%v, want no route", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := w.busy(); !slices.Contains(strings.Fields(c.want), got) {
				t.Errorf("dialed through %q, want %q", got, c.want)
			}
		})
	}
}
