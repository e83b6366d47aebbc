//go:build unix

package record

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// TestWriteNow: what a socket has no room for is left, without waiting; a Flush or the
// next Write sends it, and the peer gets every byte in order.
func TestWriteNow(t *testing.T) {
	for name, next := range map[string]func(*TLS) error{
		"flush": func(c *TLS) error { return c.Flush() },
		"write": func(c *TLS) error { _, err := c.Write([]byte("!")); return err },
		"long":  func(c *TLS) error { _, err := c.Write(bytes.Repeat([]byte("!"), 200<<10)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			a, b := sockets(t, "tcp")
			x, y := over(t, a, b, tls.VersionTLS13)
			defer x.Close()
			defer y.Close()
			piece := bytes.Repeat([]byte("0123456789abcdef"), maxPlain/16)
			var sent []byte
			for left, i := false, 1; !left; i++ {
				if !x.BeginNow() {
					t.Fatal("nobody writes, and nothing is left, and yet it could not")
				}
				p := piece[:1+i*997%len(piece)]
				var err error
				if left, err = x.WriteNow(p); err != nil {
					t.Fatal(err)
				}
				sent = append(sent, p...)
			}
			if x.BeginNow() {
				t.Error("with something left it claims that it need not wait")
			}
			result := make(chan []byte)
			go func() {
				all, _ := io.ReadAll(y)
				result <- all
			}()
			if err := next(x); err != nil {
				t.Fatal(err)
			}
			if x.below.out.back != nil || !x.BeginNow() {
				t.Fatal("something is left behind the next write")
			}
			if left, err := x.WriteNow([]byte("end")); left || err != nil {
				t.Errorf("left %v, %v", left, err)
			}
			x.CloseWrite()
			got := <-result
			if !bytes.HasPrefix(got, sent) || !bytes.HasSuffix(got, []byte("end")) {
				t.Errorf("%d bytes, or others, of %d and the end", len(got), len(sent))
			}
		})
	}
}

// TestWriteNowAndDeadline: a write that is late fails where it waits for what was left.
func TestWriteNowAndDeadline(t *testing.T) {
	leak.Check(t)
	a, b := sockets(t, "tcp")
	x, y := over(t, a, b, tls.VersionTLS13)
	defer y.below.Close()
	defer x.below.Close()
	for left := false; !left; {
		if !x.BeginNow() {
			t.Fatal("it would have to wait")
		}
		var err error
		if left, err = x.WriteNow(make([]byte, maxPlain)); err != nil {
			t.Fatal(err)
		}
	}
	x.SetWriteDeadline(time.Unix(1, 0))
	if err := x.Flush(); err == nil {
		t.Error("a Flush of what the peer does not read succeeded behind its deadline")
	}
}

// TestCloseWhileFlushing: Close does not wait for a peer that takes nothing, neither of a
// Flush that waits for it nor of one to come.
func TestCloseWhileFlushing(t *testing.T) {
	for _, late := range []bool{false, true} {
		leak.Check(t)
		a, b := sockets(t, "tcp")
		x, y := over(t, a, b, tls.VersionTLS13)
		for left := false; !left; {
			if !x.BeginNow() {
				t.Fatal("it would have to wait")
			}
			var err error
			if left, err = x.WriteNow(make([]byte, maxPlain)); err != nil {
				t.Fatal(err)
			}
		}
		flushed := make(chan error, 1)
		if !late {
			go func() { flushed <- x.Flush() }()
			for !x.flushing.Load() {
			}
			for x.below.out.mu.TryLock() {
				x.below.out.mu.Unlock() // it does not wait yet
			}
		}
		closed := make(chan struct{})
		go func() { x.Close(); close(closed) }()
		if late {
			<-closed
			flushed <- x.Flush()
		}
		if err := <-flushed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("late %v: Flush ended with %v, want %v", late, err, net.ErrClosed)
		}
		<-closed
		y.below.Close()
	}
}

// TestCannotWriteNow: what is no socket has to be waited for, and a socket while
// another write waits for it.
func TestCannotWriteNow(t *testing.T) {
	leak.Check(t)
	a, b := net.Pipe()
	x, y := over(t, a, b, tls.VersionTLS13)
	defer x.below.Close()
	defer y.below.Close()
	if x.BeginNow() {
		t.Error("a pipe could be written without waiting")
	}
	c, d := sockets(t, "tcp")
	x, y = over(t, c, d, tls.VersionTLS13)
	defer y.below.Close()
	x.below.out.mu.Lock() // as a write below does that waits
	can := x.BeginNow()
	x.below.out.mu.Unlock()
	if can {
		t.Error("beside another write it claims that it need not wait")
	}
	x.below.Close()
}
