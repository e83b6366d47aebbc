package sshtunnel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// dead is a Via that refuses, and counts how often it is asked.
type dead struct{ asked atomic.Int32 }

func (d *dead) DialContext(context.Context, string, string) (net.Conn, error) {
	d.asked.Add(1)
	return nil, syscall.ECONNREFUSED
}

// TestBackoff: a dead server is left alone for longer and longer. Dials fail at
// once meanwhile, with what is wrong, and other routes may be tried.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		via := new(dead)
		d, server := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) { c.Via, c.Backoff, c.MaxBackoff = via, time.Second, 10*time.Second })
		begin := time.Now()
		for time.Since(begin) < time.Minute {
			at := time.Now()
			err := refusedDial(t, d, "tcp", anywhere)
			if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSSH) || !errors.Is(err, dialer.ErrRefused) || !dialer.Retryable(err) || !time.Now().Equal(at) {
				t.Fatalf("got %v; want it refused at hop ssh, at once", err)
			}
			s := d.Status()
			if s.State != sshtunnel.Waiting || !s.RetryAt.After(at) || d.Ready() == nil {
				t.Fatalf("after a failure the status is %+v, ready %v", s, d.Ready())
			}
			time.Sleep(100 * time.Millisecond)
		}
		// Waits of at most 1, 2, 4, 8, 10, 10, ... seconds and at least half of it.
		if n := via.asked.Load(); n < 8 || n > 17 {
			t.Errorf("a dead server was asked %d times in a minute", n)
		}
		waiting := refusedDial(t, d, "tcp", anywhere)
		if be, ok := errors.AsType[*sshtunnel.BackoffError](waiting); ok && !be.RetryAt.Equal(d.Status().RetryAt) {
			t.Errorf("%v, and the status says %v", waiting, d.Status().RetryAt)
		}
		time.Sleep(10 * time.Second)
		if err := d.Ready(); err != nil {
			t.Errorf("once the wait is over it is not ready: %v", err)
		}
		if n := len(server.Logins()); n != 0 {
			t.Errorf("%d logins of a server that nobody can reach", n)
		}
	})
}

// TestBackoffEndsWithSuccess: the next failure starts with the shortest wait.
func TestBackoffEndsWithSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		var server *sshtest.Server
		d, server := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) {
			real := c.Via
			c.Backoff = time.Second
			c.Via = dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
				if down.Load() {
					return nil, syscall.ECONNREFUSED
				}
				return real.DialContext(ctx, network, address)
			})
		})
		fail := func() time.Duration {
			refusedDial(t, d, "tcp", anywhere)
			wait := time.Until(d.Status().RetryAt)
			time.Sleep(wait)
			return wait
		}
		for range 4 {
			fail()
		}
		down.Store(false)
		talk(t, dial(t, d, "tcp", anywhere), "up")
		if s := d.Status(); s.Err != nil || s.State != sshtunnel.Connected || !s.RetryAt.IsZero() {
			t.Errorf("after a success the status is %+v", s)
		}
		down.Store(true)
		server.DropConns()
		synctest.Wait()
		if wait := fail(); wait > time.Second {
			t.Errorf("the first failure after a success waits %v", wait)
		}
	})
}

// TestUselessServerIsLeftAlone: one that lets the client in and hangs up is as
// good as one that does not let it in.
func TestUselessServerIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, server := inMemory(t, sshtest.Knobs{IgnoreOpens: true}, func(c *sshtunnel.Config) { c.Backoff = time.Minute })
		go func() {
			for range 10 {
				synctest.Wait()
				server.DropConns()
				time.Sleep(time.Millisecond)
			}
		}()
		err := refusedDial(t, d, "tcp", anywhere)
		if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSSH) || !dialer.Retryable(err) {
			t.Errorf("got %v", err)
		}
		if n := len(server.Logins()); n != 1 {
			t.Errorf("%d logins in a row, want one", n)
		}
		time.Sleep(time.Second)
	})
}

// TestNobodyWaits: a wait for a turn that every dial has given up ends, is no failure
// of the server, and the next dial waits for its own.
func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		var first atomic.Bool
		first.Store(true)
		d, server := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) {
			c.Backoff = time.Minute
			c.Admit = func(ctx context.Context) (func(), error) {
				if first.CompareAndSwap(true, false) {
					<-ctx.Done()
					ended <- ctx.Err()
					return nil, ctx.Err()
				}
				return nil, nil
			}
		})
		short, cancelShort := context.WithCancel(t.Context())
		long, cancelLong := context.WithCancel(t.Context())
		failed := make(chan error, 2)
		for _, ctx := range []context.Context{short, long} {
			go func() {
				_, err := d.DialContext(ctx, "tcp", anywhere)
				failed <- err
			}()
		}
		synctest.Wait()
		if s := d.Status(); s.State != sshtunnel.Connecting {
			t.Errorf("the status is %+v", s)
		}
		cancelShort()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("the wait ended with the first of two who waited")
		default:
		}
		cancelLong()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		<-ended
		talk(t, dial(t, d, "tcp", anywhere), "at once")
		if n := len(server.Logins()); n != 1 {
			t.Errorf("%d logins", n)
		}
	})
}

// TestAdmit: a handshake waits for its turn, and gives it back however it ends.
func TestAdmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var held, most atomic.Int32
		turn := make(chan struct{})
		d, server := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) {
			c.Admit = func(ctx context.Context) (func(), error) {
				select {
				case <-turn:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
				most.Store(max(most.Load(), held.Add(1)))
				return func() { held.Add(-1) }, nil
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour/2)
		defer cancel()
		if _, err := d.DialContext(ctx, "tcp", anywhere); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a turn: %v", err)
		}
		if server.Accepted() != 0 {
			t.Error("the server was connected to out of turn")
		}
		for i := range 2 {
			go func() { turn <- struct{}{} }()
			if i == 0 {
				server.Set(func(k *sshtest.Knobs) { k.StallAuth = true })
				refusedDial(t, d, "tcp", anywhere)
				server.Set(func(k *sshtest.Knobs) { k.StallAuth = false })
			} else {
				talk(t, dial(t, d, "tcp", anywhere), "admitted")
			}
			synctest.Wait()
			if held.Load() != 0 {
				t.Error("the turn is not given back")
			}
		}
		if most.Load() != 1 {
			t.Errorf("%d turns at once", most.Load())
		}
	})
}

// TestReadyAsksVia: without a client, a dialer is as ready as what it needs.
func TestReadyAsksVia(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, _ := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) { c.Via, c.Backoff = new(dead), time.Minute })
		outer, _ := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) { c.Via = inner })
		if err := outer.Ready(); err != nil {
			t.Errorf("before anything has failed: %v", err)
		}
		err := refusedDial(t, outer, "tcp", anywhere)
		if outer.Ready() == nil {
			t.Error("a chain is ready whose first bastion is down")
		}
		if de, ok := errors.AsType[*dialer.Error](err); !ok || de.Hop != "ssh 192.0.2.22:22" || de.Address != anywhere {
			t.Errorf("the error is %+v", de)
		}
	})
}

// TestTrace: the hooks are told once each.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials, handshakes, ends atomic.Int32
		d, server := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) {
			c.Trace = &sshtunnel.Trace{
				DialDone:      func(sshtunnel.DialInfo, time.Duration, error) { dials.Add(1) },
				HandshakeDone: func(sshtunnel.ServerInfo, time.Duration, error) { handshakes.Add(1) },
				ClientClosed: func(_ sshtunnel.ServerInfo, err error) {
					if err == nil {
						t.Error("a server that hangs up is not told of")
					}
					ends.Add(1)
				},
			}
		})
		c := dial(t, d, "tcp", anywhere)
		refusedDial(t, d, "udp", anywhere)
		server.DropConns()
		if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF || !errors.Is(err, dialer.ErrReset) {
			t.Errorf("a lost client ends a conn with %v", err)
		}
		synctest.Wait()
		if dials.Load() != 2 || handshakes.Load() != 1 || ends.Load() != 1 {
			t.Errorf("%d dials, %d handshakes, %d ends", dials.Load(), handshakes.Load(), ends.Load())
		}
	})
}
