package grpc

import (
	"bytes"
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
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/wire"
)

// modes are the three things a tunnel can speak.
var modes = map[string]options{
	"streams": func(*Server, *Agent) {},
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

// 0 of 200 lost: bytes written before a close arrive, from either side.
func TestWriteThenCloseThroughTheTunnel(t *testing.T) {
	leak.Check(t)
	for name, mode := range modes {
		for _, size := range []int{5, 64 << 10, 1 << 20} {
			for _, up := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s,size=%d,up=%v", name, size, up), func(t *testing.T) {
					tu := loopback(t, mode)
					want := bytes.Repeat([]byte("s"), size)
					for i := range 200 >> (size >> 18) {
						if got, err := writeThenClose(t, tu, want, up); err != nil || !bytes.Equal(got, want) {
							t.Fatalf("round %d: %d of %d bytes, %v", i, len(got), size, err)
						}
					}
				})
			}
		}
	}
}

// writeThenClose has one side write b and close, and returns what the other side
// has read.
func writeThenClose(t *testing.T, tu *tunnel, b []byte, up bool) ([]byte, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := tu.session.Open(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	target, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	from, to := conn, target
	if !up {
		from, to = target, conn
	}
	go func() {
		from.Write(b)
		from.Close()
	}()
	return io.ReadAll(to)
}

// 8 MiB in one Write arrive.
func TestLargeWrite(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			tu := loopback(t, mode)
			want := bytes.Repeat([]byte("8 bytes "), 1<<20)
			for _, up := range []bool{true, false} {
				if got, err := writeThenClose(t, tu, want, up); err != nil || !bytes.Equal(got, want) {
					t.Errorf("up %v: %d bytes, %v", up, len(got), err)
				}
			}
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

// What an agent had received in full it delivers, though the tunnel is gone.
func TestLastBytesOfALostTunnel(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		tu, targets := inMemory(t, mode)
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		want := strings.Repeat("last words ", 1000)
		conn.Write([]byte(want))
		conn.Close()
		time.Sleep(time.Second)
		tu.session.Close()
		time.Sleep(time.Second)
		var got []byte
		for len(got) < len(want) {
			b := make([]byte, 1000)
			n, err := target.Read(b)
			got = append(got, b[:n]...)
			if err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if string(got) != want {
			t.Errorf("the target got %d of %d bytes", len(got), len(want))
		}
		target.Close()
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

// After a Flush a Close cuts nothing off.
func TestFlushBeforeClose(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		tu, targets := inMemory(t, mode)
		var conns, ends []net.Conn
		for range 5 {
			conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
			if err != nil {
				t.Fatal(err)
			}
			conns, ends = append(conns, conn), append(ends, <-targets.conns)
		}
		for _, c := range conns {
			c.Write(make([]byte, 50_000))
			c.Close()
		}
		if err := tu.session.Flush(t.Context()); err != nil {
			t.Errorf("Flush: %v", err)
		}
		tu.session.Close()
		for _, target := range ends {
			if got, err := io.ReadAll(target); len(got) != 50_000 || err != nil {
				t.Errorf("a target got %d bytes, %v", len(got), err)
			}
			target.Close()
		}
		if err := tu.session.Flush(t.Context()); err == nil {
			t.Error("Flush of a closed session")
		}
		tu.stop()
	})
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
		(<-targets.conns).Close()
		for _, want := range []string{"true DIAL_REQ", "false DIAL_RSP", "true CLOSE_REQ", "false CLOSE_RSP"} {
			if got := <-seen; got != "server "+want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		tu.stop()
	})
}

// A target may take its time over what was written before the close.
func TestSlowTargetAfterClose(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		tu, targets := inMemory(t, mode)
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		want := strings.Repeat("0123456789", 20_000)
		go func() {
			conn.Write([]byte(want))
			conn.Close()
		}()
		var got strings.Builder
		for range 20 {
			time.Sleep(15 * time.Second)
			got.WriteString(readString(t, target, 10_000))
		}
		if got.String() != want {
			t.Error("the target got other bytes than were sent")
		}
		if n, err := target.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("and then %d, %v", n, err)
		}
		target.Close()
		time.Sleep(time.Minute)
		if tu.session.Load() != 0 || tu.agent.Serving() != 0 {
			t.Errorf("%d and %d are open", tu.session.Load(), tu.agent.Serving())
		}
		tu.stop()
	})
}
