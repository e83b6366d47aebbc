package konnectivity

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// TestClientFailures: what failed behind the front end, and where, is what the
// client's caller gets.
func TestClientFailures(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		for _, tt := range []struct {
			err  error
			is   error
			hop  string
			kind dialer.Kind
		}{
			{&dialer.Error{Hop: "target via agent edge-1", Network: "tcp", Address: "node-1:10250", Err: syscall.ECONNREFUSED}, dialer.ErrRefused, "target via agent edge-1", dialer.Refused},
			{&dialer.Error{Hop: dialer.HopResolve, Err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}, dialer.ErrNoSuchHost, dialer.HopResolve, dialer.NoSuchHost},
			{&dialer.Error{Hop: dialer.HopPolicy, Err: dialer.ErrDenied}, dialer.ErrDenied, dialer.HopPolicy, dialer.Denied},
			{&dialer.Error{Hop: dialer.HopAgent, Err: dialer.ErrNoRoute}, dialer.ErrNoRoute, dialer.HopAgent, dialer.NoRoute},
			{&dialer.Error{Hop: dialer.HopTarget, Err: context.DeadlineExceeded}, dialer.ErrTimeout, dialer.HopTarget, dialer.Timeout},
			{&dialer.Error{Hop: dialer.HopTarget, Err: syscall.EHOSTUNREACH}, dialer.ErrUnreachable, dialer.HopTarget, dialer.Unreachable},
			{&dialer.Error{Hop: dialer.HopTLS, Err: errors.New("a bad certificate")}, nil, dialer.HopTLS, dialer.Other},
			{errors.New("connection refused, says a liar"), nil, dialer.HopTarget, dialer.Other},
			// That somebody gave up there does not mean that our caller did.
			{context.Canceled, nil, dialer.HopTarget, dialer.Other},
		} {
			fr := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) { cfg.Dialer = failing(tt.err) })
			c, err := fr.client(nil).DialContext(t.Context(), "tcp", "node-1:10250")
			de, ok := errors.AsType[*dialer.Error](err)
			if c != nil || !ok {
				t.Fatalf("%v: got %v, %v", tt.err, c, err)
			}
			if de.Hop != tt.hop || dialer.KindOf(err) != tt.kind || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v arrived as %v at %q: %v", tt.err, dialer.KindOf(err), de.Hop, err)
			}
			if de.Network != "tcp" || de.Address != "node-1:10250" || !strings.Contains(err.Error(), cause(tt.err).Error()) || strings.Count(err.Error(), "node-1") != 1 {
				t.Errorf("%v arrived in the words %q", tt.err, err)
			}
			fr.f.Close()
		}
	})
}

// cause is what err says beyond its road.
func cause(err error) error {
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		return de.Err
	}
	return err
}

// TestClientCancelsTheDialBehind: the end of the caller's context reaches the
// Dialer behind the front end.
func TestClientCancelsTheDialBehind(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		leak.Check(t)
		h := newHanging()
		client := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) { cfg.Dialer = h }).client(nil)
		for _, want := range []dialer.Kind{dialer.Canceled, dialer.Timeout} {
			ctx, cancel := context.WithCancel(t.Context())
			if want == dialer.Timeout {
				ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			}
			failed := make(chan error, 1)
			go func() { _, err := client.DialContext(ctx, "tcp", "node-1:1"); failed <- err }()
			<-h.started
			if want == dialer.Canceled {
				cancel()
			}
			err := <-failed
			if de, ok := errors.AsType[*dialer.Error](err); !ok || dialer.KindOf(err) != want || de.Hop == "" {
				t.Errorf("got %v, want %v", err, want)
			}
			if behind := within(t, "the dial behind to end", h.ended); behind == nil {
				t.Error("the dial behind ended without a cause")
			}
			cancel()
		}
	})
}

// TestClientDialTimeouts: either end's DialTimeout bounds a dial.
func TestClientDialTimeouts(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		for name, tune := range map[string]struct {
			front  func(*FrontendConfig)
			client func(*ClientConfig)
		}{
			"the front end's": {front: func(cfg *FrontendConfig) { cfg.DialTimeout = 30 * time.Millisecond }},
			"the client's":    {client: func(cfg *ClientConfig) { cfg.DialTimeout = 30 * time.Millisecond }},
		} {
			h := newHanging()
			fr := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) {
				cfg.Dialer = h
				if tune.front != nil {
					tune.front(cfg)
				}
			})
			_, err := fr.client(tune.client).DialContext(t.Context(), "tcp", "node-1:1")
			if !errors.Is(err, dialer.ErrTimeout) {
				t.Errorf("%s: %v", name, err)
			}
			within(t, "the dial behind to end", h.ended)
			fr.f.Close()
		}
	})
}

// TestClientClose: Close ends dials and connections, and nothing comes after.
func TestClientClose(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		leak.Check(t)
		h := newHanging()
		hung := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) { cfg.Dialer = h }).client(nil)
		failed := make(chan error, 1)
		go func() { _, err := hung.DialContext(context.Background(), "tcp", "node-1:1"); failed <- err }()
		<-h.started
		hung.Close()
		if err := within(t, "a dial to end with the client", failed); !errors.Is(err, ErrClientClosed) {
			t.Errorf("a dial under way: %v", err)
		}

		client := newFront(t, w.mode, w.road, nil).client(nil)
		conn := dial(t, client, echo(t))
		talk(t, conn, "hello")
		client.Close()
		client.Close()
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("a connection outlives its client")
		}
		if _, err := client.DialContext(t.Context(), "tcp", "node-1:1"); !errors.Is(err, ErrClientClosed) || !errors.Is(client.Ready(), ErrClientClosed) {
			t.Errorf("after Close: %v, ready %v", err, client.Ready())
		}
	})
}

// TestClientReconnects: when the server is back, so is the client, by itself.
func TestClientReconnects(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		leak.Check(t)
		first := newFront(t, w.mode, w.road, nil)
		client := first.client(nil)
		target := echo(t)
		conn := dial(t, client, target)
		talk(t, conn, "before")
		first.f.Close()
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("a connection outlives its server")
		}
		_, err := client.DialContext(t.Context(), "tcp", target)
		if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopProxy) || !dialer.Retryable(err) {
			t.Errorf("without a server: %v", err)
		}
		if client.Ready() != nil {
			t.Errorf("a client that can try says %v", client.Ready())
		}

		again := &front{t: t, road: first.road, ca: first.ca}
		f, err := NewFrontend(first.f.cfg)
		if err != nil {
			t.Fatal(err)
		}
		again.f = f
		again.serve(relisten(t, first))
		t.Cleanup(func() { f.Close(); <-again.done })
		talk(t, dial(t, client, target), "after")
	})
}

// relisten listens where fr did.
func relisten(t *testing.T, fr *front) net.Listener {
	t.Helper()
	var ln net.Listener
	var err error
	switch fr.road {
	case overUnix:
		ln, err = ListenUnix(fr.address(), UnixOptions{})
	default:
		ln, err = net.Listen("tcp", fr.address())
	}
	if err != nil {
		t.Fatal(err)
	}
	if fr.road == overPlain {
		ln = plainListener{ln}
	}
	return ln
}

func TestClientRefusesWhatCannotBeAskedFor(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		h := newHanging()
		client := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) { cfg.Dialer = h }).client(nil)
		for _, network := range []string{"udp", "unix", "tcp4", ""} {
			if _, err := client.DialContext(t.Context(), network, "node-1:1"); err == nil {
				t.Errorf("network %q", network)
			}
		}
		for _, address := range []string{"", ":1", "a b:1", "a:1 HTTP/1.1\r\nX: y", "http://a:1", "user@a:1", "a:0", "a:http", "/run/x.sock"} {
			_, err := client.DialContext(t.Context(), "tcp", address)
			if _, ok := errors.AsType[*dialer.Error](err); !ok {
				t.Errorf("address %q: %v", address, err)
			}
		}
		select {
		case <-h.started:
			t.Error("one of them was asked for")
		default:
		}
	})
}

// within returns what ch delivers, in time or not at all.
func within[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	late := time.NewTimer(15 * time.Second)
	defer late.Stop()
	select {
	case v := <-ch:
		return v
	case <-late.C:
		t.Fatalf("did not happen in time: %s", what)
		panic("not reached")
	}
}
