package grpc

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/wire"
)

// anOwnAgent is the metadata of an agent of ours.
var anOwnAgent = metadata.Join(anAgent, metadata.Pairs(keyFeatures, "windows,half-close"))

// ownSession runs a Server against a test's own agent of our kind.
func ownSession(t testing.TB, tune func(*Server)) (*Session, *rawAgent) {
	t.Helper()
	return rawSessionOf(t, anOwnAgent, tune)
}

// The agent of ours resets a target for which nobody waits any more.
func TestUnwantedTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		tu, targets := inMemory(t, func(l *Server, a *Agent) {
			dial := a.Dial
			a.Dial = func(context.Context, string, string) (net.Conn, error) {
				<-release // and it does not heed its context
				return dial(context.Background(), "", "")
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		ch := openLater(ctx, tu.session, "x:1")
		synctest.Wait()
		cancel()
		<-ch
		close(release)
		target := <-targets.conns
		if _, err := target.Read(make([]byte, 1)); err == nil {
			t.Error("the target is still connected")
		}
		time.Sleep(time.Minute)
		if tu.session.Load() != 0 || tu.agent.Serving() != 0 {
			t.Errorf("%d and %d are open", tu.session.Load(), tu.agent.Serving())
		}
		tu.stop()
	})
}

// A reset gets through though the way is full, and frees both ends.
func TestResetOfAStalledStream(t *testing.T) {
	for _, up := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			tu, targets := inMemory(t)
			conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
			if err != nil {
				t.Fatal(err)
			}
			target := <-targets.conns
			from := conn
			if !up {
				from = target
			}
			go from.Write(make([]byte, 10<<20))
			time.Sleep(time.Minute)
			reset(conn, errors.New("enough"))
			time.Sleep(time.Second)
			if tu.session.Load() != 0 || tu.agent.Serving() != 0 {
				t.Errorf("up %v: %d and %d are open", up, tu.session.Load(), tu.agent.Serving())
			}
			tu.stop()
			target.Close()
		})
	}
}

// A connection that stalls holds up no other, for any length of time.
func TestStalledStreamsHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tu, targets := inMemory(t)
		var stalled []net.Conn
		for i := range 40 {
			conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
			if err != nil {
				t.Fatal(err)
			}
			target := <-targets.conns
			stalled = append(stalled, conn, target)
			go stalled[2*i+i%2].Write(make([]byte, 10<<20))
		}
		time.Sleep(time.Hour)
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		begin := time.Now()
		for range 100 {
			conn.Write([]byte("there"))
			readString(t, target, 5)
			target.Write([]byte("back"))
			readString(t, conn, 4)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("100 echoes beside stalled connections took %v", took)
		}
		if n := tu.session.Load(); n != 41 {
			t.Errorf("%d connections are left of 41", n)
		}
		conn.Close()
		target.Close()
		for _, c := range stalled {
			c.Close()
		}
		tu.stop()
	})
}

// An agent, or a server, that sends beyond the window of a connection has broken
// the protocol, and the tunnel ends.
func TestPeerBeyondItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := ownSession(t, func(*Server) {})
		ch := openLater(t.Context(), s, "x:1")
		req := expect(t, r.stream, wire.DialReq)
		if req.Window != 28<<10 {
			t.Errorf("the agent is granted %d bytes more", req.Window)
		}
		send(t, r.stream, &wire.Packet{Type: wire.DialRsp, Random: req.Random, ConnectID: 1})
		conn := (<-ch).conn
		send(t, r.stream, dataOf(1, strings.Repeat("x", 32<<10)))
		synctest.Wait()
		if s.Load() != 1 {
			t.Fatalf("within the window: %v", s.why())
		}
		send(t, r.stream, dataOf(1, "x"))
		<-s.Done()
		if err := s.why(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("beyond it: %v", err)
		}
		conn.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		targets := newTargets()
		header := metadata.Join(upstreamHeader, metadata.Pairs(keyFeatures, "windows,half-close"))
		r := newRawServer(t, header, nil, func(a *Agent) { a.Dial = targets.dial })
		send(t, r.stream, &wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: "x:1", Random: 11})
		rsp := expect(t, r.stream, wire.DialRsp)
		if rsp.Window != 28<<10 {
			t.Errorf("the server is granted %d bytes more", rsp.Window)
		}
		target := <-targets.conns
		r.stream.SendMsg(dataOf(rsp.ConnectID, strings.Repeat("x", 40<<10)))
		err := <-r.ran
		r.ran <- nil
		if !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("Run: %v", err)
		}
		target.Close()
	})
}

// A thousand connections that stall, either way, hold no more than the memory at
// the end that would read, and one more that is read gets through beside them.
func TestMemoryOfStalledStreams(t *testing.T) {
	const memory, stalled = 8 << 20, 1000
	for _, up := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			tu, targets := inMemory(t, func(l *Server, a *Agent) { l.Memory, a.Memory = memory, memory })
			targets.conns = make(chan net.Conn, stalled+1)
			var all []net.Conn
			for range stalled {
				conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
				if err != nil {
					t.Fatal(err)
				}
				target := <-targets.conns
				all = append(all, conn, target)
				from := conn
				if !up {
					from = target
				}
				go from.Write(make([]byte, 1<<20))
			}
			time.Sleep(time.Minute)
			for end, c := range map[string]*packet.Carrier{"server": tu.session.control, "agent": tu.agent.control} {
				if used := c.WindowMemory(); used > memory || used < stalled*packet.StartWindow {
					t.Errorf("up %v: the %s grants %d bytes of %d", up, end, used, memory)
				}
			}
			conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
			if err != nil {
				t.Fatal(err)
			}
			target := <-targets.conns
			begin := time.Now()
			go func() {
				conn.Write([]byte(strings.Repeat("there", 10_000)))
				target.Write([]byte(strings.Repeat("back!", 10_000)))
			}()
			readString(t, target, 50_000)
			readString(t, conn, 50_000)
			if took := time.Since(begin); took > time.Second {
				t.Errorf("up %v: 50 kB beside them took %v", up, took)
			}
			for _, c := range append(all, conn, target) {
				c.Close()
			}
			time.Sleep(time.Minute)
			if used := tu.session.control.WindowMemory() + tu.agent.control.WindowMemory(); used != 0 {
				t.Errorf("up %v: %d bytes are granted to nobody", up, used)
			}
			tu.stop()
		})
	}
}

// A dial for which there is no window is refused, at the end that has none, and
// succeeds again when a connection has ended.
func TestDialsBeyondTheMemory(t *testing.T) {
	for name, tune := range map[string]options{
		"the server": func(l *Server, _ *Agent) { l.Memory = 3 * packet.StartWindow },
		"the agent":  func(_ *Server, a *Agent) { a.Memory = 3 * packet.StartWindow },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tu, targets := inMemory(t, tune)
				var all []net.Conn
				for range 3 {
					conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, conn, <-targets.conns)
				}
				for range 3 {
					_, err := tu.session.Open(t.Context(), "tcp", "x:1")
					if err == nil || !strings.Contains(err.Error(), "memory") {
						t.Errorf("one too many: %v", err)
					}
				}
				all[0].Close()
				time.Sleep(time.Second)
				conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
				if err != nil {
					t.Errorf("after one has ended: %v", err)
				} else {
					conn.Close()
				}
				for _, c := range all {
					c.Close()
				}
				tu.stop()
			})
		})
	}
}

// Dials that fail, or that are given up, give their memory back.
func TestMemoryOfFailedDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := ownSession(t, func(*Server) {})
		for range 3 {
			ch := openLater(t.Context(), s, "x:1")
			send(t, r.stream, &wire.Packet{Type: wire.DialRsp, Random: expect(t, r.stream, wire.DialReq).Random, Error: "no"})
			<-ch
			ch = openLater(t.Context(), s, "x:1")
			send(t, r.stream, &wire.Packet{Type: wire.DialCls, Random: expect(t, r.stream, wire.DialReq).Random})
			<-ch
			ch = openLater(t.Context(), s, "x:1")
			send(t, r.stream, &wire.Packet{Type: wire.DialRsp, Random: expect(t, r.stream, wire.DialReq).Random})
			<-ch // a success without an id
			ctx, cancel := context.WithCancel(t.Context())
			ch = openLater(ctx, s, "x:1")
			expect(t, r.stream, wire.DialReq)
			cancel()
			<-ch
			expect(t, r.stream, wire.DialCls)
		}
		if used := s.control.WindowMemory(); used != 0 {
			t.Errorf("%d bytes are granted to nobody", used)
		}
	})
}

// Who has chosen a tunnel with windows and offers none is refused, at either end:
// HTTP/2's windows would let it send far more than anybody takes.
func TestNoWindowsWhereTheyBelong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, offered := range []string{"", "windows", "half-close", "streams,half-close"} {
			far, near := net.Pipe()
			l := &Server{Authorize: allow, HelloTimeout: 5 * time.Second, KeepAlive: -1}
			l.Up = func(*Session, message.Hello) { t.Errorf("%q: taken", offered) }
			served := make(chan error, 1)
			go func() { served <- l.Serve(t.Context(), far) }()
			r := newRawAgent(t, near, metadata.Join(anAgent, metadata.Pairs(keyFeatures, offered)))
			if err := r.stream.RecvMsg(new(wire.Packet)); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "no windows") {
				t.Errorf("%q: %v", offered, err)
			}
			r.client.Close()
			<-served
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRawServer(t, upstreamHeader, nil, func(a *Agent) { a.NoWindows = false })
		err := <-r.ran
		r.ran <- nil
		if !errors.Is(err, errNoWindows) {
			t.Errorf("Run: %v", err)
		}
	})
}
