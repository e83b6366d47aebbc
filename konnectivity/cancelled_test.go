package konnectivity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/dialer/dialertest"
	"github.com/sallyport/sallyport/internal/leak"
)

// cancelling resolves every name to loopback, and calls off the dial that asked
// for it a moment later: when the agent is connecting.
type cancelling struct {
	cancels sync.Map // of name to context.CancelFunc
	lookups atomic.Int64
}

func (c *cancelling) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	c.lookups.Add(1)
	if cancel, ok := c.cancels.LoadAndDelete(host); ok {
		time.AfterFunc(time.Millisecond, cancel.(context.CancelFunc))
	}
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
}

// Dials that are called off while the agent connects to a target that does not
// answer: each holds a socket at the agent by then.
func TestCancelledConnectsLeaveNothing(t *testing.T) {
	leak.Check(t)
	const dials = 500
	_, port, _ := net.SplitHostPort(dialertest.Blackhole(t))
	w := newWorld(t, nil)
	cfg := w.agentConfig("edge", everywhere)
	names := new(cancelling)
	cfg.Resolver = names
	var ended, canceled atomic.Int64
	cfg.Trace = &AgentTrace{DialDone: func(_, _ string, _ time.Duration, err error) {
		ended.Add(1)
		if dialer.KindOf(err) == dialer.Canceled {
			canceled.Add(1)
		}
	}}
	agent, _ := w.run(cfg)
	var n atomic.Int64
	one := func() {
		host := fmt.Sprintf("target-%d.test", n.Add(1))
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		names.cancels.Store(host, cancel)
		c, err := w.srv.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want that it was cancelled", host, err)
		}
	}
	for range 8 {
		one() // what is allocated once is there before the count
	}
	idle := func() bool {
		return w.srv.Agents()[0].Conns == 0 && agent.Tunnels()[0].Conns == 0 && ended.Load() == names.lookups.Load()
	}
	eventually(t, "idle", idle)
	goroutines, descriptors := len(leak.Goroutines()), leak.Descriptors()
	before := n.Load()

	each(8, dials, one)
	eventually(t, "both ends idle", idle)
	if got := n.Load() - before; got != dials || names.lookups.Load() != n.Load() {
		t.Errorf("%d dials and %d lookups, want %d of each", got, names.lookups.Load()-before, dials)
	}
	if canceled.Load() != ended.Load() {
		t.Errorf("the agent ended %d dials, %d of them because they were cancelled", ended.Load(), canceled.Load())
	}
	eventually(t, "goroutines back", func() bool { return len(leak.Goroutines()) <= goroutines })
	eventually(t, "descriptors back", func() bool { return leak.Descriptors() <= descriptors })
}
