package mux

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/internal/streamconn"
	"github.com/sallyport/sallyport/internal/window"
)

// errStopped is what writing fails with when the peer has closed the stream and
// reads no more.
var errStopped = os.NewSyscallError("stream", syscall.EPIPE)

// Stream is one connection of a session. It is a net.Conn with CloseWrite.
type Stream struct {
	s  *Session
	id uint32

	recv streamconn.Buffer
	win  window.Window

	wmu           sync.Mutex // one Write at a time, so that bytes of two never mix
	writeDeadline streamconn.Deadline

	mu      sync.Mutex
	credit  int   // bytes the peer lets us send
	werr    error // why nothing more can be written
	closed  bool  // Close or Reset was called
	stopped bool  // the peer reads no more
	onStop  func()
	reset   bool // the peer reset the stream or the session ended

	// Guarded by the session's writer.mu: the Write that waits for its turn, and
	// whether FIN or RST is behind us, after which no data may follow.
	turn     *turn // nil before the first
	finished bool

	more chan struct{} // one token: credit came
	wend chan struct{} // closed when werr is set

	local, remote atomic.Pointer[addr]
}

type addr struct{ net.Addr }

func newStream(s *Session, id uint32, credit int, extra int64) *Stream {
	st := &Stream{s: s, id: id, credit: credit, more: make(chan struct{}, 1), wend: make(chan struct{})}
	st.win.Init(int64(s.cfg.startWindow()), extra)
	return st
}

// ID returns the stream's number, unique in its session for ever.
func (st *Stream) ID() uint32 { return st.id }

// Read reads what the peer sent. It returns io.EOF after the peer's CloseWrite
// or Close, and a *ResetError after a reset, each behind the bytes sent before.
func (st *Stream) Read(p []byte) (int, error) {
	n, err := st.recv.Read(p)
	if n > 0 {
		st.consumed(n)
	}
	return n, st.opError("read", err)
}

// WriteTo copies the stream to w without a buffer of its own. An error of w is
// returned as it is.
func (st *Stream) WriteTo(w io.Writer) (int64, error) {
	out := streamconn.Sink{W: w}
	for {
		n, err := st.recv.WriteNext(&out)
		if n > 0 {
			st.consumed(n)
		}
		switch {
		case out.Err != nil:
			return out.N, out.Err
		case err == io.EOF:
			return out.N, nil
		case err != nil:
			return out.N, st.opError("read", err)
		}
	}
}

// consumed tells the peer of room in the window, once it is worth a frame.
func (st *Stream) consumed(n int) {
	grant, took := st.win.Consumed(&st.s.mem, int64(n), st.s.cfg.growth(), st.s.trip.Min())
	if grant <= 0 {
		return
	}
	st.s.overtake(header{typ: typeWindow, id: st.id, length: uint32(grant)})
	st.s.ping.want(took)
}

// Write sends p. It returns once every byte is on its way: in the batch that
// goes out next, or beyond. It waits while the peer's window is full.
func (st *Stream) Write(p []byte) (total int, err error) {
	st.wmu.Lock()
	defer st.wmu.Unlock()
	for first := true; first || len(p) > 0; first = false {
		credit, err := st.takeCredit(len(p))
		if err != nil {
			return total, st.opError("write", err)
		}
		n, err := st.s.w.data(st, p[:credit])
		total, p = total+n, p[n:]
		if n < credit {
			st.addCredit(credit - n)
		}
		if err != nil {
			return total, st.opError("write", err)
		}
	}
	return total, nil
}

// takeCredit waits for the right to send at least one and at most n bytes.
func (st *Stream) takeCredit(n int) (int, error) {
	for {
		if st.writeDeadline.Passed() {
			return 0, st.deadlineOr()
		}
		st.mu.Lock()
		if st.werr != nil {
			defer st.mu.Unlock()
			return 0, st.werr
		}
		if take := min(n, st.credit); take > 0 || n == 0 {
			st.credit -= take
			st.mu.Unlock()
			return take, nil
		}
		st.mu.Unlock()
		select {
		case <-st.more:
		case <-st.wend:
		case <-st.writeDeadline.Done():
		}
	}
}

func (st *Stream) deadlineOr() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed && st.werr != nil {
		return st.werr
	}
	return os.ErrDeadlineExceeded
}

func (st *Stream) addCredit(n int) {
	st.mu.Lock()
	st.credit += n
	st.mu.Unlock()
	select {
	case st.more <- struct{}{}:
	default:
	}
}

func (st *Stream) writeError() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.werr
}

// endWrite makes writes fail with err. It reports whether they were possible.
// st.mu is held.
func (st *Stream) endWrite(err error) bool {
	if st.werr != nil {
		return false
	}
	st.werr = err
	close(st.wend)
	return true
}

// opError dresses err as the net package does. io.EOF stays bare.
func (st *Stream) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: st.LocalAddr(), Addr: st.RemoteAddr(), Err: err}
}

// SetDeadline sets both deadlines. A time in the past wakes blocked calls.
func (st *Stream) SetDeadline(t time.Time) error {
	return firstError(st.SetReadDeadline(t), st.SetWriteDeadline(t))
}

// SetReadDeadline bounds Read and WriteTo.
func (st *Stream) SetReadDeadline(t time.Time) error {
	if st.isClosed() {
		return st.opError("set", net.ErrClosed)
	}
	st.recv.Deadline.Set(t)
	return nil
}

// SetWriteDeadline bounds Write. The stream stays usable after it has passed.
func (st *Stream) SetWriteDeadline(t time.Time) error {
	if st.isClosed() {
		return st.opError("set", net.ErrClosed)
	}
	st.writeDeadline.Set(t)
	return nil
}

func (st *Stream) isClosed() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.closed
}

// SetAddrs sets what LocalAddr and RemoteAddr answer. A nil one is left alone.
func (st *Stream) SetAddrs(local, remote net.Addr) {
	if local != nil {
		st.local.Store(&addr{local})
	}
	if remote != nil {
		st.remote.Store(&addr{remote})
	}
}

// LocalAddr returns what SetAddrs was given, or else the session's address.
func (st *Stream) LocalAddr() net.Addr {
	if a := st.local.Load(); a != nil {
		return a.Addr
	}
	return st.s.conn.LocalAddr()
}

// RemoteAddr returns what SetAddrs was given, or else the session's peer.
func (st *Stream) RemoteAddr() net.Addr {
	if a := st.remote.Load(); a != nil {
		return a.Addr
	}
	return st.s.conn.RemoteAddr()
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
