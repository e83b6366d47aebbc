package sshtunnel_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/sshtunnel"
)

// What was written before the last Close arrives, although with that conn the client
// has nothing left to live for.
func TestClientEndsBehindItsLastBytes(t *testing.T) {
	for name, start := range map[string]func(*testing.T, sshtunnel.Config) (d dialer.Dialer, forsake func()){
		"idle for long enough": func(t *testing.T, cfg sshtunnel.Config) (dialer.Dialer, func()) {
			cfg.Address, cfg.IdleTimeout = "a:22", time.Second
			return newDialer(t, cfg), func() {}
		},
		"node gone": func(t *testing.T, cfg sshtunnel.Config) (dialer.Dialer, func()) {
			nodes := live(t, sshtunnel.Node{Name: "a", Address: "a:22"})
			p := testkit.Must(sshtunnel.NewPool(sshtunnel.PoolConfig{Nodes: nodes, Template: cfg}))(t)
			t.Cleanup(func() { p.Close() })
			return p.On("a"), func() {
				update(t, nodes, sshtunnel.Node{Name: "b", Address: "b:22"})
				p.Status() // has it look
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				arrived := 0
				s := sshtest.New(t, sshtest.Options{Dial: func(context.Context, string, string) (net.Conn, error) {
					near, far := sshtest.Pipe()
					go func() {
						n, _ := io.Copy(io.Discard, far)
						arrived = int(n)
						far.Close()
					}()
					return near, nil
				}})
				d, forsake := start(t, sshtunnel.Config{
					User: "egress", Via: s, HostKeys: sshtunnel.PinnedKeys(s.HostKey()),
					Credentials: []sshtunnel.Credentials{sshtunnel.StaticSigners(userKey())},
				})
				c := dial(t, d, "tcp", "sink:1")
				synctest.Wait() // package ssh is done with the handshake: it waits with locks otherwise
				s.Freeze()
				const size = 100 << 10 // more than the path to the server holds
				if n, err := c.Write(make([]byte, size)); n != size || err != nil {
					t.Fatal(n, err)
				}
				forsake()
				c.Close()
				time.Sleep(time.Second)
				s.Thaw()
				time.Sleep(3 * time.Second)
				if n := settled(s.Conns); n != 0 || arrived != size {
					t.Errorf("%d bytes arrived of %d; %d clients left", arrived, size, n)
				}
			})
		})
	}
}

// A client whose server confirms nothing ends all the same.
func TestClientEndsWithoutConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		nodes := live(t, f.node("a", "node-a"))
		p := f.pool(nodes, func(c *sshtunnel.PoolConfig) { c.Template.KeepAlive = -1 })
		c := dial(t, p, "tcp", "node-a:1")
		synctest.Wait()
		f.server("a").Freeze()
		defer f.server("a").Thaw()
		update(t, nodes, f.node("b", "node-b"))
		if s := p.Status(); s.Gone != 1 {
			t.Errorf("%+v", s)
		}
		c.Close()
		time.Sleep(29 * time.Second)
		if s := settled(p.Status); s.Gone != 1 {
			t.Errorf("%+v before what was written had its time", s)
		}
		time.Sleep(2 * time.Second)
		if s := settled(p.Status); s.Gone != 0 {
			t.Errorf("%+v", s)
		}
	})
}
