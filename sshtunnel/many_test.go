package sshtunnel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// TestColdDialsShareOneHandshake: a node that nobody has dialed yet is asked once.
func TestColdDialsShareOneHandshake(t *testing.T) {
	server := sshtest.Start(t, sshtest.Options{Keys: []ssh.PublicKey{userKey().PublicKey()}})
	coldDials(t, ours{server})
	if server.Accepted() != 1 || len(server.Logins()) != 1 {
		t.Errorf("the server took %d connections and %d logins, want one each", server.Accepted(), len(server.Logins()))
	}
}

// coldDials starts 64 dials through an endpoint that nobody has dialed through.
func coldDials(t *testing.T, ep endpoint) {
	t.Helper()
	leak.Check(t)
	target := echo(t)
	var mu sync.Mutex
	handshakes := 0
	d := through(t, ep, func(c *sshtunnel.Config) {
		c.Trace = &sshtunnel.Trace{HandshakeDone: func(sshtunnel.ServerInfo, time.Duration, error) {
			mu.Lock()
			defer mu.Unlock()
			handshakes++
		}}
	})
	var dialing sync.WaitGroup
	start := make(chan struct{})
	for range 64 {
		dialing.Go(func() {
			<-start
			c, err := d.DialContext(t.Context(), "tcp", target)
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			defer c.Close()
			io.WriteString(c, "words")
			if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
				t.Errorf("read: %v", err)
			}
		})
	}
	close(start)
	dialing.Wait()
	mu.Lock()
	defer mu.Unlock()
	if handshakes != 1 {
		t.Errorf("64 dials made %d handshakes, want one", handshakes)
	}
}

// TestColdDialsShareOneFailure: so does what the handshake ends in, and the
// dials whose context ends do not wait for it.
func TestColdDialsShareOneFailure(t *testing.T) {
	leak.Check(t)
	server := sshtest.Start(t, sshtest.Options{Keys: []ssh.PublicKey{sshtest.NewKey(t).PublicKey()}, Knobs: sshtest.Knobs{StallAuth: true}})
	d := through(t, ours{server})
	ctx, cancel := context.WithCancel(t.Context())
	var dialing sync.WaitGroup
	errs := make(chan error, 64)
	for i := range 64 {
		dialing.Go(func() {
			ctx := ctx
			if i == 0 {
				ctx = t.Context() // holds the handshake when the others have gone
			}
			_, err := d.DialContext(ctx, "tcp", "127.0.0.1:1")
			errs <- err
		})
	}
	eventually(t, "the handshake to begin", func() bool { return server.Accepted() > 0 })
	cancel()
	for range 63 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v; want context.Canceled", err)
		}
	}
	server.DropConns()
	if err := <-errs; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("the dial that stayed got %v", err)
	}
	dialing.Wait()
	if server.Accepted() != 1 {
		t.Errorf("the server took %d connections, want one", server.Accepted())
	}
}

// TestThousandChannels opens and closes 1,000 channels on one client.
func TestThousandChannels(t *testing.T) {
	leak.Check(t) // the server included
	server := sshtest.Start(t, sshtest.Options{Keys: []ssh.PublicKey{userKey().PublicKey()}})
	thousandChannels(t, ours{server})
	eventually(t, "the server to have no channels", func() bool { return server.Channels() == 0 })
	if len(server.Logins()) != 1 {
		t.Errorf("it took %d clients", len(server.Logins()))
	}
}

func thousandChannels(t *testing.T, ep endpoint) {
	t.Helper()
	target := echo(t)
	d := through(t, ep)
	reaches(t, d, target) // what the client needs once
	eventually(t, "the first conn to have gone", func() bool { return d.Status().Conns == 0 })
	goroutines, descriptors := len(leak.Goroutines()), leak.Descriptors()
	for range 4 {
		wave(t, d, target, 250)
	}
	returned(t, goroutines, descriptors)
	if s := d.Status(); s.Conns != 0 || s.Unanswered != 0 || s.State != sshtunnel.Connected {
		t.Errorf("after all were closed the status is %+v", s)
	}
}

// wave has n conns open at once.
func wave(t *testing.T, d dialer.Dialer, target string, n int) {
	t.Helper()
	var dialing sync.WaitGroup
	conns := make([]net.Conn, n)
	for i := range conns {
		dialing.Go(func() {
			c, err := d.DialContext(t.Context(), "tcp", target)
			if err != nil {
				t.Errorf("dial %d: %v", i, err)
				return
			}
			conns[i] = c
			io.WriteString(c, "words")
			if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
				t.Errorf("read %d: %v", i, err)
			}
		})
	}
	dialing.Wait()
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
}

// TestRejectedChannelsAreNotKept: neither counted, nor in memory.
func TestRejectedChannelsAreNotKept(t *testing.T) {
	leak.Check(t)
	server := sshtest.Start(t, sshtest.Options{Knobs: sshtest.Knobs{
		Reject: &ssh.OpenChannelError{Reason: ssh.Prohibited, Message: "no"},
	}})
	d := through(t, ours{server}, func(c *sshtunnel.Config) { c.MaxConns = 4 })
	reject := func(n int) {
		for range n {
			if err := refusedDial(t, d, "tcp", "127.0.0.1:1"); !errors.Is(err, dialer.ErrDenied) {
				t.Fatalf("got %v; want it denied", err)
			}
		}
	}
	reject(100)
	before, goroutines := heap(), len(leak.Goroutines())
	const n = 4000
	reject(n)
	eventually(t, "goroutines to return", func() bool { return len(leak.Goroutines()) <= goroutines })
	// Package ssh holds about a KiB for a channel that it has not forgotten, at
	// either end.
	if grown := int64(heap()) - int64(before); grown > n*512 {
		t.Errorf("%d rejected channels left %d KiB behind", n, grown>>10)
	}
	if s := d.Status(); s.Conns != 0 || s.Unanswered != 0 {
		t.Errorf("after all were rejected the status is %+v", s)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
