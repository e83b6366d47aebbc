package record

import (
	"crypto/tls"
	"net"
	"sync"
)

// maxPlain is the most that one TLS record carries.
const maxPlain = 16 << 10

// TLS is a TLS connection whose Write sends all its records at once.
type TLS struct {
	*tls.Conn
	below *Conn
	mu    sync.Mutex // one Write at a time, for what is held back is that of one
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

// CanWriteNow reports whether WriteNow can do without waiting: whether the conn below
// is a socket that nobody is writing to at the moment.
func (t *TLS) CanWriteNow() bool { return t.below.out.canWriteNow() }

// WriteNow sends p, which fits into one record, without waiting for the peer. What
// the socket has no room for is held back, and left is true: it goes out with the
// next Write or Flush, one of which has to follow before the next WriteNow. Beside
// another Write it waits for that.
func (t *TLS) WriteNow(p []byte) (left bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.below.out.beginNow()
	_, err = t.Conn.Write(p)
	return t.below.out.endNow(), err
}

// Flush sends what WriteNow has left.
func (t *TLS) Flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.below.out.flushAll(t.below.Conn)
}

// CloseWrite says goodbye behind the Write in progress.
func (t *TLS) CloseWrite() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Conn.CloseWrite()
}
