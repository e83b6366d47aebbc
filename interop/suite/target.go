package suite

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

// target serves each conn with serve and closes it afterwards, until the test
// ends.
func target(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	ln := listen(t)
	var conns sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	conns.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			conns.Go(func() {
				serve(c)
				c.Close()
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		conns.Wait()
	})
	return ln.Addr().String()
}

// echo sends back what it gets.
func echo(t testing.TB) string { return target(t, func(c net.Conn) { io.Copy(c, c) }) }

// closedPort is an address where nobody listens.
func closedPort(t testing.TB) string {
	t.Helper()
	ln := listen(t)
	defer ln.Close()
	return ln.Addr().String()
}

// sink reads each conn to its end and tells what came.
func sink(t testing.TB) (address string, got <-chan string) {
	ch := make(chan string, 64)
	return target(t, func(c net.Conn) {
		b, _ := io.ReadAll(c)
		ch <- string(b)
	}), ch
}

// hanging resolves "hanging.test" never, and tells of who waits for it.
type hanging struct{ began, ended chan struct{} }

func newHanging() *hanging {
	return &hanging{make(chan struct{}, 64), make(chan struct{}, 64)}
}

func (h *hanging) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	h.began <- struct{}{}
	<-ctx.Done()
	h.ended <- struct{}{}
	return nil, ctx.Err()
}

// random is n bytes that no compressor or coincidence gets right.
func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// exchange sends msg and wants it back.
func exchange(c net.Conn, msg string) error {
	return bounded(patience, func() error {
		if _, err := io.WriteString(c, msg); err != nil {
			return err
		}
		got := make([]byte, len(msg))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != msg {
			return fmt.Errorf("echo of %q: %q, %w", msg, got, err)
		}
		return nil
	})
}

// bulk sends data to an echo in pieces of size bytes and compares the checksum of
// what comes back.
func bulk(c net.Conn, data []byte, size int) error {
	sent := make(chan error, 1)
	go func() {
		for rest := data; len(rest) > 0; {
			n := min(size, len(rest))
			if _, err := c.Write(rest[:n]); err != nil {
				sent <- err
				return
			}
			rest = rest[n:]
		}
		sent <- nil
	}()
	return bounded(3*patience, func() error {
		sum := sha256.New()
		if n, err := io.CopyN(sum, c, int64(len(data))); err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", n, len(data), err)
		}
		if err := <-sent; err != nil {
			return err
		}
		if [sha256.Size]byte(sum.Sum(nil)) != sha256.Sum256(data) {
			return fmt.Errorf("other bytes came back than were sent")
		}
		return nil
	})
}

// dial dials within patience and closes the conn with the test.
func dial(t testing.TB, d dialer.Dialer, address string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
