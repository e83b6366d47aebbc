package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
)

// TestFrontendServesTCPOverTLSOnly: without a TLS configuration there is nothing
// but unix sockets.
func TestFrontendServesTCPOverTLSOnly(t *testing.T) {
	for _, mode := range []Mode{ModeGRPC, ModeHTTPConnect} {
		f, err := NewFrontend(FrontendConfig{Mode: mode, Dialer: newHanging()})
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Serve(t.Context(), ln); err == nil || !strings.Contains(err.Error(), "FrontendConfig.TLS") {
			t.Errorf("got %v", err)
		}
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the listener is left open: %v", err)
		}
	}
}

// TestFrontendWantsCertificates: who shows none, or a stranger's, gets nothing.
func TestFrontendWantsCertificates(t *testing.T) {
	for _, w := range []way{{ModeGRPC, overTLS13}, {ModeGRPC, overTLS12}, {ModeHTTPConnect, overTLS13}, {ModeHTTPConnect, overTLS12}} {
		h := newHanging()
		fr := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) { cfg.Dialer = h })
		for name, tune := range map[string]func(*ClientConfig){
			"none":       func(cfg *ClientConfig) { cfg.Certificates = nil },
			"a stranger": func(cfg *ClientConfig) { cfg.Certificates = staticNode(t, testpki.MustCA(t, "front"), "x") },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			_, err := fr.client(tune).DialContext(ctx, "tcp", "node-1:1")
			if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopProxy) || !dialer.Retryable(err) {
				t.Errorf("%v, %s: %v", w, name, err)
			}
			if w.road == overTLS13 && !strings.Contains(err.Error(), "certificate") {
				t.Errorf("%v, %s: nobody would guess why: %v", w, name, err)
			}
			cancel()
		}
		if len(h.started) > 0 {
			t.Errorf("%v: somebody was dialed for", w)
		}
	}
}

// TestFrontendWantsCertificatesOfEverybody: a configuration that is made for each
// client cannot leave them out.
func TestFrontendWantsCertificatesOfEverybody(t *testing.T) {
	for _, mode := range []Mode{ModeGRPC, ModeHTTPConnect} {
		h := newHanging()
		fr := newFront(t, mode, overTLS13, func(cfg *FrontendConfig) {
			cfg.Dialer = h
			lax := cfg.TLS.Clone()
			lax.ClientAuth = tls.NoClientCert
			cfg.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return lax, nil }
		})
		if _, err := fr.client(nil).DialContext(t.Context(), "tcp", "node-1:1"); err == nil || len(h.started) > 0 {
			t.Errorf("%s: got %v", mode, err)
		}
	}
}

// TestFrontendShutdownWaits: open connections go on to their end, and only they.
func TestFrontendShutdownWaits(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		leak.Check(t)
		fr := newFront(t, w.mode, w.road, nil)
		client := fr.client(nil)
		address := echo(t)
		conn := dial(t, client, address)
		talk(t, conn, "before")
		ended := make(chan error, 1)
		go func() { ended <- fr.f.Shutdown(context.Background()) }()
		eventually(t, "the front end to close its doors", fr.f.closing)
		if _, err := client.DialContext(t.Context(), "tcp", address); err == nil {
			t.Error("a new dial during the shutdown")
		}
		talk(t, conn, "during")
		want := pattern(1 << 20)
		go func() { conn.Write(want); conn.(dialer.CloseWriter).CloseWrite() }()
		if got, err := io.ReadAll(conn); err != nil || len(got) != len(want) {
			t.Errorf("%d bytes during the shutdown, %v", len(got), err)
		}
		conn.Close()
		if err := within(t, "the shutdown to end", ended); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-fr.done; err != ErrFrontendClosed {
			t.Errorf("Serve: %v", err)
		}
	})
}

// TestFrontendCuts: the end of Shutdown's context, Close, and the end of Serve's
// context end what is open, at both of its ends.
func TestFrontendCuts(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		for name, end := range map[string]func(fr *front) error{
			"Shutdown": func(fr *front) error {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
				defer cancel()
				if err := fr.f.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Shutdown: %v", err)
				}
				return ErrFrontendClosed
			},
			"Close":           func(fr *front) error { fr.f.Close(); fr.f.Close(); return ErrFrontendClosed },
			"Serve's context": func(fr *front) error { fr.stop(); return nil },
		} {
			leak.Check(t)
			fr := newFront(t, w.mode, w.road, nil)
			far := make(chan error, 1)
			address := target(t, func(c net.Conn) { _, err := io.Copy(io.Discard, c); far <- err })
			conn := dial(t, fr.client(nil), address)
			conn.Write([]byte("x"))
			want := end(fr)
			conn.SetDeadline(time.Now().Add(15 * time.Second))
			if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || dialer.KindOf(err) == dialer.Timeout {
				t.Errorf("%s: the client reads %d, %v", name, n, err)
			}
			if err := within(t, "the target to learn of it", far); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: the target saw %v, want a reset", name, err)
			}
			if want != nil {
				if err := <-fr.done; err != want {
					t.Errorf("%s: Serve returned %v", name, err)
				}
			}
		}
	})
}

// TestFrontendCloseDuringFlush: what a client left behind for a target that does
// not take it holds up no Close.
func TestFrontendCloseDuringFlush(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		leak.Check(t)
		fr := newFront(t, w.mode, w.road, nil)
		release := make(chan struct{})
		far := make(chan error, 1)
		address := target(t, func(c net.Conn) { <-release; _, err := io.Copy(io.Discard, c); far <- err })
		conn := dial(t, fr.client(nil), address)
		conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		if n, err := conn.Write(make([]byte, 64<<20)); err == nil {
			t.Fatalf("%d bytes went to a target that reads nothing", n)
		}
		conn.Close()
		closed := make(chan struct{})
		go func() { fr.f.Close(); close(closed) }()
		within(t, "the front end to close", closed)
		close(release)
		if err := within(t, "the target to learn of it", far); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the target saw %v, want a reset", err)
		}
	})
}

// TestFrontendCloseDuringDials: dials under way end with the front end.
func TestFrontendCloseDuringDials(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		leak.Check(t)
		h := newHanging()
		fr := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) { cfg.Dialer = h })
		failed := make(chan error, 1)
		client := fr.client(nil)
		go func() { _, err := client.DialContext(context.Background(), "tcp", "node-1:1"); failed <- err }()
		<-h.started
		fr.f.Close()
		within(t, "the dial behind to end", h.ended)
		if err := within(t, "the dial to end", failed); err == nil {
			t.Error("it succeeded")
		}
	})
}

// TestFrontendSeveralListeners: one front end serves a socket and a port, and one
// listener's end is not the other's.
func TestFrontendSeveralListeners(t *testing.T) {
	for _, mode := range []Mode{ModeGRPC, ModeHTTPConnect} {
		fr := newFront(t, mode, overTLS13, nil)
		ln, err := ListenUnix(filepath.Join(t.TempDir(), "s"), UnixOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- fr.f.Serve(ctx, ln) }()
		address := echo(t)
		overTCP := dial(t, fr.client(nil), address)
		overSocket := dial(t, mustClient(t, ClientConfig{Mode: mode, Network: "unix", Address: ln.Addr().String()}), address)
		talk(t, overTCP, "tcp")
		talk(t, overSocket, "unix")
		cancel()
		if err := within(t, "Serve to end", done); err != context.Canceled {
			t.Errorf("Serve: %v", err)
		}
		talk(t, overTCP, "tcp again")
	}
}

// TestFrontendClosedServesNothing: after Close there is no more Serve.
func TestFrontendClosedServesNothing(t *testing.T) {
	fr := newFront(t, ModeGRPC, overUnix, nil)
	fr.f.Close()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	if err := fr.f.Serve(t.Context(), ln); err != ErrFrontendClosed {
		t.Errorf("Serve after Close: %v", err)
	}
	if err := fr.f.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown after Close: %v", err)
	}
}

func TestFrontendConfig(t *testing.T) {
	ca := testpki.MustCA(t, "front")
	good := func() FrontendConfig {
		return FrontendConfig{Mode: ModeGRPC, Dialer: newHanging(), TLS: serverTLS(t, ca)}
	}
	for want, spoil := range map[string]func(*FrontendConfig){
		"FrontendConfig.Dialer":         func(c *FrontendConfig) { c.Dialer = nil },
		`FrontendConfig.Mode is ""`:     func(c *FrontendConfig) { c.Mode = "" },
		`FrontendConfig.Mode is "GRPC"`: func(c *FrontendConfig) { c.Mode = "GRPC" },
		"has no certificate":            func(c *FrontendConfig) { c.TLS.Certificates = nil },
		"TLS.ClientAuth":                func(c *FrontendConfig) { c.TLS.ClientAuth = tls.VerifyClientCertIfGiven },
		"leave out transport.Server":    func(c *FrontendConfig) { c.TLS = optionalTLS(t, ca) },
		"ClientAuth is RequestClient": func(c *FrontendConfig) {
			c.TLS.ClientAuth = tls.RequestClientCert
			c.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }
		},
		"TLS.ClientCAs": func(c *FrontendConfig) { c.TLS.ClientCAs = nil },
	} {
		cfg := good()
		spoil(&cfg)
		if _, err := NewFrontend(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want words of %s", err, want)
		}
	}
	if _, err := NewFrontend(good()); err != nil {
		t.Error(err)
	}
}
