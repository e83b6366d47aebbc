package main

import (
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"time"

	"github.com/sallyport/sallyport/bench/internal/world"
	"github.com/sallyport/sallyport/konnectivity"
)

// plan is which sizes to measure and for how long.
type plan struct {
	conns, agents []int
	// spread is how many connections are open over all agents.
	spread         int
	transfer       time.Duration
	echoes, dials  int
	settle, arrive time.Duration
}

var (
	full = plan{
		conns: []int{1, 10, 100, 1_000, 10_000}, agents: []int{1, 10, 100, 1_000}, spread: 1_000,
		transfer: time.Second, echoes: 2_000, dials: 200, settle: 300 * time.Millisecond, arrive: 30 * time.Second,
	}
	small = plan{
		conns: []int{1, 100}, agents: []int{1, 10}, spread: 20,
		transfer: 20 * time.Millisecond, echoes: 50, dials: 5, settle: 10 * time.Millisecond, arrive: 20 * time.Second,
	}
)

// size is one size, and what was measured of it.
type size struct {
	protocol      konnectivity.Protocol
	conns, agents int

	connected, opened     time.Duration // what it took
	serverIdle, agentIdle cost          // of the agents, without a connection
	server, agent         cost          // of the connections
	down, up              float64       // bytes a second
	echoes, dials         world.Times
}

// cost is what a process held before and after something was added.
type cost struct{ before, after world.Usage }

// each is the cost of one of n: heap and RSS in KiB, and goroutines. Below 100 it
// is noise and left out.
func (c cost) each(n int) string {
	if n < 100 {
		return "– | – | –"
	}
	rss, heap := c.after.Each(c.before, n)
	return fmt.Sprintf("%.1f | %.1f | %.1f", heap, rss, float64(c.after.Goroutines-c.before.Goroutines)/float64(n))
}

func (s *size) speed() string {
	return fmt.Sprintf("%.0f | %.0f | %.0f | %.0f | %.0f", s.down/1e6, s.up/1e6, s.echoes.At(0.5), s.echoes.At(0.99), s.dials.At(0.5))
}

// measure brings up a world of the size, measures it, and ends it.
func measure(p plan, s size) (*size, error) {
	debug.FreeOSMemory() // what the size before has left is not this one's
	pki, err := world.NewPKI()
	if err != nil {
		return nil, err
	}
	defer pki.Remove()
	target, err := world.Start("target", nil)
	if err != nil {
		return nil, err
	}
	defer target.Stop()
	var port string
	if err := target.Ask("port", &port); err != nil {
		return nil, err
	}
	server, err := world.NewServer(pki)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	agents, err := s.connect(p, pki, server)
	if err != nil {
		return nil, err
	}
	defer agents.Stop()
	road := func(ctx context.Context, i int) (net.Conn, error) {
		return server.DialContext(ctx, "tcp", net.JoinHostPort(world.HostOf(i%s.agents), port))
	}
	return &s, s.load(p, road, agents)
}

// connect starts the agents and waits for all of them.
func (s *size) connect(p plan, pki world.PKI, server *world.Server) (*world.Child, error) {
	// One agent's process without agents, to know what each of them adds to it.
	none, err := world.Start("agents", world.Agents{PKI: pki, Server: server.Addr})
	if err != nil {
		return nil, err
	}
	s.agentIdle.before, err = none.Usage()
	none.Stop()
	if err != nil {
		return nil, err
	}
	s.serverIdle.before = world.ReadUsage()
	begin := time.Now()
	agents, err := world.Start("agents", world.Agents{PKI: pki, Server: server.Addr, Protocol: s.protocol, N: s.agents})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.arrive)
	defer cancel()
	if err := server.WaitAgents(ctx, s.agents); err != nil {
		agents.Stop()
		return nil, fmt.Errorf("%d of %d agents came: %w", len(server.Agents()), s.agents, err)
	}
	s.connected = time.Since(begin)
	time.Sleep(p.settle)
	s.serverIdle.after = world.ReadUsage()
	if s.agentIdle.after, err = agents.Usage(); err != nil {
		agents.Stop()
		return nil, err
	}
	return agents, nil
}

// load opens the connections and measures what they cost and give.
func (s *size) load(p plan, road world.Road, agents *world.Child) (err error) {
	// The first use of anything is not what one more connection costs.
	if _, err := road.Dials(p.dials); err != nil {
		return err
	}
	time.Sleep(p.settle)
	s.server.before = world.ReadUsage()
	if s.agent.before, err = agents.Usage(); err != nil {
		return err
	}
	begin := time.Now()
	conns, err := road.Open(s.conns)
	defer world.CloseAll(conns)
	if err != nil {
		return err
	}
	s.opened = time.Since(begin)
	time.Sleep(p.settle)
	s.server.after = world.ReadUsage()
	if s.agent.after, err = agents.Usage(); err != nil {
		return err
	}
	if s.echoes, err = world.Echoes(conns, p.echoes); err != nil {
		return err
	}
	if s.dials, err = road.Dials(p.dials); err != nil {
		return err
	}
	if s.down, err = world.Down(conns, p.transfer); err != nil {
		return err
	}
	s.up, err = world.Up(conns, p.transfer)
	return err
}
