package sshtunnel_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// slowly takes that long before it connects.
func slowly(long time.Duration, d dialer.Dialer) dialer.Dialer {
	return dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
		select {
		case <-time.After(long):
			return d.DialContext(ctx, network, address)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
}

// impatient dials for a second and wants that to be too short.
func impatient(t *testing.T, d dialer.Dialer, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	begin := time.Now()
	c, err := d.DialContext(ctx, "tcp", address)
	if err == nil {
		c.Close()
	}
	if took := time.Since(begin); took != time.Second || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v after %v; want its deadline after a second", err, took)
	}
}

// TestSlowServerIsReached: a handshake that takes longer than any caller waits gets
// done all the same, and serves who comes next.
func TestSlowServerIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = 9 * time.Second / 2
		d, server := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) { c.Via = slowly(slow, c.Via) })
		begin := time.Now()
		for range 4 {
			impatient(t, d, anywhere)
		}
		talk(t, dial(t, d, "tcp", anywhere), "the fifth finds it under way")
		if took := time.Since(begin); took != slow {
			t.Errorf("reached after %v, want %v", took, slow)
		}
		server.DropConns()
		synctest.Wait()
		impatient(t, d, anywhere)
		time.Sleep(slow)
		begin = time.Now()
		talk(t, dial(t, d, "tcp", anywhere), "finds it done")
		if took := time.Since(begin); took != 0 {
			t.Errorf("the client was there, and a dial took %v", took)
		}
		if n := len(server.Logins()); n != 2 {
			t.Errorf("%d logins, want 2", n)
		}
	})
}

// TestLingeringHandshakeIsBounded: a server that never comes to the point is known for
// that although nobody had the patience to see it, and nothing is left of it.
func TestLingeringHandshakeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, server := inMemory(t, sshtest.Knobs{StallAuth: true}, func(c *sshtunnel.Config) { c.Backoff = time.Minute })
		begin := time.Now()
		impatient(t, d, anywhere)
		if s := settled(d.Status); s.State != sshtunnel.Connecting || server.Conns() != 1 {
			t.Errorf("the status is %+v, with %d connections", s, server.Conns())
		}
		time.Sleep(sshtunnel.DefaultHandshakeTimeout - time.Since(begin))
		if s := settled(d.Status); s.State != sshtunnel.Waiting || dialer.KindOf(s.Err) != dialer.Timeout || server.Conns() != 0 {
			t.Errorf("the status is %+v, with %d connections", s, server.Conns())
		}
		if err := refusedDial(t, d, "tcp", anywhere); !errors.As(err, new(*sshtunnel.BackoffError)) {
			t.Errorf("got %v; want a BackoffError", err)
		}
	})
}

// TestCloseEndsLingeringHandshake: Close ends it at once and waits for it.
func TestCloseEndsLingeringHandshake(t *testing.T) {
	for name, knobs := range map[string]sshtest.Knobs{"silent": {Silent: true}, "authentication": {StallAuth: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan error, 1)
				d, server := inMemory(t, knobs, func(c *sshtunnel.Config) {
					c.Trace = &sshtunnel.Trace{HandshakeDone: func(_ sshtunnel.ServerInfo, _ time.Duration, err error) { ended <- err }}
				})
				impatient(t, d, anywhere)
				begin := time.Now()
				d.Close()
				select {
				case err := <-ended:
					if !errors.Is(err, sshtunnel.ErrClosed) {
						t.Errorf("the handshake ended with %v; want ErrClosed", err)
					}
				default:
					t.Error("Close has not waited for the handshake")
				}
				if took := time.Since(begin); took != 0 || settled(server.Conns) != 0 {
					t.Errorf("Close took %v and left %d connections", took, server.Conns())
				}
			})
		})
	}
}

// TestLingeringHandshakeGoesIdle: a client that nobody comes for is closed like any
// idle one.
func TestLingeringHandshakeGoesIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, server := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) { c.Via = slowly(5*time.Second, c.Via) })
		impatient(t, d, anywhere)
		time.Sleep(4 * time.Second)
		if s := settled(d.Status); s.State != sshtunnel.Connected || server.Conns() != 1 {
			t.Errorf("the status is %+v, with %d connections", s, server.Conns())
		}
		time.Sleep(sshtunnel.DefaultIdleTimeout)
		if s := settled(d.Status); s.State != sshtunnel.Idle || s.Err != nil || server.Conns() != 0 {
			t.Errorf("the status is %+v, with %d connections", s, server.Conns())
		}
	})
}

// A slow node of a Pool is reached, too.
func TestPoolSlowNodeIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a")
		p := f.pool(list(t, f.node("a", "a")), func(c *sshtunnel.PoolConfig) {
			c.MaxHandshakes, c.Template.Via = 1, slowly(10*time.Second, f)
		})
		for range 9 {
			impatient(t, p, "a:1")
		}
		talk(t, dial(t, p, "tcp", "a:1"), "slow but there")
		if n := len(f.server("a").Logins()); n != 1 {
			t.Errorf("%d logins", n)
		}
	})
}

// Handshakes that nobody waits for keep within the bound, and leave half of it.
func TestPoolBoundsLingering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, nodes, _ := crowd(t, 20)
		p := f.pool(list(t, nodes...), func(c *sshtunnel.PoolConfig) {
			c.MaxHandshakes, c.Template.Backoff = 4, -1
		})
		for round := range 5 {
			gaveUp := make(chan struct{})
			for i := range 4 {
				go func() {
					defer func() { gaveUp <- struct{}{} }()
					host := fmt.Sprintf("n%d:1", 4*round+i)
					impatient(t, p, host)
				}()
			}
			// Two of those before linger, and give way to two of these.
			if n := settled(p.Status).Handshakes; n != 4 {
				t.Errorf("round %d: %d handshakes with dials that wait, want 4", round, n)
			}
			for range 4 {
				<-gaveUp
			}
			if n := settled(p.Status).Handshakes; n != 2 {
				t.Errorf("round %d: %d handshakes that nobody waits for, want 2", round, n)
			}
		}
		begin := time.Now()
		dial(t, p, "tcp", "healthy:1")
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("a healthy node waited %v for those that nobody waits for", waited)
		}
		time.Sleep(sshtunnel.DefaultHandshakeTimeout)
		if n := settled(p.Status).Handshakes; n != 0 {
			t.Errorf("%d handshakes in the end", n)
		}
	})
}

// A handshake that nobody waits for ends with its node, be there connections through
// the node or not.
func TestPoolNodeGoneEndsLingering(t *testing.T) {
	const limit = 4
	for name, held := range map[string]int{"unused": 0, "used": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, "a", "b")
				nodes := live(t, f.node("a", "a"), f.node("b", "b"))
				p := f.pool(nodes, func(c *sshtunnel.PoolConfig) {
					c.Template.MaxConns, c.Template.IdleTimeout = limit, -1
				})
				server := f.server("a")
				var conns []net.Conn
				for range held {
					conns = append(conns, dial(t, p, "tcp", "a:1"))
					server.Set(func(k *sshtest.Knobs) { k.IgnoreOpens = true })
					for range limit - held {
						impatient(t, p, "a:1") // after which the client takes no more
					}
				}
				server.Set(func(k *sshtest.Knobs) { *k = sshtest.Knobs{Silent: true} })
				impatient(t, p, "a:1")
				if n := settled(server.Conns); n != held+1 {
					t.Fatalf("%d connections, want a handshake and %d clients", n, held)
				}
				update(t, nodes, f.node("b", "b"))
				p.Status() // sees it
				if n := settled(server.Conns); n != held {
					t.Errorf("%d connections of a node that is gone, want %d", n, held)
				}
				for _, c := range conns {
					talk(t, c, "still there")
					c.Close()
				}
				time.Sleep(2 * time.Second)
				if s := settled(p.Status); s.Gone != 0 || server.Conns() != 0 {
					t.Errorf("the status is %+v, with %d connections", s, server.Conns())
				}
			})
		})
	}
}
