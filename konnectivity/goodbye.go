package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/sallyport/sallyport/dialer"
)

// errNoGoodbye is what reading ends with when a peer's TCP connection ended and
// its TLS did not.
var errNoGoodbye = errors.New("the connection ended without TLS saying so: cut on the way, or the peer died")

// cutError is errNoGoodbye as the reset that it is.
type cutError struct{ error }

// Is makes a cut match the errors that mean a reset, as every conn's here does.
func (cutError) Is(target error) bool {
	return target == dialer.ErrReset || target == syscall.ECONNRESET
}

// socket is a conn below TLS that remembers whether its peer has ended it.
type socket struct {
	net.Conn
	ended atomic.Bool
}

// Read reads. An end that comes with bytes is told by the next Read, for those
// bytes may be the goodbye.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	switch {
	case err != io.EOF:
	case n > 0:
		return n, nil
	default:
		s.ended.Store(true)
	}
	return n, err
}

// NetConn returns the conn itself, for who wants to reset it.
func (s *socket) NetConn() net.Conn { return s.Conn }

// overSocket dials with d for TLS to be put on top.
func overSocket(d dialer.Dialer) dialer.Dialer {
	return dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &socket{Conn: c}, nil
	})
}

// honestTLS is TLS that takes the end of its connection for a clean one only when
// the peer said goodbye. crypto/tls takes one between two records for clean, too,
// and nothing inside of HTTP CONNECT would tell.
type honestTLS struct {
	*tls.Conn
	below *socket
}

// honest returns c as honestTLS where it is TLS over a socket.
func honest(c net.Conn) net.Conn {
	tc, ok := c.(*tls.Conn)
	if !ok {
		return c
	}
	if below, ok := tc.NetConn().(*socket); ok {
		return &honestTLS{tc, below}
	}
	return c
}

// Read reads; a connection that was cut is a reset.
func (h *honestTLS) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	if err == io.EOF && h.below.ended.Load() {
		err = &net.OpError{Op: "read", Net: "tcp", Source: h.LocalAddr(), Addr: h.RemoteAddr(), Err: cutError{errNoGoodbye}}
	}
	return n, err
}
