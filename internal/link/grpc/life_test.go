package grpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/wire"
)

// modes are the three things a tunnel can speak.
var modes = map[string]options{
	"windows": func(*Server, *Agent) {},
	"packets": packetsOnly,
	"plain":   plainPackets,
}

// eachMode runs f in a bubble for each.
func eachMode(t *testing.T, f func(t *testing.T, mode options)) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, mode) })
		})
	}
}

// The tunnel measures its round trip, and is dead when the far end falls silent.
func TestSilence(t *testing.T) {
	for name, mode := range modes {
		for _, agentMute := range []bool{true, false} {
			if name == "plain" && !agentMute {
				continue // gRPC watches a server of upstream's, with times of its own
			}
			t.Run(fmt.Sprintf("%s,agentMute=%v", name, agentMute), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					far, near := net.Pipe()
					road := newCutRoad(far)
					tu := connect(t, road, near, mode, func(l *Server, a *Agent) {
						l.KeepAlive, a.KeepAlive = 4*time.Second, 4*time.Second
						if !agentMute {
							l.KeepAlive = time.Hour // it is the agent that has to notice
						}
					})
					time.Sleep(time.Minute)
					if known := tu.session.RTT() > 0 && tu.agent.RTT() > 0; known != (name != "plain") {
						t.Errorf("RTT %v and %v", tu.session.RTT(), tu.agent.RTT())
					}
					select {
					case err := <-tu.down:
						t.Fatalf("the idle tunnel ended: %v", err)
					default:
					}
					begin := time.Now()
					road.cut()
					if agentMute {
						if err := <-tu.down; err == nil {
							t.Error("no reason")
						}
					} else {
						err := <-tu.ran
						if !strings.Contains(err.Error(), "no sign of life") {
							t.Errorf("Run: %v", err)
						}
						tu.ran <- err
					}
					if took := time.Since(begin); took > 16*time.Second {
						t.Errorf("that took %v", took)
					}
					road.Close()
					tu.stop()
				})
			})
		}
	}
}

// cutRoad is a conn over which, once cut, nothing comes and goes any more, and
// no error either.
type cutRoad struct {
	net.Conn
	dead   chan struct{}
	closed chan struct{}
}

func newCutRoad(c net.Conn) *cutRoad {
	return &cutRoad{Conn: c, dead: make(chan struct{}), closed: make(chan struct{})}
}

func (c *cutRoad) cut() { close(c.dead) }

func (c *cutRoad) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.dead:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (c *cutRoad) Write(p []byte) (int, error) {
	select {
	case <-c.dead:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

func (c *cutRoad) Close() error {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return c.Conn.Close()
}

// A tunnel that is lost resets what is open, at both ends.
func TestLostTunnel(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		far, near := net.Pipe()
		targets := newTargets()
		tu := connect(t, far, near, mode, func(l *Server, a *Agent) { a.Dial = targets.dial })
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		go target.Write([]byte("half an ans"))
		if got := readString(t, conn, 11); got != "half an ans" {
			t.Errorf("read %q", got)
		}
		far.Close()
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, dialer.ErrReset) {
			t.Errorf("the conn reads %v", err)
		}
		if _, err := conn.Write([]byte("x")); !errors.Is(err, dialer.ErrReset) {
			t.Errorf("the conn writes %v", err)
		}
		if _, err := target.Read(make([]byte, 1)); err == nil {
			t.Error("the target reads on")
		}
		conn.Close()
		if err := <-tu.down; err == nil {
			t.Error("no reason")
		}
		tu.stop()
	})
}

// Both ends announce that they leave. An agent that has drained has delivered
// everything, and says so by ending the call.
func TestDrain(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		left := make(chan struct{}, 1)
		tu, targets := inMemory(t, mode, func(l *Server, a *Agent) { a.ServerDraining = func() { left <- struct{}{} } })
		tu.session.Drain(t.Context())
		tu.session.Drain(t.Context())
		if tu.agent.Plain {
			synctest.Wait()
			if len(left) != 0 {
				t.Error("a stranger was told")
			}
		} else {
			<-left
		}
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		drained := make(chan struct{})
		go func() {
			tu.agent.Drain(t.Context())
			tu.agent.Close()
			close(drained)
		}()
		time.Sleep(time.Minute)
		if !tu.session.Draining() {
			t.Error("the session does not know")
		}
		select {
		case <-drained:
			t.Fatal("drained while a connection is open")
		default:
		}
		want := strings.Repeat("last words ", 10000)
		go func() {
			target.Write([]byte(want))
			target.Close()
		}()
		time.Sleep(time.Minute)
		got, err := io.ReadAll(conn)
		if string(got) != want || err != nil {
			t.Errorf("the last connection gave %d bytes, %v", len(got), err)
		}
		conn.Close()
		<-drained
		if err := <-tu.down; !errors.Is(err, io.EOF) {
			t.Errorf("the session ended with %v", err)
		}
		tu.stop()
	})
}

// Drain gives up with its context, and has nothing to do before the hello.
func TestDrainGivesUp(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		tu, targets := inMemory(t, mode)
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		tu.agent.Drain(ctx)
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("Drain took %v", took)
		}
		tu.stop()
		conn.Close()
		target.Close()
	})
	a := Agent{Hello: message.Hello{AgentID: "edge"}}
	far, near := net.Pipe()
	a.Start(near)
	a.Drain(t.Context())
	a.Close()
	a.Finish(t.Context())
	far.Close()
}

// Beyond MaxConns nothing is opened, by the one who bounds it.
func TestMaxConns(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		tu, targets := inMemory(t, mode, func(l *Server, a *Agent) { l.MaxConns, a.MaxConns = 3, 2 })
		var conns []net.Conn
		for range 2 {
			conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn, <-targets.conns)
		}
		_, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if _, ok := errors.AsType[*link.Refusal](err); !ok || !strings.Contains(err.Error(), "2") {
			t.Errorf("the third at the agent: %v", err)
		}
		tu.session.l.MaxConns = 2
		_, err = tu.session.Open(t.Context(), "tcp", "x:1")
		if _, ok := errors.AsType[*link.Refusal](err); ok || err == nil {
			t.Errorf("the third at the server: %v", err)
		}
		for _, c := range conns {
			c.Close()
		}
		time.Sleep(time.Minute)
		if tu.session.Load() != 0 || tu.agent.Serving() != 0 {
			t.Errorf("at the end %d and %d are open", tu.session.Load(), tu.agent.Serving())
		}
		tu.stop()
	})
}

// Packets are told of, by type and direction.
func TestPacketHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := make(chan string, 100)
		tu, targets := inMemory(t, plainPackets, func(l *Server, a *Agent) {
			l.OnPacket = func(out bool, typ wire.Type) { seen <- fmt.Sprint("server ", out, " ", typ) }
		})
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		time.Sleep(time.Minute) // so that the target does not close first
		(<-targets.conns).Close()
		for _, want := range []string{"true DIAL_REQ", "false DIAL_RSP", "true CLOSE_REQ", "false CLOSE_RSP"} {
			if got := <-seen; got != "server "+want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		tu.stop()
	})
}
