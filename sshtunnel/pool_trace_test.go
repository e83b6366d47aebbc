package sshtunnel_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/sshtunnel"
)

// Hooks are told which node it was, the Default and one without a node included, and
// a Dialer of its own has none.
func TestPoolTraceNamesNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		tell := func(format string, parts ...any) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf(format, parts...))
		}
		trace := &sshtunnel.Trace{
			DialDone: func(d sshtunnel.DialInfo, _ time.Duration, err error) {
				tell("dial node=%s server=%s %s %s ok=%t noroute=%t", d.Node, d.Server, d.Network, d.Address, err == nil, errors.Is(err, dialer.ErrNoRoute))
			},
			HandshakeDone: func(s sshtunnel.ServerInfo, _ time.Duration, err error) {
				tell("handshake node=%s server=%s ok=%t", s.Node, s.Server, err == nil)
			},
			ClientClosed: func(s sshtunnel.ServerInfo, err error) {
				tell("closed node=%s server=%s lost=%t", s.Node, s.Server, err != nil)
			},
		}
		check := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(told, want) {
				t.Errorf("%s: told %q, want %q", what, told, want)
			}
			told = nil
		}
		f := newFleet(t, "a", "b")
		a, b := f.node("a", "host-a"), f.node("b")
		a.Name, b.Name = "node-a", "bastion"
		p := f.pool(list(t, a), func(c *sshtunnel.PoolConfig) { c.Template.Trace = trace })
		withDefault := f.pool(list(t, a), func(c *sshtunnel.PoolConfig) { c.Template.Trace, c.Default = trace, &b })

		dial(t, p, "tcp", "host-a:1")
		check("a node", "handshake node=node-a server=a:22 ok=true", "dial node=node-a server=a:22 tcp host-a:1 ok=true noroute=false")
		refusedDial(t, p, "tcp", "elsewhere:2")
		check("no node", "dial node= server= tcp elsewhere:2 ok=false noroute=true")
		f.server("a").DropConns()
		check("a lost node", "closed node=node-a server=a:22 lost=true")
		dial(t, withDefault, "tcp", "elsewhere:2")
		check("the Default", "handshake node=bastion server=b:22 ok=true", "dial node=bastion server=b:22 tcp elsewhere:2 ok=true noroute=false")
		withDefault.Close()
		check("closed", "closed node=bastion server=b:22 lost=false")

		cfg := f.config(nil).Template
		cfg.Address, cfg.HostKeys, cfg.Trace = "b:22", b.HostKeys, trace
		dial(t, newDialer(t, cfg), "tcp", "x:1")
		check("no Pool", "handshake node= server=b:22 ok=true", "dial node= server=b:22 tcp x:1 ok=true noroute=false")
	})
}
