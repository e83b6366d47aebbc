package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// piped is a dialer whose connections are pipes, with the far ends in peers.
func piped() (d dialer.Dialer, peers chan net.Conn) {
	peers = make(chan net.Conn, 1)
	return dialer.Func(func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		peers <- far
		return near, nil
	}), peers
}

func TestHandshakeTimeout(t *testing.T) {
	for _, tc := range []struct{ configured, want time.Duration }{{0, transport.DefaultHandshakeTimeout}, {time.Minute, time.Minute}, {-1, time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			under, peers := piped()
			d := mustDialer(t, transport.Config{
				Dialer: under, Roots: transport.StaticRoots(testpki.MustCA(t, "ca").Pool()),
				HandshakeTimeout: tc.configured,
			})
			// The bound that is left when a negative one asks for none.
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			begin := time.Now()
			c, err := d.DialContext(ctx, "tcp", "node-1:1")
			if c != nil || dialer.KindOf(err) != dialer.Timeout || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v and %v, want a timeout", c, err)
			}
			if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
				t.Errorf("%v is no net.Error with Timeout", err)
			}
			if took := time.Since(begin); took != tc.want {
				t.Errorf("took %v, want %v", took, tc.want)
			}
			wantClosed(t, <-peers)
		})
	}
}

// wantClosed expects that the other end of the pipe was closed.
func wantClosed(t *testing.T, peer net.Conn) {
	t.Helper()
	if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection below was not closed: %v", err)
	}
	peer.Close()
}

func TestHandshakeCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under, peers := piped()
		d := mustDialer(t, transport.Config{Dialer: under, Roots: transport.StaticRoots(testpki.MustCA(t, "ca").Pool())})
		gone := errors.New("the client went away")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(gone) })
		begin := time.Now()
		_, err := d.DialContext(ctx, "tcp", "node-1:1")
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("the cancelled dial took %v, want 3s", took)
		}
		de, ok := err.(*dialer.Error)
		if !ok || !de.At(dialer.HopTLS) || !errors.Is(err, context.Canceled) || !errors.Is(err, gone) || dialer.KindOf(err) != dialer.Canceled {
			t.Errorf("got %v, want a cancellation at the tls hop with its cause", err)
		}
		wantClosed(t, <-peers)
	})
}

// closeCounter is a conn that counts its Closes.
type closeCounter struct {
	net.Conn
	closes *atomic.Int64
}

func (c closeCounter) Close() error {
	c.closes.Add(1)
	return c.Conn.Close()
}

func TestHandshakeFailureClosesBelow(t *testing.T) {
	ca, other := testpki.MustCA(t, "ca"), testpki.MustCA(t, "other")
	addr := echoServer(t, &tls.Config{Certificates: []tls.Certificate{other.MustPair(t, testpki.Leaf{Names: []string{"node-1"}})}})
	var closes atomic.Int64
	d := mustDialer(t, transport.Config{
		Roots: transport.StaticRoots(ca.Pool()),
		Dialer: dialer.Func(func(ctx context.Context, network, _ string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			return closeCounter{c, &closes}, err
		}),
	})
	refused(t, d, "node-1:1", dialer.HopTLS)
	if n := closes.Load(); n != 1 {
		t.Errorf("the connection below was closed %d times, want once", n)
	}
}

func TestContextEndsWithTheDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := testpki.MustCA(t, "ca")
		under, peers := piped()
		d := mustDialer(t, transport.Config{Dialer: under, Roots: transport.StaticRoots(ca.Pool())})
		pair := ca.MustPair(t, testpki.Leaf{Names: []string{"node-1"}})
		go func() {
			peer := tls.Server(<-peers, &tls.Config{Certificates: []tls.Certificate{pair}})
			defer peer.Close()
			io.Copy(peer, peer)
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		c, err := d.DialContext(ctx, "tcp", "node-1:1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		cancel()
		synctest.Wait()
		echo(t, c)
		time.Sleep(time.Hour) // past every bound of the dial
		echo(t, c)
	})
}
