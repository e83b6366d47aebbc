package dialertest

import (
	"context"
	"net"
	"testing"
)

// Pair dials a fresh target and returns both ends of the connection. They are
// closed with t's cleanups at the latest.
func (f Fixture) Pair(t testing.TB) (caller, target net.Conn) {
	t.Helper()
	f.require(t)
	return f.pairContext(t, t.Context())
}

// pairContext is Pair with a dial that ctx bounds.
func (f Fixture) pairContext(t testing.TB, ctx context.Context) (caller, target net.Conn) {
	t.Helper()
	ln := f.listen(t)
	accepting := async(func() accepted { return f.accept(ln) })
	caller, err := f.Dialer.DialContext(ctx, f.network(), ln.Addr().String())
	if err != nil {
		ln.Close()
		t.Fatalf("dial %s %s: %v", f.network(), ln.Addr(), err)
	}
	if caller == nil {
		ln.Close()
		t.Fatal("DialContext returned neither a conn nor an error")
	}
	t.Cleanup(func() { caller.Close() })
	a := within(t, f, "the target to see the connection", accepting)
	if a.err != nil {
		t.Fatalf("the target's side: %v", a.err)
	}
	t.Cleanup(func() { a.conn.Close() })
	return caller, a.conn
}

type accepted struct {
	conn net.Conn
	err  error
}

// accept takes one conn of ln and finishes its handshake, for which the caller
// may be waiting inside DialContext.
func (f Fixture) accept(ln net.Listener) accepted {
	c, err := ln.Accept()
	if err != nil {
		return accepted{err: err}
	}
	h, ok := c.(interface{ HandshakeContext(context.Context) error })
	if !ok {
		return accepted{conn: c}
	}
	ctx, cancel := context.WithTimeout(context.Background(), f.patience())
	defer cancel()
	if err := h.HandshakeContext(ctx); err != nil {
		c.Close()
		return accepted{err: err}
	}
	return accepted{conn: c}
}
