package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/sallyport/sallyport/internal/eager"
	"github.com/sallyport/sallyport/internal/streamconn"
)

// A Resetter can end its connection hard, so that its peer's reads fail instead
// of ending with EOF. A conn of a tunnel has it. Without it a TCP conn, also
// below TLS, is closed with linger zero, which sends a RST; any other conn is
// just closed.
type Resetter interface {
	// Reset ends the connection because of err, which its peer may be told.
	Reset(err error) error
}

// A ReadStopper can tell its peer to stop sending, and nothing else: bytes the
// other way still flow.
type ReadStopper interface {
	// StopRead says that nothing more will be read from the conn, because of
	// err. It does not block.
	StopRead(err error)
}

// A StopNotifier knows when its peer has stopped reading, which most of the time
// means that it has left.
type StopNotifier interface {
	// OnPeerStop arranges for f to be called once when the peer reads no more,
	// on any goroutine, at once if that is already so. Bytes and the EOF that
	// the peer sent before stay readable; writes fail from then on, those that
	// are blocked included. The conn holds none of its locks while it calls f,
	// which does not block.
	// cancel ends the arrangement.
	OnPeerStop(f func()) (cancel func())
}

// A Deliverer writes out what its peer sends by itself, with goroutines of its own
// that are there only while there are bytes.
type Deliverer interface {
	// Deliver begins to write what the peer sends to w, which may be a
	// streamconn.VectorWriter, and returns at once. It reports false, and does
	// nothing, if it cannot. Reading deadlines and Close hold for it as they do
	// for Read, which nobody may call meanwhile.
	//
	// ended is called once, after the last write, with the error that ended the
	// peer's bytes, nil for EOF, or with that of w. It may call Deliver again.
	Deliver(w io.Writer, ended func(error)) bool
}

// end is one of the two conns. The flags are guarded by pipe.mu.
type end struct {
	conn net.Conn

	deaf      bool // its peer takes no more bytes
	lingering bool // it is read for a bounded time only
	closed    bool // we closed it in good order

	writing  sync.Mutex    // held during a write to conn
	ready    func()        // to be called before the first one, or nil; guarded by writing
	writeErr error         // the first one; guarded by writing
	eager    *eager.Writer // nil before the first try, and for what is no socket; guarded by writing
}

// write writes to the conn and remembers its first error for hiddenReset.
func (e *end) write(b []byte) (int, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	e.prepare()
	n, err := e.conn.Write(b)
	e.wrote(err)
	return n, err
}

// writeVector is write for several pieces, which a socket takes in one call.
func (e *end) writeVector(v *net.Buffers) (int64, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	e.prepare()
	n, err := streamconn.WriteVector(e.conn, v)
	e.wrote(err)
	return n, err
}

// tryWrite writes what the conn takes without waiting: nothing while another write
// is under way or ready has not been called, and nothing to what is no socket.
func (e *end) tryWrite(b []byte) (int, error) {
	if !e.writing.TryLock() {
		return 0, nil
	}
	defer e.writing.Unlock()
	if e.ready != nil || e.writeErr != nil {
		return 0, nil
	}
	if e.eager == nil {
		e.eager = eager.New(e.conn)
	}
	n, err := e.eager.Write(b)
	e.wrote(err)
	return n, err
}

// wrote notes how a write ended. One that was late may go on. e.writing is held.
func (e *end) wrote(err error) {
	if e.writeErr == nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		e.writeErr = err
	}
}

// prepare does what has to be done before the first byte. Writing is under way.
func (e *end) prepare() {
	if ready := e.ready; ready != nil {
		e.ready = nil
		ready()
	}
}

// hiddenReset tells a reset that a read reported as EOF. A socket reports its
// reset once, to whoever asks first; if that was a write, the next read finds
// nothing but a closed conn.
//
// A write that is under way may be the one that got the reset and has not said
// so yet. It is waited for, but only when the socket is dead and the write
// cannot block: a peer that ends its own way and does not read is in its right.
func (e *end) hiddenReset() error {
	if !isKernel(e.conn) {
		return nil
	}
	if hungUp(e.conn) {
		e.writing.Lock()
	} else if !e.writing.TryLock() {
		return nil
	}
	defer e.writing.Unlock()
	if errors.Is(e.writeErr, syscall.ECONNRESET) {
		return e.writeErr
	}
	return nil
}

// onPeerStop asks the conn to call f, if it is one that can.
func (e *end) onPeerStop(f func()) (cancel func()) {
	if n, ok := e.conn.(StopNotifier); ok {
		return n.OnPeerStop(f)
	}
	return func() {}
}

// Reset ends c hard, by itself or by the conn below it, so that its peer's reads
// fail. See [Resetter].
func Reset(c net.Conn, err error) {
	switch c := c.(type) {
	case Resetter:
		c.Reset(err)
	case *net.TCPConn:
		c.SetLinger(0)
	case interface{ NetConn() net.Conn }:
		// TLS says goodbye on Close, which its peer reads as a clean end; with
		// the socket gone it cannot.
		Reset(c.NetConn(), err)
	}
	c.Close()
}
