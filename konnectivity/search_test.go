package konnectivity

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// counts collects what an agent's ServerCount hook is told.
type counts struct {
	mu  sync.Mutex
	all []int
}

func (c *counts) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, n)
}

func (c *counts) last() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) == 0 {
		return 0
	}
	return c.all[len(c.all)-1]
}

// Behind a load balancer that picks at random the agent finds every server there
// is, one tunnel each, and then leaves it in peace.
func TestFindsAllServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 4, 4)
		random := rand.New(rand.NewPCG(1, 2))
		f.pick = func(alive []*member) *member { return alive[random.IntN(len(alive))] }
		var told counts
		a := f.agent(func(c *AgentConfig) { c.Trace = &AgentTrace{ServerCount: told.add} })
		time.Sleep(5 * time.Minute)
		if got := connected(a); len(got) != 4 || got["srv-0"] != 1 {
			t.Errorf("connected to %v, want each of four once", got)
		}
		if told.last() != 4 {
			t.Errorf("told of %v", told.all)
		}
		for _, m := range f.members {
			if n := len(m.srv.Agents()); n != 1 {
				t.Errorf("%s has %d tunnels", m.srv.ID(), n)
			}
		}
		f.tries()
		time.Sleep(time.Hour)
		if n := f.tries(); n != 0 {
			t.Errorf("%d attempts with every server connected", n)
		}
	})
}

// A count larger than what can be reached costs a look now and then, no storm.
func TestNoStormWhenServersCannotBeFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, 5)
		a := f.agent(nil)
		time.Sleep(10 * time.Minute)
		if got := connected(a); len(got) != 2 {
			t.Errorf("connected to %v, want both", got)
		}
		f.tries()
		time.Sleep(time.Hour)
		// Once in 15 to 30 s, since half of each wait is random.
		if n := f.tries(); n < 100 || n > 250 {
			t.Errorf("%d attempts in an hour, want about 160", n)
		}
		if got := connected(a); len(got) != 2 {
			t.Errorf("after an hour: connected to %v", got)
		}
		for _, m := range f.members {
			infos := m.srv.Agents()
			if len(infos) != 1 || infos[0].Draining {
				t.Errorf("%s: %+v, want one tunnel that can be picked", m.srv.ID(), infos)
			}
		}
	})
}

// A server that goes is replaced, and the agent is quick about it though it had
// been waiting long between looks.
func TestServerGoesAndAnotherComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, 3)
		a := f.agent(nil)
		time.Sleep(time.Minute)
		if got := connected(a); len(got) != 3 {
			t.Fatalf("connected to %v, want three", got)
		}
		f.members[1].stop()
		time.Sleep(10 * time.Minute)
		if got := connected(a); len(got) != 2 || got["srv-1"] != 0 {
			t.Errorf("connected to %v, want the two that are left", got)
		}
		f.start("srv-new", 3)
		time.Sleep(2 * time.Minute)
		if got := connected(a); got["srv-new"] != 1 || len(got) != 3 {
			t.Errorf("connected to %v, want the new one too", got)
		}
		// Now all go at once and come back.
		for _, m := range f.members {
			m.stop()
		}
		time.Sleep(10 * time.Minute)
		if a.Ready() == nil {
			t.Error("ready without servers")
		}
		f.start("again", 1)
		time.Sleep(5 * time.Second)
		if a.Ready() != nil {
			t.Errorf("not back in 5 s: %v", a.Ready())
		}
	})
}

// A count that falls ends the search.
func TestServerCountFalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, 3)
		var told counts
		a := f.agent(func(c *AgentConfig) { c.Trace = &AgentTrace{ServerCount: told.add} })
		time.Sleep(10 * time.Minute)
		if f.tries() < 10 || told.last() != 3 {
			t.Fatalf("it does not search, told %v", told.all)
		}
		f.members[0].stop()
		f.start("srv-0", 1)
		time.Sleep(10 * time.Minute)
		f.tries()
		time.Sleep(time.Hour)
		if n := f.tries(); n != 0 || told.last() != 1 || len(connected(a)) != 1 {
			t.Errorf("%d attempts, told %v, connected to %v", n, told.all, connected(a))
		}
	})
}

func TestSearchBounds(t *testing.T) {
	for name, c := range map[string]struct {
		servers, count int
		tune           func(*AgentConfig)
		want           int
		quiet          bool
	}{
		"MaxServers":      {5, 5, func(c *AgentConfig) { c.MaxServers = 2 }, 2, true},
		"never":           {3, 3, func(c *AgentConfig) { c.MaxServers = 1 }, 1, true},
		"default":         {20, 1000, nil, 16, true},
		"nobody told":     {3, 0, nil, 1, true},
		"KeepSearching":   {3, 1, func(c *AgentConfig) { c.KeepSearching = true }, 3, false},
		"both bounds":     {3, 1, func(c *AgentConfig) { c.KeepSearching, c.MaxServers = true, 2 }, 2, true},
		"several address": {2, 1, func(c *AgentConfig) { c.Servers = append(c.Servers, "server.test:8092") }, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, c.servers, c.count)
				a := f.agent(c.tune)
				time.Sleep(30 * time.Minute)
				if got := connected(a); len(got) != c.want {
					t.Errorf("connected to %v, want %d", got, c.want)
				}
				f.tries()
				time.Sleep(time.Hour)
				if n := f.tries(); (n == 0) != c.quiet {
					t.Errorf("%d attempts in an hour", n)
				}
			})
		})
	}
}

// Two addresses of one server make one tunnel. When it goes, both look again, and
// one of them finds the server that took its place.
func TestTwoAddressesOfOneServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, 1)
		var mu sync.Mutex
		var failed []error
		a := f.agent(func(c *AgentConfig) {
			c.Servers = append(c.Servers, "server.test:8092")
			c.Trace = &AgentTrace{ConnectFailed: func(_ string, err error) {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}}
		})
		time.Sleep(time.Hour)
		if got := connected(a); got["srv-0"] != 1 || len(a.Tunnels()) != 2 {
			t.Errorf("connected to %v, %d entries", got, len(a.Tunnels()))
		}
		if n := f.tries(); n != 2 {
			t.Errorf("%d attempts, want one for each address", n)
		}
		mu.Lock()
		if len(failed) != 1 || !errors.Is(failed[0], ErrDuplicateServer) {
			t.Errorf("failed attempts %v, want the one duplicate", failed)
		}
		mu.Unlock()
		f.members[0].stop()
		f.start("srv-1", 1)
		time.Sleep(10 * time.Second)
		if got := connected(a); got["srv-1"] != 1 {
			t.Errorf("connected to %v after the server was replaced", got)
		}
	})
}

// While a server drains the agent finds another, and holds on to what is open.
func TestDrainingServerIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, 1)
		a := f.agent(nil)
		time.Sleep(time.Second)
		old := f.members[0].srv.Agents()
		if len(old) != 1 {
			t.Fatalf("%d agents", len(old))
		}
		f.mu.Lock()
		f.members[0].alive = false // as its listener will be
		f.mu.Unlock()
		f.start("srv-1", 1)
		for s := range f.members[0].srv.sessions {
			s.tunnel.Drain(t.Context())
		}
		time.Sleep(5 * time.Second)
		if got := connected(a); got["srv-1"] != 1 || got["srv-0"] != 1 {
			t.Errorf("connected to %v, want the new server beside the one that drains", got)
		}
		f.members[0].stop()
		time.Sleep(time.Minute)
		if got := connected(a); len(got) != 1 || got["srv-1"] != 1 {
			t.Errorf("connected to %v, want the new server alone", got)
		}
	})
}

// However long it had been waiting between looks, a loss makes it look at once.
func TestLossEndsTheWaitBetweenLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, 5)
		a := f.agent(nil)
		for i := range 5 {
			time.Sleep(10 * time.Minute)
			id := fmt.Sprintf("new-%d", i)
			f.members[i].stop()
			f.start(id, 5)
			time.Sleep(3 * time.Second)
			if got := connected(a); got[id] != 1 || len(got) != 2 {
				t.Errorf("connected to %v 3 s after a loss, want %s among two", got, id)
			}
		}
	})
}
