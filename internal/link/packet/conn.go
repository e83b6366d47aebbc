package packet

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/streamconn"
	"github.com/sallyport/sallyport/internal/window"
)

// Conn is one connection of a carrier: a net.Conn without CloseWrite, which
// Konnectivity's protocol has not. See [Conn.Net].
type Conn struct {
	c  *Carrier
	id int64

	recv streamconn.Buffer
	seen atomic.Int64 // the carrier's epoch when something was read last, or came to an empty queue

	win window.Window // what the peer may send, where there are windows

	wrote atomic.Int64 // when something was written last, in Unix nanoseconds, where Grace asks for it

	wmu           sync.Mutex // one Write at a time, so that bytes of two never mix
	writeDeadline streamconn.Deadline
	turn          turn // guarded by the carrier's writer.mu

	mu        sync.Mutex
	werr      error // why nothing more can be written
	closed    bool  // Close or Reset was called
	ending    bool  // CLOSE_REQ or CLOSE_RSP has been queued, and is our last packet
	finished  bool  // HALF_CLOSE has been queued
	told      bool  // HALF_CLOSE is with gRPC
	heardEnd  bool  // the peer's HALF_CLOSE is here
	asked     bool  // the peer's CLOSE_REQ is here, and we owe an answer
	gone      bool  // the peer knows the id no more, or the stream has ended
	stopped   bool  // the peer reads no more
	onStop    func()
	wasReset  bool // by the peer
	onReset   func()
	graced    bool        // our CLOSE_REQ waits for the end of its Grace
	forgetter *time.Timer // of what is due after a close

	local, remote net.Addr
}

func newConn(c *Carrier, id int64, local, remote net.Addr) *Conn {
	unknown := streamconn.Name{Net: "tcp", Address: "unknown"}
	if local == nil {
		local = unknown
	}
	if remote == nil {
		remote = unknown
	}
	st := &Conn{c: c, id: id, local: local, remote: remote}
	st.turn.credit = unlimited
	return st
}

// HalfCloser is a Conn whose two ways end one by one.
type HalfCloser struct{ *Conn }

// Net returns the connection as what it can do: a *HalfCloser where both ends
// are ours, and otherwise st itself, so that whoever asks for CloseWrite learns
// the truth.
func (st *Conn) Net() net.Conn {
	if st.c.extended.Load() {
		return &HalfCloser{st}
	}
	return st
}

// ID returns the connection's id.
func (st *Conn) ID() int64 { return st.id }

// Read reads what the peer sent. It returns io.EOF after the peer's close or
// CloseWrite, and an error that is dialer.ErrReset after a reset, behind the
// bytes that are here.
func (st *Conn) Read(p []byte) (int, error) {
	n, err := st.recv.Read(p)
	if n > 0 {
		st.took(n)
	}
	if err == io.EOF {
		st.drained()
	}
	return n, st.opError("read", err)
}

// WriteTo copies the connection to w without a buffer of its own. An error of w
// is returned as it is.
func (st *Conn) WriteTo(w io.Writer) (int64, error) {
	out := streamconn.Sink{W: w}
	for {
		n, err := st.recv.WriteNext(&out)
		if n > 0 {
			st.took(n)
		}
		switch {
		case out.Err != nil:
			return out.N, out.Err
		case err == io.EOF:
			st.drained()
			return out.N, nil
		case err != nil:
			return out.N, st.opError("read", err)
		}
	}
}

// took notes that n bytes were read. It tells a peer that waits for that, or the
// reader that does.
func (st *Conn) took(n int) {
	if st.c.cfg.Windows != nil {
		st.c.consumedOf(st, n)
		return
	}
	st.c.consumed(st)
}

// append queues a copy of p for the reader.
func (st *Conn) append(p []byte) {
	for len(p) > 0 {
		n := copy(st.recv.Reserve(len(p)), p)
		st.recv.Commit(n)
		p = p[n:]
	}
}

// Write sends p in packets of at most 32 KiB. It returns once all of it has been
// taken to be sent next, and waits while the stream is held back.
func (st *Conn) Write(p []byte) (int, error) {
	st.wmu.Lock()
	defer st.wmu.Unlock()
	if err := st.mayWrite(); err != nil {
		return 0, st.opError("write", err)
	}
	n, err := st.c.w.data(st, p)
	if n > 0 && st.c.cfg.Grace > 0 {
		st.wrote.Store(time.Now().UnixNano())
	}
	return n, st.opError("write", err)
}

func (st *Conn) writeError() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.werr
}

// mayWrite returns why a Write that begins now fails.
func (st *Conn) mayWrite() error {
	if err := st.writeError(); err != nil {
		return err
	}
	if st.writeDeadline.Passed() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// opError dresses err as the net package does. io.EOF stays bare.
func (st *Conn) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: st.local, Addr: st.remote, Err: err}
}

// SetDeadline sets both deadlines. A time in the past wakes blocked calls.
func (st *Conn) SetDeadline(t time.Time) error {
	if err := st.SetReadDeadline(t); err != nil {
		return err
	}
	return st.SetWriteDeadline(t)
}

// SetReadDeadline bounds Read and WriteTo.
func (st *Conn) SetReadDeadline(t time.Time) error {
	if st.isClosed() {
		return st.opError("set", net.ErrClosed)
	}
	st.recv.Deadline.Set(t)
	return nil
}

// SetWriteDeadline bounds Write. The connection stays usable after it has passed.
func (st *Conn) SetWriteDeadline(t time.Time) error {
	if st.isClosed() {
		return st.opError("set", net.ErrClosed)
	}
	st.writeDeadline.Set(t)
	return nil
}

func (st *Conn) isClosed() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.closed
}

// LocalAddr returns what NewConn was given. It is never nil.
func (st *Conn) LocalAddr() net.Addr { return st.local }

// RemoteAddr returns what NewConn was given. It is never nil.
func (st *Conn) RemoteAddr() net.Addr { return st.remote }

// String names the connection in a log.
func (st *Conn) String() string { return fmt.Sprintf("connection %d to %v", st.id, st.remote) }
