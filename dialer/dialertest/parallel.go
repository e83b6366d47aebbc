package dialertest

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// parallel: a Dialer is safe for concurrent use, and each conn carries its own
// bytes.
func parallel(t testing.TB, f Fixture) {
	const dials = 16
	ln := f.listen(t)
	go serveEcho(f, ln, dials)
	errs := make(chan error, dials)
	for i := range dials {
		go func() { errs <- f.greet(t.Context(), ln.Addr().String(), fmt.Sprintf("dial %02d", i)) }()
	}
	for range dials {
		if err := within(t, f, "parallel dials", errs); err != nil {
			t.Errorf("one of %d dials at once: %v", dials, err)
		}
	}
}

// serveEcho echoes n conns of ln.
func serveEcho(f Fixture, ln net.Listener, n int) {
	for range n {
		a := f.accept(ln)
		if a.err != nil {
			return
		}
		go func() {
			defer a.conn.Close()
			io.Copy(struct{ io.Writer }{a.conn}, struct{ io.Reader }{a.conn})
		}()
	}
}

// greet dials an echo, sends words and wants them back.
func (f Fixture) greet(ctx context.Context, address, words string) error {
	c, err := f.Dialer.DialContext(ctx, f.network(), address)
	if err != nil {
		return err
	}
	defer c.Close()
	return roundTrip(c, f.patience(), words)
}

// roundTrip sends words to an echo and reads them back. It leaves c without
// deadlines.
func roundTrip(c net.Conn, patience time.Duration, words string) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("SetDeadline: %w", err)
	}
	if _, err := io.WriteString(c, words); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	got := make([]byte, len(words))
	if _, err := io.ReadFull(c, got); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if string(got) != words {
		return fmt.Errorf("got %q back, sent %q", got, words)
	}
	return c.SetDeadline(time.Time{})
}

// concurrentMethods: all methods of a conn may be called at once. What they
// return does not matter here; the race detector is the judge, and the conn
// has to end.
func concurrentMethods(t testing.TB, f Fixture) {
	c, target := f.Pair(t)
	echo(target)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { c.Write(make([]byte, 1024)) })
		wg.Go(func() { c.Read(make([]byte, 1024)) })
		wg.Go(func() { c.SetReadDeadline(time.Now()) })
		wg.Go(func() { c.SetDeadline(time.Now().Add(f.patience())) })
		wg.Go(func() { _, _ = c.LocalAddr(), c.RemoteAddr() })
	}
	// Those that still block have nothing to wait for but Close.
	for range 2 {
		wg.Go(func() { c.Close() })
	}
	done := async(func() struct{} { wg.Wait(); return struct{}{} })
	within(t, f, "concurrent calls to end after Close", done)
}
