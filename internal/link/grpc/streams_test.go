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

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/wire"
)

// anOwnAgent is the metadata of an agent of ours.
var anOwnAgent = metadata.Join(anAgent, metadata.Pairs(keyFeatures, "streams,half-close"))

// ownSession runs a Server against a test's own agent of our kind.
func ownSession(t testing.TB, tune func(*Server)) (*Session, *rawAgent) {
	t.Helper()
	agent := anAgent
	anAgent = anOwnAgent
	defer func() { anAgent = agent }()
	return rawSessionOf(t, tune)
}

// A stream has to begin with the answer to a dial of its own session.
func TestFirstWordOnAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := ownSession(t, func(*Server) {})
		if s.Protocol() != link.ProtocolStreams {
			t.Fatalf("Protocol: %s", s.Protocol())
		}
		for name, c := range map[string]struct {
			word *wire.Packet
			code codes.Code
		}{
			"nobody's random": {&wire.Packet{Type: wire.DialRsp, Random: 1, ConnectID: 1}, codes.NotFound},
			"a failure":       {&wire.Packet{Type: wire.DialRsp, Random: 1, Error: "x"}, codes.InvalidArgument},
			"data":            {dataOf(1, "x"), codes.InvalidArgument},
			"a request":       {&wire.Packet{Type: wire.DialReq, Random: 1}, codes.InvalidArgument},
		} {
			stream := r.open(methodConnection, nil)
			send(t, stream, c.word)
			if err := stream.RecvMsg(new(wire.Packet)); status.Code(err) != c.code {
				t.Errorf("%s: %v", name, err)
			}
		}
		mute := r.open(methodConnection, nil)
		begin := time.Now()
		if err := mute.RecvMsg(new(wire.Packet)); err == nil || time.Since(begin) > 10*time.Second {
			t.Errorf("a stream on which nothing is said: %v after %v", err, time.Since(begin))
		}
		if s.Load() != 0 {
			t.Errorf("Load: %d", s.Load())
		}
	})
}

// An agent that answers a dial late finds that nobody waits, and an agent that
// answers on the wrong stream fails that dial alone.
func TestLateStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := ownSession(t, func(*Server) {})
		ctx, cancel := context.WithCancel(t.Context())
		ch := openLater(ctx, s, "x:1")
		req := expect(t, r.stream, wire.DialReq)
		cancel()
		if o := <-ch; !errors.Is(o.err, context.Canceled) {
			t.Errorf("Open: %v", o.err)
		}
		expect(t, r.stream, wire.DialCls)
		stream := r.open(methodConnection, nil)
		send(t, stream, &wire.Packet{Type: wire.DialRsp, Random: req.Random, ConnectID: 1})
		if err := stream.RecvMsg(new(wire.Packet)); status.Code(err) != codes.NotFound {
			t.Errorf("a late stream: %v", err)
		}
		ch = openLater(t.Context(), s, "x:1")
		req = expect(t, r.stream, wire.DialReq)
		send(t, r.stream, &wire.Packet{Type: wire.DialRsp, Random: req.Random, ConnectID: 1})
		if o := <-ch; !errors.Is(o.err, wire.ErrMalformed) {
			t.Errorf("an answer on Connect: %v", o.err)
		}
	})
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

// Beyond what the memory allows the connection goes that has stalled longest, at
// either end.
func TestMemoryOfStalledStreams(t *testing.T) {
	for _, up := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			tu, targets := inMemory(t, func(l *Server, a *Agent) { l.Memory, a.Memory = 5*stalledCost, 5*stalledCost })
			var conns, ends []net.Conn
			for range 7 {
				conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
				if err != nil {
					t.Fatal(err)
				}
				target := <-targets.conns
				conns, ends = append(conns, conn), append(ends, target)
				from := conn
				if !up {
					from = target
				}
				go from.Write(make([]byte, 1<<20))
				time.Sleep(time.Minute)
			}
			for i, conn := range conns {
				conn.SetReadDeadline(time.Now().Add(time.Second))
				_, err := conn.Read(make([]byte, 1))
				if gone := errors.Is(err, dialer.ErrReset); gone != (i < 2) {
					t.Errorf("up %v: connection %d of 7, 5 of which fit: %v", up, i, err)
				}
				if i < 2 && !strings.Contains(err.Error(), "not read for longest") {
					t.Errorf("up %v: the reason is %v", up, err)
				}
			}
			for i := range conns {
				conns[i].Close()
				ends[i].Close()
			}
			tu.stop()
		})
	}
}
