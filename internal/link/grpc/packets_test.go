package grpc

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/wire"
)

// A dial that is cancelled is called off at the agent and leaves nothing, though
// the agent never says a word; and when it does after all, its connection is
// closed.
func TestCancelledDialToAMuteAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := rawSession(t)
		ctx, cancel := context.WithCancel(t.Context())
		ch := openLater(ctx, s, "x:1")
		req := expect(t, r.stream, wire.DialReq)
		if req.Protocol != "tcp" || req.Address != "x:1" || req.Random <= 0 {
			t.Errorf("asked for %+v", req)
		}
		if s.Load() != 1 {
			t.Errorf("Load during the dial: %d", s.Load())
		}
		cancel()
		if o := <-ch; !errors.Is(o.err, context.Canceled) {
			t.Errorf("Open: %v", o.err)
		}
		if cls := expect(t, r.stream, wire.DialCls); cls.Random != req.Random {
			t.Errorf("called off %d, not %d", cls.Random, req.Random)
		}
		if s.Load() != 0 || s.dials.len() != 0 {
			t.Error("the dial is still known")
		}
		send(t, r.stream, &wire.Packet{Type: wire.DialRsp, Random: req.Random, ConnectID: 9})
		if late := expect(t, r.stream, wire.CloseReq); late.ConnectID != 9 {
			t.Errorf("closed %d, want 9", late.ConnectID)
		}
		send(t, r.stream, &wire.Packet{Type: wire.CloseRsp, ConnectID: 9})
		synctest.Wait()
		if s.Load() != 0 {
			t.Errorf("Load at the end: %d", s.Load())
		}
	})
}

// Every pending dial fails in the moment the tunnel dies.
func TestPendingDialsFailWithTheTunnel(t *testing.T) {
	for name, end := range map[string]func(s *Session, r *rawAgent){
		"the connection is lost": func(s *Session, r *rawAgent) { r.client.Close() },
		"the agent hangs up":     func(s *Session, r *rawAgent) { r.stream.CloseSend() },
		"the session is closed":  func(s *Session, r *rawAgent) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, r := rawSession(t)
				a, b := openLater(t.Context(), s, "x:1"), openLater(t.Context(), s, "x:2")
				expect(t, r.stream, wire.DialReq)
				expect(t, r.stream, wire.DialReq)
				begin := time.Now()
				end(s, r)
				for _, ch := range []<-chan opened{a, b} {
					if o := <-ch; o.err == nil || !strings.Contains(o.err.Error(), "tunnel lost") {
						t.Errorf("Open: %v", o.err)
					}
				}
				if took := time.Since(begin); took != 0 {
					t.Errorf("they waited %v", took)
				}
				<-s.Done()
				if _, err := s.Open(t.Context(), "tcp", "x:3"); err == nil {
					t.Error("Open on a dead tunnel")
				}
			})
		})
	}
}

// The words of upstream's agent tell the kind, as do the numbers of ours.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := rawSession(t, func(l *Server) { l.NoWindows = true })
		for _, c := range []struct {
			rsp  wire.Packet
			kind dialer.Kind
			hop  string
		}{
			{wire.Packet{Error: "dial tcp 10.0.0.1:1: connect: connection refused"}, dialer.Refused, "target"},
			{wire.Packet{Error: "dial tcp 10.0.0.1:1: i/o timeout"}, dialer.Timeout, "target"},
			{wire.Packet{Error: "dial tcp: lookup nowhere: no such host"}, dialer.NoSuchHost, "target"},
			{wire.Packet{Error: "dial tcp: lookup a on b:53: read udp: i/o timeout"}, dialer.Timeout, "target"},
			{wire.Packet{Error: "connect: no route to host"}, dialer.Unreachable, "target"},
			{wire.Packet{Error: "connect: network is unreachable"}, dialer.Unreachable, "target"},
			{wire.Packet{Error: "dial tcp: too many open files"}, dialer.Other, "target"},
			{wire.Packet{Error: "not so", Kind: uint8(dialer.Denied), Hop: "policy"}, dialer.Denied, "policy"},
			{wire.Packet{Error: "a timeout, it says", Hop: "resolve"}, dialer.Other, "resolve"},
			{wire.Packet{Kind: uint8(dialer.Refused)}, dialer.Refused, "target"},
			{wire.Packet{Error: strings.Repeat("x", 1<<20), Hop: strings.Repeat("h", 1000)}, dialer.Other, strings.Repeat("h", 64)},
		} {
			ch := openLater(t.Context(), s, "x:1")
			c.rsp.Type, c.rsp.Random = wire.DialRsp, expect(t, r.stream, wire.DialReq).Random
			send(t, r.stream, &c.rsp)
			o := <-ch
			ref, ok := errors.AsType[*link.Refusal](o.err)
			if !ok || dialer.KindOf(o.err) != c.kind || ref.Hop != c.hop || len(ref.Remote.Text) > 1<<10 {
				t.Errorf("%.80s: %.80v", c.rsp.Error, o.err)
			}
		}
		ch := openLater(t.Context(), s, "x:1")
		send(t, r.stream, &wire.Packet{Type: wire.DialCls, Random: expect(t, r.stream, wire.DialReq).Random})
		if o := <-ch; o.err == nil {
			t.Error("a dial that the agent gave up succeeds")
		}
		ch = openLater(t.Context(), s, "x:1")
		send(t, r.stream, &wire.Packet{Type: wire.DialRsp, Random: expect(t, r.stream, wire.DialReq).Random})
		if o := <-ch; !errors.Is(o.err, wire.ErrMalformed) {
			t.Errorf("a success without an id: %v", o.err)
		}
	})
}

// Ids mean something only in the session, and to the connection, that they were
// given to.
func TestIdsBelongToTheirSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		victim, honest := rawSession(t)
		other, thief := rawSession(t)
		conn := openVia(t, victim, honest, 1)
		mine := openVia(t, other, thief, 2)
		pending := openLater(t.Context(), victim, "x:2")
		random := expect(t, honest.stream, wire.DialReq).Random

		send(t, thief.stream, dataOf(1, "INJECTED"))
		expect(t, thief.stream, wire.CloseReq)
		send(t, thief.stream, &wire.Packet{Type: wire.CloseRsp, ConnectID: 1})
		send(t, thief.stream, &wire.Packet{Type: wire.DialRsp, Random: random, ConnectID: 3})
		expect(t, thief.stream, wire.CloseReq)
		send(t, thief.stream, &wire.Packet{Type: wire.DialCls, Random: random})
		send(t, thief.stream, dataOf(2, "mine"))
		if got := readString(t, mine, 4); got != "mine" {
			t.Errorf("read %q", got)
		}

		send(t, honest.stream, dataOf(1, "honest"))
		if got := readString(t, conn, 6); got != "honest" {
			t.Errorf("the victim read %q", got)
		}
		select {
		case o := <-pending:
			t.Errorf("another session has answered a dial: %+v", o)
		default:
		}
		// An id that is in use is not given again, and does not suffer for it.
		send(t, honest.stream, &wire.Packet{Type: wire.DialRsp, Random: random, ConnectID: 1})
		if o := <-pending; o.err == nil {
			t.Error("one id for two connections")
		}
		send(t, honest.stream, &wire.Packet{Type: wire.DialRsp, Random: random, ConnectID: 1})
		send(t, honest.stream, dataOf(1, "still"))
		if got := readString(t, conn, 5); got != "still" {
			t.Errorf("the victim read %q", got)
		}
		openVia(t, victim, honest, 4).Close() // its DIAL_REQ is the next packet: none has closed 1
		conn.Close()
		mine.Close()
	})
}

func readString(t testing.TB, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(b)
}

// One consumer that does not read is reset alone; its neighbour waits no longer
// than patience.
func TestStuckUserOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := rawSession(t)
		stuck, healthy := openVia(t, s, r, 1), openVia(t, s, r, 2)
		begin := time.Now()
		for range 20 {
			send(t, r.stream, dataOf(1, strings.Repeat("x", 32<<10)))
			send(t, r.stream, dataOf(2, "echo"))
		}
		if got := readString(t, healthy, 80); got != strings.Repeat("echo", 20) {
			t.Errorf("the neighbour read %q", got)
		}
		if took := time.Since(begin); took > patience {
			t.Errorf("the neighbour waited %v", took)
		}
		expect(t, r.stream, wire.CloseReq)
		if _, err := stuck.Read(make([]byte, 1)); !errors.Is(err, dialer.ErrReset) {
			t.Errorf("the stuck one reads %v", err)
		}
		stuck.Close()
		healthy.Close()
	})
}

func TestFeaturesAreNeverUsedUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := rawSession(t)
		if s.Protocol() != link.ProtocolPackets || len(r.header.Get(keyFeatures)) != 0 {
			t.Errorf("%s, header %v", s.Protocol(), r.header)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ch := openLater(ctx, s, "x:1")
		if req := expect(t, r.stream, wire.DialReq); req.Timeout != 0 {
			t.Errorf("a stranger is sent %+v", req)
		}
		cancel()
		<-ch
		expect(t, r.stream, wire.DialCls)
		s.Drain(t.Context())
		conn := openVia(t, s, r, 1)
		if _, ok := conn.(dialer.CloseWriter); ok {
			t.Error("half-close toward an agent that has none")
		}
		conn.Close()
		expect(t, r.stream, wire.CloseReq)
	})
	synctest.Test(t, func(t *testing.T) {
		header := metadata.Join(upstreamHeader, metadata.Pairs(keyFeatures, "windows"))
		r := newRawServer(t, header, nil)
		if got := r.agent.Protocol(); got != link.ProtocolPackets {
			t.Errorf("with a server that agrees to half of it: %s", got)
		}
	})
}
