package record

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
)

// maxPlain is the most that one TLS record carries.
const maxPlain = 16 << 10

// TLS is a TLS connection whose Write sends all its records at once.
type TLS struct {
	*tls.Conn
	below *Conn
	mu    sync.Mutex // one Write at a time, for what is held back is that of one

	flushing, closed atomic.Bool
}

// Over returns conn, whose handshake is done, as one that joins its records, or
// as it is when there is no [Conn] below it.
func Over(conn *tls.Conn) net.Conn {
	below, ok := conn.NetConn().(*Conn)
	if !ok {
		return conn
	}
	return &TLS{Conn: conn, below: below}
}

// Write sends p. All records but the last wait below, and the last takes them
// along: so the system calls, and their errors, are inside of a Write of
// crypto/tls, where a deadline or a Close finds them.
func (t *TLS) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p) <= maxPlain {
		return t.Conn.Write(p)
	}
	last := len(p) - 1 - (len(p)-1)%maxPlain
	t.below.out.begin()
	if _, err := t.Conn.Write(p[:last]); err != nil {
		t.below.out.drop()
		return 0, err
	}
	t.below.out.end()
	if _, err := t.Conn.Write(p[last:]); err != nil {
		t.below.out.drop()
		return 0, err
	}
	return len(p), nil
}

// BeginNow has what is written from now on not wait, until WriteNow has returned,
// which must follow. It reports false, and does nothing, where that cannot be: on what
// is no socket, while somebody writes to it, and while something is left.
func (t *TLS) BeginNow() bool { return t.below.out.beginNow() }

// WriteNow sends p, which fits into one record, behind BeginNow, beside no other Write.
// What the socket has no room for is held back, and left is true: it goes out with the
// next Write or Flush.
func (t *TLS) WriteNow(p []byte) (left bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err = t.Conn.Write(p)
	return t.below.out.endNow(), err
}

// Flush sends what WriteNow has left.
func (t *TLS) Flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flushing.Store(true)
	defer t.flushing.Store(false)
	if t.closed.Load() {
		return net.ErrClosed
	}
	return t.below.out.flushAll(t.below.Conn)
}

// Close closes the connection. TLS says goodbye, unless it would have to wait for a
// Write or a Flush that waits itself.
func (t *TLS) Close() error {
	t.closed.Store(true)
	if t.flushing.Load() {
		t.below.Conn.Close() // TLS knows of Writes only
	}
	return t.Conn.Close()
}

// CloseWrite says goodbye behind the Write in progress.
func (t *TLS) CloseWrite() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Conn.CloseWrite()
}
