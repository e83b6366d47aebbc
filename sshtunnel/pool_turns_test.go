package sshtunnel_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// crowd is a fleet of n nodes, all silent, that are dialed at once.
func crowd(t *testing.T, n int) (f *fleet, nodes []sshtunnel.Node, dialAll func(d dialer.Dialer)) {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	f = newFleet(t, append(names, "healthy")...)
	for _, name := range names {
		f.server(name).Set(func(k *sshtest.Knobs) { k.Silent = true })
		nodes = append(nodes, f.node(name, name))
	}
	nodes = append(nodes, f.node("healthy", "healthy"))
	return f, nodes, func(d dialer.Dialer) {
		for _, name := range names {
			go func() {
				if c, err := d.DialContext(t.Context(), "tcp", name+":1"); err == nil {
					c.Close()
				}
			}()
		}
	}
}

func (f *fleet) accepted() (n int) {
	for _, s := range f.servers {
		n += s.Accepted()
	}
	return n
}

// No more handshakes at once than allowed: the others wait for their turn.
func TestPoolBoundsHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, nodes, dialAll := crowd(t, 20)
		p := f.pool(list(t, nodes...), func(c *sshtunnel.PoolConfig) {
			c.MaxHandshakes, c.Template.Backoff, c.Template.DialTimeout = 4, -1, -1
		})
		dialAll(p)
		for want := 4; want <= 20; want += 4 {
			if n := settled(f.accepted); n != want || p.Status().Handshakes != 4 {
				t.Errorf("%d connections, %d handshakes; want %d and 4", n, p.Status().Handshakes, want)
			}
			time.Sleep(sshtunnel.DefaultHandshakeTimeout)
		}
		if n := settled(p.Status).Handshakes; n != 0 {
			t.Errorf("%d handshakes in the end", n)
		}
	})
}

// Dead nodes that are dialed all the time keep no other waiting, once they are known.
func TestPoolSuspectsLeaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, nodes, dialAll := crowd(t, 8)
		p := f.pool(list(t, nodes...), func(c *sshtunnel.PoolConfig) {
			c.MaxHandshakes, c.Template.Backoff, c.Template.DialTimeout = 4, -1, -1
		})
		dialAll(p)
		time.Sleep(2 * sshtunnel.DefaultHandshakeTimeout)
		if n := settled(f.accepted); n != 8 {
			t.Fatalf("%d connections, want 8 that failed", n)
		}
		dialAll(p)
		if n := settled(f.accepted); n != 10 || p.Status().Handshakes != 2 {
			t.Errorf("%d connections, %d handshakes; want 10 and 2", n, p.Status().Handshakes)
		}
		begin := time.Now()
		dial(t, p, "tcp", "healthy:1")
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("a healthy node waited %v for dead ones", waited)
		}
		time.Sleep(4 * sshtunnel.DefaultHandshakeTimeout) // for the dials that wait
	})
}

// A dead node is known for that even where nobody has the patience to see it fail.
func TestPoolSuspectsTheGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, nodes, _ := crowd(t, 4)
		p := f.pool(list(t, nodes...), func(c *sshtunnel.PoolConfig) {
			c.MaxHandshakes, c.Template.DialTimeout = 2, 2*time.Second
		})
		for i := range 4 {
			refusedDial(t, p, "tcp", fmt.Sprintf("n%d:1", i))
		}
		synctest.Wait() // the last handshake is being ended
		failed := make(chan error)
		for i := range 4 {
			go func() {
				_, err := p.DialContext(t.Context(), "tcp", fmt.Sprintf("n%d:1", i))
				failed <- err
			}()
		}
		if n := settled(p.Status).Handshakes; n != 1 {
			t.Errorf("%d handshakes with dead nodes, want 1", n)
		}
		begin := time.Now()
		dial(t, p, "tcp", "healthy:1")
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("a healthy node waited %v for dead ones", waited)
		}
		for range 4 {
			if err := <-failed; err == nil {
				t.Error("no error")
			}
		}
	})
}

// Waiting for a turn ends with the caller, and says nothing against the node.
func TestPoolTurnIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, nodes, dialAll := crowd(t, 1)
		p := f.pool(list(t, nodes...), func(c *sshtunnel.PoolConfig) { c.MaxHandshakes = 1 })
		dialAll(p)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := p.DialContext(ctx, "tcp", "healthy:1")
		de, ok := err.(*dialer.Error)
		if !ok || !de.Timeout() || de.Hop != "ssh healthy" || time.Since(begin) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if n := f.server("healthy").Accepted(); n != 0 {
			t.Errorf("%d connections out of turn", n)
		}
		time.Sleep(sshtunnel.DefaultHandshakeTimeout)
		dial(t, p, "tcp", "healthy:1")
	})
}
