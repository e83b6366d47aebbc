package sshtunnel_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/sshtunnel"
)

// No refresh that went wrong takes anything away; it is reported at once by Status,
// the log and the errors of dials, and by Ready when it lasts.
func TestPoolKeepsTheLastGoodList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		a := f.node("a", "node-a")
		nodes := live(t, a)
		p := f.pool(nodes, func(c *sshtunnel.PoolConfig) { c.MaxNodes = 1 })
		c := dial(t, p, "tcp", "node-a:1")
		for want, fail := range map[string]func(){
			"apiserver is away": func() { nodes.Failed(errors.New("apiserver is away")) },
			"no nodes":          func() { nodes.Update() },
			"node 0":            func() { nodes.Update(sshtunnel.Node{Name: "a"}) },
			"MaxNodes is 1":     func() { update(t, nodes, a, f.node("b", "node-b")) },
		} {
			fail()
			begin := time.Now()
			if s := p.Status(); s.Nodes != 1 || s.NodesErr == nil || !strings.Contains(s.NodesErr.Error(), want) || !s.NodesSince.Equal(begin) {
				t.Errorf("%s: %+v", want, s)
			}
			talk(t, c, "still here")
			dial(t, p, "tcp", "node-a:2").Close()
			if err := refusedDial(t, p, "tcp", "node-b:1"); !errors.Is(err, dialer.ErrNoRoute) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", want, err)
			}
			time.Sleep(sshtunnel.DefaultStaleAfter - time.Second)
			if err := p.Ready(); err != nil {
				t.Errorf("%s: not ready yet after a failure that need not last: %v", want, err)
			}
			time.Sleep(time.Second)
			if err := p.Ready(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: ready %v", want, err)
			}
			dial(t, p, "tcp", "node-a:2").Close()
			if n := strings.Count(f.log.String(), want); n != 1 {
				t.Errorf("%s: logged %d times", want, n)
			}
			update(t, nodes, a)
			if s := p.Status(); s.NodesErr != nil || !s.NodesSince.IsZero() || p.Ready() != nil {
				t.Errorf("%s: %+v, ready %v after a good list", want, s, p.Ready())
			}
		}
		if n := len(f.server("a").Logins()); n != 1 {
			t.Errorf("%d handshakes, want one all along", n)
		}
	})
}

func TestPoolStaleNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a")
		nodes := live(t, f.node("a", "node-a"))
		p := f.pool(nodes, func(c *sshtunnel.PoolConfig) { c.StaleAfter = -1 })
		nodes.Failed(errors.New("away"))
		if p.Status().NodesErr == nil {
			t.Error("the status is silent")
		}
		time.Sleep(1000 * time.Hour)
		if err := p.Ready(); err != nil {
			t.Error(err)
		}
	})
}

// A pool may be made before anything is known. It refuses all until then.
func TestPoolBeforeTheFirstList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "bastion")
		nodes := live(t)
		p := f.pool(nodes)
		if err := p.Ready(); !errors.Is(err, sshtunnel.ErrNoNodes) {
			t.Errorf("ready: %v", err)
		}
		if err := refusedDial(t, p, "tcp", "node-a:1"); !errors.Is(err, dialer.ErrNoRoute) || !strings.Contains(err.Error(), "no nodes") {
			t.Errorf("%v", err)
		}
		update(t, nodes, f.node("a", "node-a"))
		dial(t, p, "tcp", "node-a:1")
		if err := p.Ready(); err != nil {
			t.Error(err)
		}
		// A Default is there from the beginning.
		bastion := f.node("bastion")
		p = f.pool(live(t), func(c *sshtunnel.PoolConfig) { c.Default = &bastion })
		dial(t, p, "tcp", "node-a:1")
		if err := p.Ready(); err != nil || f.last("bastion") != "tcp node-a:1" {
			t.Errorf("ready %v, bastion was asked for %q", err, f.last("bastion"))
		}
	})
}

// slowNodes answers the looks that are held with what was true when they began.
type slowNodes struct {
	*sshtunnel.LiveNodes
	held chan struct{}
}

func (s *slowNodes) Current() (*sshtunnel.NodeList, error) {
	list, err := s.LiveNodes.Current()
	if s.held != nil {
		<-s.held
	}
	return list, err
}

// A look at the list that takes long brings nothing back that a later one has seen
// gone.
func TestPoolSlowLookUndoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		nodes := &slowNodes{LiveNodes: live(t, f.node("a", "node-a"))}
		p := f.pool(nodes)
		held := make(chan struct{})
		nodes.held = held
		failed := make(chan error)
		go func() {
			_, err := p.DialContext(t.Context(), "tcp", "node-a:1")
			failed <- err
		}()
		synctest.Wait()
		nodes.held = nil
		update(t, nodes.LiveNodes, f.node("b", "node-b"))
		dial(t, p, "tcp", "node-b:1")
		close(held)
		if err := <-failed; !errors.Is(err, dialer.ErrNoRoute) {
			t.Errorf("the dial that looked first: %v", err)
		}
		dial(t, p, "tcp", "node-b:1")
		if n := len(f.server("b").Logins()); n != 1 {
			t.Errorf("%d handshakes", n)
		}
	})
}
