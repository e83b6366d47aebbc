package konnectivity

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/link/proxy"
	"github.com/sallyport/sallyport/internal/wire"
)

// scripted is a client of a server that does what serve says on each Proxy
// stream, once it has received its first packet.
func scripted(t *testing.T, serve func(stream grpc.ServerStream, req *wire.Packet) error) *Client {
	t.Helper()
	gs := grpc.NewServer(grpc.ForceServerCodecV2(wire.Codec{}), grpc.WaitForHandlers(true))
	gs.RegisterService(proxy.Service(func(stream grpc.ServerStream) error {
		req := new(wire.Packet)
		if err := stream.RecvMsg(req); err != nil {
			return err
		}
		return serve(stream, req)
	}), nil)
	path := filepath.Join(t.TempDir(), "s")
	ln := listenUnix(t, path, UnixOptions{})
	done := make(chan struct{})
	go func() { defer close(done); gs.Serve(ln) }()
	client := mustClient(t, ClientConfig{Mode: ModeGRPC, Network: "unix", Address: path})
	t.Cleanup(func() { client.Close(); gs.Stop(); <-done })
	return client
}

// TestClientOfUpstream: a server that knows nothing of us, and sends the first
// bytes right behind its answer. Nothing is lost, there is no half-close, and an
// end is an end.
func TestClientOfUpstream(t *testing.T) {
	leak.Check(t)
	const rounds = 200
	want := pattern(100_000)
	closed := make(chan wire.Type, 1)
	client := scripted(t, func(stream grpc.ServerStream, req *wire.Packet) error {
		stream.SendMsg(&wire.Packet{Type: wire.DialRsp, Random: req.Random, ConnectID: 9})
		stream.SendMsg(&wire.Packet{Type: wire.Data, ConnectID: 9, Payload: [][]byte{want}})
		if req.Address == "ends:1" {
			return stream.SendMsg(&wire.Packet{Type: wire.CloseRsp, ConnectID: 9})
		}
		p := new(wire.Packet)
		if err := stream.RecvMsg(p); err != nil {
			return err
		}
		closed <- p.Type
		return stream.SendMsg(&wire.Packet{Type: wire.CloseRsp, ConnectID: p.ConnectID})
	})
	for i := range rounds {
		c := dial(t, client, "ends:1")
		if b, err := io.ReadAll(c); err != nil || !bytes.Equal(b, want) {
			t.Fatalf("round %d: %d bytes, %v", i, len(b), err)
		}
		c.Close()
	}
	c := dial(t, client, "node-1:10250")
	if _, ok := c.(dialer.CloseWriter); ok {
		t.Error("a half-close is promised that the server does not know")
	}
	if c.RemoteAddr().String() != "node-1:10250" || c.LocalAddr().String() == "" {
		t.Errorf("addresses %v, %v", c.LocalAddr(), c.RemoteAddr())
	}
	c.Close()
	if typ := within(t, "the server to be told", closed); typ != wire.CloseReq {
		t.Errorf("Close sent %v", typ)
	}
}

// TestClientOfOddServers: whatever a server answers, the caller gets an error
// that tells, and no connection.
func TestClientOfOddServers(t *testing.T) {
	for name, tt := range map[string]struct {
		serve func(stream grpc.ServerStream, req *wire.Packet) error
		is    error
		words string
	}{
		"upstream's refused":    {failWith("dial tcp 127.0.0.1:1: connect: connection refused"), dialer.ErrRefused, "connection refused"},
		"upstream's no host":    {failWith("dial tcp: lookup x: no such host"), dialer.ErrNoSuchHost, "lookup x"},
		"upstream's timeout":    {failWith("dial tcp 10.0.0.1:1: i/o timeout"), dialer.ErrTimeout, "i/o timeout"},
		"upstream's no agent":   {failWith("No agent available"), dialer.ErrNoRoute, "No agent available"},
		"a novel":               {failWith(strings.Repeat("long ", 100_000)), nil, "long"},
		"DIAL_CLS":              {send(&wire.Packet{Type: wire.DialCls}), nil, "gave up"},
		"an id of 0":            {send(&wire.Packet{Type: wire.DialRsp}), nil, "id 0"},
		"another's answer":      {sendAs(1, &wire.Packet{Type: wire.DialRsp, ConnectID: 4}), nil, "not this stream's"},
		"data, then the end":    {send(&wire.Packet{Type: wire.Data, ConnectID: 4, Payload: [][]byte{{1}}}), nil, "without an answer"},
		"nothing":               {func(grpc.ServerStream, *wire.Packet) error { return nil }, nil, "without an answer"},
		"permission denied":     {endWith(codes.PermissionDenied), dialer.ErrDenied, "said so"},
		"a plain error":         {endWith(codes.Unknown), nil, "said so"},
		"no such service there": {endWith(codes.Unimplemented), nil, "no ProxyService"},
	} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			client := scripted(t, tt.serve)
			c, err := client.DialContext(t.Context(), "tcp", "node-1:1")
			de, ok := errors.AsType[*dialer.Error](err)
			if c != nil || !ok || de.Hop == "" || !strings.Contains(err.Error(), tt.words) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, %v", c, err)
			}
			if len(err.Error()) > 4<<10 {
				t.Errorf("%d bytes of error", len(err.Error()))
			}
		})
	}
}

func sendAs(random int64, p *wire.Packet) func(grpc.ServerStream, *wire.Packet) error {
	return func(stream grpc.ServerStream, req *wire.Packet) error {
		answer := *p
		if answer.Random = random; random == 0 {
			answer.Random = req.Random
		}
		return stream.SendMsg(&answer)
	}
}

func send(p *wire.Packet) func(grpc.ServerStream, *wire.Packet) error { return sendAs(0, p) }

func failWith(text string) func(grpc.ServerStream, *wire.Packet) error {
	return send(&wire.Packet{Type: wire.DialRsp, Error: text})
}

func endWith(code codes.Code) func(grpc.ServerStream, *wire.Packet) error {
	return func(grpc.ServerStream, *wire.Packet) error { return status.Error(code, "it said so") }
}

// TestClientLosesStream: a connection whose stream ends before it was closed was
// reset, not finished.
func TestClientLosesStream(t *testing.T) {
	for name, end := range map[string]error{"in order": nil, "with a status": status.Error(codes.Internal, "oops")} {
		client := scripted(t, func(stream grpc.ServerStream, req *wire.Packet) error {
			stream.SendMsg(&wire.Packet{Type: wire.DialRsp, Random: req.Random, ConnectID: 1})
			stream.SendMsg(&wire.Packet{Type: wire.Data, ConnectID: 1, Payload: [][]byte{[]byte("half an ans")}})
			return end
		})
		b, err := io.ReadAll(dial(t, client, "node-1:1"))
		if string(b) != "half an ans" || !errors.Is(err, dialer.ErrReset) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// TestClientOfNoGRPC: what answers in another tongue, or not at all, is named in
// bounded time.
func TestClientOfNoGRPC(t *testing.T) {
	for name, greet := range map[string]string{"mute": "", "ssh": "SSH-2.0-x\r\n", "http": "HTTP/1.1 400 Bad Request\r\n\r\n"} {
		leak.Check(t)
		address := target(t, func(c net.Conn) { io.WriteString(c, greet); io.Copy(io.Discard, c) })
		client := mustClient(t, ClientConfig{
			Mode: ModeGRPC, Network: "unix", Address: "somewhere", HandshakeTimeout: 200 * time.Millisecond,
			Dialer: dialer.Func(func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", address)
			}),
		})
		_, err := client.DialContext(t.Context(), "tcp", "node-1:1")
		if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopProxy) {
			t.Errorf("%s: %v", name, err)
		}
		client.Close()
	}
}

// TestClientSharesOneConnection: dials at once and one after the other go over
// one connection to the server.
func TestClientSharesOneConnection(t *testing.T) {
	fr := newFront(t, ModeGRPC, overUnix, nil)
	var made counter
	client := fr.client(func(cfg *ClientConfig) {
		cfg.Dialer = dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
			made.add()
			return new(net.Dialer).DialContext(ctx, network, address)
		})
	})
	address := echo(t)
	var dials sync.WaitGroup
	for range 50 {
		dials.Go(func() {
			if err := oneWord(client, address); err != nil {
				t.Error(err)
			}
		})
	}
	dials.Wait()
	talk(t, dial(t, client, address), "hello")
	if made.get() != 1 {
		t.Errorf("%d connections were made", made.get())
	}
}

// TestClientAttemptIsShared: who gives up waiting for the connection leaves it to
// the others, and the last one ends it.
func TestClientAttemptIsShared(t *testing.T) {
	leak.Check(t)
	h := newHanging()
	client := mustClient(t, ClientConfig{Mode: ModeGRPC, Network: "unix", Address: "somewhere", Dialer: h})
	failed := make(chan error, 2)
	var cancels []context.CancelFunc
	for range 2 {
		ctx, cancel := context.WithCancel(context.Background())
		cancels = append(cancels, cancel)
		go func() { _, err := client.DialContext(ctx, "tcp", "node-1:1"); failed <- err }()
	}
	<-h.started
	eventually(t, "both to wait", func() bool {
		client.sessions.mu.Lock()
		defer client.sessions.mu.Unlock()
		return client.sessions.attempt != nil && client.sessions.attempt.waiters == 2
	})
	for i, cancel := range cancels {
		if len(h.ended) > 0 {
			t.Errorf("the attempt ended with the first %d of 2", i)
		}
		cancel()
		if err := within(t, "a dial to end", failed); dialer.KindOf(err) != dialer.Canceled {
			t.Errorf("got %v", err)
		}
		client.sessions.mu.Lock()
		if a := client.sessions.attempt; i == 0 && (a == nil || a.waiters != 1) {
			t.Errorf("the attempt did not outlive the first to give up: %+v", a)
		}
		client.sessions.mu.Unlock()
	}
	within(t, "the attempt to end", h.ended)
}

// TestClientTriesANewConnectionOnce: where the one it has turns out to be dead
// before there was an answer, the dial goes to a new one, and only once.
func TestClientTriesANewConnectionOnce(t *testing.T) {
	leak.Check(t)
	var asked counter
	lost := status.Error(codes.Unavailable, "going away")
	client := scripted(t, func(stream grpc.ServerStream, req *wire.Packet) error {
		asked.add()
		if n := asked.get(); n == 2 || n > 3 {
			return lost
		}
		stream.SendMsg(&wire.Packet{Type: wire.DialRsp, Random: req.Random, ConnectID: 1})
		return stream.RecvMsg(new(wire.Packet))
	})
	dial(t, client, "first:1")
	dial(t, client, "second:1")
	if _, err := client.DialContext(t.Context(), "tcp", "third:1"); !strings.Contains(err.Error(), "going away") || !dialer.Retryable(err) {
		t.Errorf("got %v", err)
	}
	if asked.get() != 5 {
		t.Errorf("three dials asked %d times, want 1, 2 and 2", asked.get())
	}
}

// TestClientLeavesADrainingServer: connections end on the server that asks for no
// more, while new ones go to the next.
func TestClientLeavesADrainingServer(t *testing.T) {
	leak.Check(t)
	old := newFront(t, ModeGRPC, overUnix, nil)
	next := newFront(t, ModeGRPC, overUnix, nil)
	var at string
	client := old.client(func(cfg *ClientConfig) {
		at = old.address()
		cfg.Dialer = dialer.Func(func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at)
		})
	})
	address := echo(t)
	conn := dial(t, client, address)
	talk(t, conn, "before")
	at = next.address()
	ended := make(chan error, 1)
	go func() { ended <- old.f.Shutdown(context.Background()) }()
	eventually(t, "a dial to the next server", func() bool {
		c, err := client.DialContext(t.Context(), "tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	talk(t, conn, "still")
	conn.Close()
	if err := within(t, "the old server to end", ended); err != nil {
		t.Error(err)
	}
	talk(t, dial(t, client, address), "after")
}
