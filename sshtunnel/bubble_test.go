package sshtunnel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// inMemory is a server in a synctest bubble, whose targets all echo, and a
// Dialer through it with the defaults.
func inMemory(t *testing.T, knobs sshtest.Knobs, turn ...func(*sshtunnel.Config)) (*sshtunnel.Dialer, *sshtest.Server) {
	t.Helper()
	server := sshtest.New(t, sshtest.Options{
		Knobs: knobs,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			a, b := sshtest.Pipe()
			go func() {
				defer b.Close()
				io.Copy(b, b)
			}()
			return a, nil
		},
	})
	cfg := sshtunnel.Config{
		Address: "192.0.2.22:22", User: "tunnel", Via: server,
		HostKeys:    sshtunnel.PinnedKeys(server.HostKey()),
		Credentials: credentials(sshtunnel.StaticSigners(userKey())),
		Backoff:     -1,
	}
	for _, f := range turn {
		f(&cfg)
	}
	return newDialer(t, cfg), server
}

const anywhere = "192.0.2.80:80"

// TestSlowHandshakeIsBounded: a server that never comes to the point costs the
// handshake's time and nothing after it.
func TestSlowHandshakeIsBounded(t *testing.T) {
	for name, knobs := range map[string]sshtest.Knobs{
		"silent": {Silent: true}, "trickle": {Trickle: time.Second}, "authentication": {StallAuth: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, server := inMemory(t, knobs)
				begin := time.Now()
				err := refusedDial(t, d, "tcp", anywhere)
				if took := time.Since(begin); took > sshtunnel.DefaultHandshakeTimeout {
					t.Errorf("it took %v, want at most %v", took, sshtunnel.DefaultHandshakeTimeout)
				}
				if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSSH) || !dialer.Retryable(err) {
					t.Errorf("got %v; want an error of hop ssh, after which another route may be tried", err)
				}
				if name != "trickle" && dialer.KindOf(err) != dialer.Timeout {
					// Of a server that talks too much, package ssh tires before.
					t.Errorf("got %v; want a timeout", err)
				}
				synctest.Wait()
				if n := server.Conns(); n != 0 {
					t.Errorf("%d connections to the server are left", n)
				}
				server.Set(func(k *sshtest.Knobs) { *k = sshtest.Knobs{} })
				talk(t, dial(t, d, "tcp", anywhere), "now it works")
			})
		})
	}
}

// TestFrozenPathIsNoticed: nobody resets a conn whose path has gone.
func TestFrozenPathIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, server := inMemory(t, sshtest.Knobs{})
		c := dial(t, d, "tcp", anywhere)
		talk(t, c, "before")
		time.Sleep(time.Hour) // keepalives keep it
		talk(t, c, "an hour later")

		server.Freeze()
		begin := time.Now()
		n, err := c.Read(make([]byte, 1))
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("noticed after %v, want at most 15s", took)
		}
		if n != 0 || err == nil || err == io.EOF || !errors.Is(err, sshtunnel.ErrUnresponsive) {
			t.Errorf("got %d, %v; want ErrUnresponsive", n, err)
		}
		if _, err := c.Write([]byte("x")); err == nil {
			t.Error("writing goes on over a dead client")
		}
		if s := d.Status(); s.State == sshtunnel.Connected || !errors.Is(s.Err, sshtunnel.ErrUnresponsive) {
			t.Errorf("the status is %+v", s)
		}
		server.Thaw()
		talk(t, dial(t, d, "tcp", anywhere), "after")
		if n := len(server.Logins()); n != 2 {
			t.Errorf("%d logins, want 2", n)
		}
	})
}

// TestFrozenPathEndsBlockedWrites: a writer that waits for window finds out, too.
func TestFrozenPathEndsBlockedWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, server := inMemory(t, sshtest.Knobs{})
		c := dial(t, d, "tcp", anywhere)
		server.Freeze()
		begin := time.Now()
		var err error
		for err == nil {
			_, err = c.Write(make([]byte, 64<<10))
		}
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("noticed after %v, want at most 15s", took)
		}
		if !errors.Is(err, sshtunnel.ErrUnresponsive) {
			t.Errorf("got %v; want ErrUnresponsive", err)
		}
	})
}

// TestFrozenDuringDial: a dial over a path that freezes does not wait longer
// than the keepalives do.
func TestFrozenDuringDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, server := inMemory(t, sshtest.Knobs{})
		dial(t, d, "tcp", anywhere)
		server.Freeze()
		begin := time.Now()
		err := refusedDial(t, d, "tcp", anywhere)
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("noticed after %v, want at most 15s", took)
		}
		if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSSH) || !dialer.Retryable(err) {
			t.Errorf("got %v; want an error of hop ssh, after which another route may be tried", err)
		}
	})
}

// TestEndlessOpensAreBounded: a server that never answers an open cannot make
// dials wait for good, nor let what they gave up pile up.
func TestEndlessOpensAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, held = 8, 5
		d, server := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) { c.MaxConns = limit })
		for range held {
			dial(t, d, "tcp", anywhere)
		}
		server.Set(func(k *sshtest.Knobs) { k.IgnoreOpens = true })
		giveUp(t, d, limit-held)
		for range 100 {
			begin := time.Now()
			err := refusedDial(t, d, "tcp", anywhere)
			if took := time.Since(begin); took != 0 || !errors.Is(err, sshtunnel.ErrBusy) || !dialer.Retryable(err) {
				t.Fatalf("got %v after %v; want ErrBusy at once, and another route to be tried", err, took)
			}
		}
		if n := server.Opens(); n != limit {
			t.Errorf("the server was asked for %d channels, want %d", n, limit)
		}
		if s := d.Status(); s.Unanswered != limit-held || s.Conns != held {
			t.Errorf("with the others given up the status is %+v", s)
		}
		server.Set(func(k *sshtest.Knobs) { k.IgnoreOpens = false })
		server.Release()
		synctest.Wait()
		if s := d.Status(); s.Unanswered != 0 {
			t.Errorf("with all answered the status is %+v", s)
		}
		if n := server.Channels(); n != held {
			t.Errorf("%d channels are open at the server, want the %d that somebody holds", n, held)
		}
		talk(t, dial(t, d, "tcp", anywhere), "now it answers")
		if n := len(server.Logins()); n != 1 {
			t.Errorf("%d logins, want one", n)
		}
	})
}

// giveUp gives up n dials after a second each.
func giveUp(t *testing.T, d *sshtunnel.Dialer, n int) {
	t.Helper()
	for range n {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		begin := time.Now()
		_, err := d.DialContext(ctx, "tcp", anywhere)
		cancel()
		if took := time.Since(begin); took != time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v after %v; want its deadline after a second", err, took)
		}
	}
}

// TestHangingTargetsBlockNobody: where most channels belong to dials that were
// given up and the server still keeps, the others get a client of their own.
// Conns of the first stay, and it ends with the last.
func TestHangingTargetsBlockNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, held = 8, 3
		d, server := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) { c.MaxConns = limit })
		var conns []net.Conn
		for range held {
			conns = append(conns, dial(t, d, "tcp", anywhere))
		}
		server.Set(func(k *sshtest.Knobs) { k.IgnoreOpens = true })
		giveUp(t, d, limit-held)
		server.Set(func(k *sshtest.Knobs) { k.IgnoreOpens = false })
		talk(t, dial(t, d, "tcp", anywhere), "by a second client")
		if n := len(server.Logins()); n != 2 {
			t.Errorf("%d logins, want two", n)
		}
		for _, c := range conns {
			talk(t, c, "still by the first")
		}
		if s := d.Status(); s.Conns != held+1 || s.Unanswered != limit-held {
			t.Errorf("with two clients the status is %+v", s)
		}
		for _, c := range conns {
			c.Close()
		}
		time.Sleep(2 * time.Second) // the last words of a conn may be on their way
		synctest.Wait()
		if s := d.Status(); s.Conns != 1 || s.Unanswered != 0 || s.State != sshtunnel.Connected || server.Conns() != 1 {
			t.Errorf("the first client stays behind: %+v, %d connections at the server", s, server.Conns())
		}
	})
}

// TestOpenIsBoundedByDefault: a dial without a deadline has one.
func TestOpenIsBoundedByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := inMemory(t, sshtest.Knobs{IgnoreOpens: true})
		begin := time.Now()
		_, err := d.DialContext(context.Background(), "tcp", anywhere)
		if took := time.Since(begin); took != dialer.DefaultTimeout || dialer.KindOf(err) != dialer.Timeout {
			t.Errorf("got %v after %v; want a timeout after %v", err, took, dialer.DefaultTimeout)
		}
	})
}

// TestUnsolicitedReplies: replies that nobody asked for neither stop the client
// nor pass for a sign of life later.
func TestUnsolicitedReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, server := inMemory(t, sshtest.Knobs{ExtraReplies: 1000})
		c := dial(t, d, "tcp", anywhere)
		time.Sleep(10 * time.Minute)
		talk(t, c, "after 120 floods")
		server.Set(func(k *sshtest.Knobs) { *k = sshtest.Knobs{IgnoreRequests: true} })
		begin := time.Now()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, sshtunnel.ErrUnresponsive) {
			t.Errorf("got %v; want ErrUnresponsive", err)
		}
		if took := time.Since(begin); took > 20*time.Second {
			// The last answer may have come just before.
			t.Errorf("noticed after %v", took)
		}
	})
}

// TestDataIsASignOfLife: a server that does not answer keepalives but delivers
// is alive.
func TestDataIsASignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, server := inMemory(t, sshtest.Knobs{IgnoreRequests: true})
		c := dial(t, d, "tcp", anywhere)
		for range 120 {
			time.Sleep(time.Second)
			talk(t, c, "tick")
		}
		if n := len(server.Logins()); n != 1 {
			t.Errorf("%d logins, want one", n)
		}
	})
}

// TestUnsolicitedRequests: requests and channels from the server are refused,
// and disturb nobody.
func TestUnsolicitedRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, server := inMemory(t, sshtest.Knobs{GlobalRequests: 2000, Channels: 200})
		c := dial(t, d, "tcp", anywhere)
		synctest.Wait()
		talk(t, c, "undisturbed")
		if answered, refused := server.Refusals(); answered != 1000 || refused != 200 {
			t.Errorf("the client answered %d requests and refused %d channels, want 1000 and 200", answered, refused)
		}
		if n := server.Channels(); n != 1 {
			t.Errorf("%d channels are open, want one", n)
		}
	})
}

// TestExtendedDataStallsNobodyElse: a channel to a target has no second stream;
// what comes there stays within the channel's window.
func TestExtendedDataStallsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, server := inMemory(t, sshtest.Knobs{Stderr: 8 << 20})
		dial(t, d, "tcp", anywhere)
		synctest.Wait()
		server.Set(func(k *sshtest.Knobs) { *k = sshtest.Knobs{} })
		talk(t, dial(t, d, "tcp", anywhere), "a neighbour")
		time.Sleep(time.Minute)
		if n := len(server.Logins()); n != 1 {
			t.Errorf("%d logins, want one", n)
		}
	})
}

// TestIdleClientIsClosed: after IdleTimeout without conns, and not before.
func TestIdleClientIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, server := inMemory(t, sshtest.Knobs{})
		c := dial(t, d, "tcp", anywhere)
		time.Sleep(time.Hour)
		c.Close()
		time.Sleep(sshtunnel.DefaultIdleTimeout - time.Second)
		synctest.Wait()
		if n := server.Conns(); n != 1 {
			t.Fatalf("%d connections to the server before the timeout, want one", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := server.Conns(); n != 0 {
			t.Fatalf("%d connections to the server after the timeout, want none", n)
		}
		talk(t, dial(t, d, "tcp", anywhere), "again")
	})
}
