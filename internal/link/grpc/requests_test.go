package grpc

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/wire"
)

// The same at the agent: a target that does not read.
func TestStuckTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := newTargets()
		r := newRawServer(t, upstreamHeader, nil, func(a *Agent) { a.Dial = targets.dial })
		send(t, r.stream, &wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: "x:1", Random: 11})
		stuck := expect(t, r.stream, wire.DialRsp).ConnectID
		<-targets.conns
		send(t, r.stream, &wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: "x:2", Random: 12})
		healthy := expect(t, r.stream, wire.DialRsp).ConnectID
		target := <-targets.conns
		go func() {
			for range 20 {
				send(t, r.stream, dataOf(stuck, strings.Repeat("x", 32<<10)))
				send(t, r.stream, dataOf(healthy, "echo"))
			}
		}()
		begin := time.Now()
		if got := readString(t, target, 80); got != strings.Repeat("echo", 20) {
			t.Errorf("the neighbour read %q", got)
		}
		if took := time.Since(begin); took > patience {
			t.Errorf("the neighbour waited %v", took)
		}
		if rsp := expect(t, r.stream, wire.CloseRsp); rsp.ConnectID != stuck || !strings.Contains(rsp.Error, "no progress") {
			t.Errorf("got %+v", rsp)
		}
		target.Close()
	})
}

// A close is answered when the target has taken everything, however slowly.
func TestAgentFlushesBeforeItAnswersAClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := newTargets()
		r := newRawServer(t, upstreamHeader, nil, func(a *Agent) { a.Dial = targets.dial })
		send(t, r.stream, &wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: "x:1", Random: 11})
		id := expect(t, r.stream, wire.DialRsp).ConnectID
		target := <-targets.conns
		want := strings.Repeat("0123456789", 20_000)
		send(t, r.stream, dataOf(id, want))
		send(t, r.stream, &wire.Packet{Type: wire.CloseReq, ConnectID: id})
		answered := make(chan time.Time, 1)
		go func() {
			for {
				p := new(wire.Packet)
				if r.stream.RecvMsg(p) != nil {
					return
				}
				if p.Type == wire.CloseRsp {
					answered <- time.Now()
					return
				}
			}
		}()
		var got strings.Builder
		for got.Len() < len(want) {
			time.Sleep(time.Minute)
			got.WriteString(readString(t, target, 20_000))
		}
		read := time.Now()
		if got.String() != want {
			t.Error("the target got other bytes than were sent")
		}
		if n, err := target.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("and then %d, %v", n, err)
		}
		if at := <-answered; at.Before(read) {
			t.Errorf("the close was answered %v before the target had it all", read.Sub(at))
		}
		target.Close()
	})
}

// How a target ended is on the wire: a reset has words, an end of file none.
func TestHowTheTargetEnded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, reset := range []bool{false, true} {
		r := newRawServer(t, upstreamHeader, nil)
		send(t, r.stream, &wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: ln.Addr().String(), Random: 11})
		rsp := expect(t, r.stream, wire.DialRsp)
		if rsp.Random != 11 || rsp.Error != "" || rsp.ConnectID == 0 {
			t.Fatalf("got %+v", rsp)
		}
		target, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		target.Write([]byte("answer"))
		var got strings.Builder
		for got.Len() < 6 {
			for _, part := range expect(t, r.stream, wire.Data).Payload {
				got.Write(part)
			}
		}
		if reset {
			target.(*net.TCPConn).SetLinger(0)
		}
		target.Close()
		if cls := expect(t, r.stream, wire.CloseRsp); (cls.Error != "") != reset {
			t.Errorf("reset %v: the close says %q", reset, cls.Error)
		}
	}
}

// An agent connects by TCP, whatever a server asks for.
func TestOtherNetworksAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRawServer(t, upstreamHeader, nil, func(a *Agent) {
			a.Dial = func(context.Context, string, string) (net.Conn, error) {
				t.Error("the agent dials")
				return nil, errors.New("no")
			}
		})
		for i, network := range []string{"udp", "unix", "unixgram", "ip:icmp", "", "TCP"} {
			send(t, r.stream, &wire.Packet{Type: wire.DialReq, Protocol: network, Address: "127.0.0.1:1", Random: int64(i + 1)})
			rsp := expect(t, r.stream, wire.DialRsp)
			if rsp.Random != int64(i+1) || rsp.ConnectID != 0 || dialer.Kind(rsp.Kind) != dialer.Denied || !strings.Contains(rsp.Error, "denied") {
				t.Errorf("%s: %+v", network, rsp)
			}
		}
	})
}

// DIAL_CLS, and the end of the tunnel, cancel the agent's own dial.
func TestCallingOffTheAgentsDial(t *testing.T) {
	for _, byPacket := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			dialing, ended := make(chan struct{}), make(chan error, 1)
			r := newRawServer(t, upstreamHeader, nil, func(a *Agent) {
				a.DialTimeout = time.Hour
				a.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
					close(dialing)
					<-ctx.Done()
					ended <- ctx.Err()
					return nil, ctx.Err()
				}
			})
			send(t, r.stream, &wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: "x:1", Random: 7})
			<-dialing
			begin := time.Now()
			if byPacket {
				send(t, r.stream, &wire.Packet{Type: wire.DialCls, Random: 7})
			} else {
				r.agent.Close()
			}
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("the dial ended with %v", err)
			}
			if took := time.Since(begin); took != 0 {
				t.Errorf("that took %v", took)
			}
		})
	}
}

// What the server's caller has left bounds the agent's dial, between our own
// ends.
func TestTheCallersDeadlineBoundsTheAgentsDial(t *testing.T) {
	for _, opt := range []options{func(*Server, *Agent) {}, packetsOnly} {
		synctest.Test(t, func(t *testing.T) {
			left := make(chan time.Duration, 1)
			tu, _ := inMemory(t, opt, func(l *Server, a *Agent) {
				a.DialTimeout = time.Hour
				a.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
					d, _ := ctx.Deadline()
					left <- time.Until(d)
					<-ctx.Done()
					return nil, ctx.Err()
				}
			})
			defer tu.stop()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := tu.session.Open(ctx, "tcp", "x:1")
			if _, ok := errors.AsType[*link.Refusal](err); !ok || dialer.KindOf(err) != dialer.Timeout {
				t.Errorf("Open: %v, want the agent to say that time ran out", err)
			}
			if d := <-left; d > 10*time.Second || d < 9*time.Second {
				t.Errorf("the agent had %v", d)
			}
		})
	}
}
