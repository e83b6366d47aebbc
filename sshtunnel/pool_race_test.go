package sshtunnel_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/sshtunnel"
)

// Dials, updates that take nodes away and bring them back, and questions at the same
// time: a dial ends well or says that the node is not there, and nothing is left.
func TestPoolDialsDuringUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b", "c")
		all := []sshtunnel.Node{f.node("a", "node-a"), f.node("b", "node-b"), f.node("c", "node-c")}
		nodes := live(t, all...)
		p := f.pool(nodes)
		var reached, refused atomic.Int32
		var running sync.WaitGroup
		for i := range 6 {
			running.Go(func() {
				for j := range 50 {
					host := all[(i+j)%3].Hosts[0]
					c, err := p.DialContext(t.Context(), "tcp", host+":1")
					if err == nil {
						reached.Add(1)
						if _, err := c.Write([]byte("x")); err != nil {
							t.Errorf("a conn of %s: %v", host, err)
						}
						c.Close()
						continue
					}
					refused.Add(1)
					if !errors.Is(err, dialer.ErrNoRoute) {
						t.Errorf("%s: %v", host, err)
					}
				}
			})
		}
		running.Go(func() {
			for i := range 50 {
				if err := nodes.Update(all[i%3]); err != nil {
					t.Error(err)
				}
				p.Nodes()
				if err := nodes.Update(all...); err != nil {
					t.Error(err)
				}
				p.Status()
				p.Ready()
			}
		})
		running.Wait()
		if reached.Load() == 0 {
			t.Errorf("%d dials refused, and none reached its node", refused.Load())
		}
		update(t, nodes, all[0])
		p.Status()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := p.Status(); s.Gone != 0 || s.Nodes != 1 {
			t.Errorf("%+v", s)
		}
		if b, c := f.server("b").Conns(), f.server("c").Conns(); b != 0 || c != 0 {
			t.Errorf("%d and %d clients left", b, c)
		}
	})
}
