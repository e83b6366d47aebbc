package relay

import (
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// flow is one way of a pipe. Its methods run on the goroutine of that way.
type flow struct {
	pipe     *pipe
	src, dst *end
	n        int64 // bytes delivered
	readErr  error // of src, where dst reads src by itself
	writeErr error // of dst

	hurried atomic.Bool // src's peer has gone: writes to dst are bounded
	spent   bool        // guarded by pipe.mu: dst gets nothing more
}

// run copies until src ends or dst refuses, and passes the end on.
func (f *flow) run() {
	err := f.copy()
	if f.writeErr != nil {
		f.turnedAway()
		return
	}
	if f.ended(err) && !f.pipe.isDeaf(f.dst) {
		f.finish()
	}
	f.pipe.delivered(f)
}

// turnedAway handles a dst that takes no more: src is told to stop, or where it
// cannot be told its bytes are let through to nowhere until it ends.
func (f *flow) turnedAway() {
	f.pipe.refused(f, f.writeErr)
	if s, ok := f.src.conn.(ReadStopper); ok {
		s.StopRead(f.writeErr)
		return
	}
	f.ended(pump(f.src.conn, &ignored{flow: f}))
}

// ignored is where bytes go that nobody hears. While their conn is merely read
// for a bounded time it takes little of them after the first: a peer that talks
// as fast as it can would otherwise be listened to as fast as we can, and the
// relay's other connections pay for it. What is not read waits in the kernel.
type ignored struct {
	flow *flow
	n    int
}

// Write takes b.
func (i *ignored) Write(b []byte) (int, error) {
	if !i.flow.pipe.isLingering(i.flow.src) {
		return len(b), nil
	}
	if i.n += len(b); i.n > ignoreFreely {
		time.Sleep(ignorePause)
	}
	return len(b), nil
}

// ended judges the end of src's bytes and reports whether it was a good one.
// A bad one ends the whole pipe.
func (f *flow) ended(err error) bool {
	if err == nil {
		err = f.src.hiddenReset()
	}
	if err == nil || f.pipe.expected(f.src, err) {
		return true
	}
	f.pipe.abort(err)
	return false
}

// finish tells dst's peer that there is no more to come.
func (f *flow) finish() {
	cw, ok := f.dst.conn.(dialer.CloseWriter)
	if !ok {
		f.pipe.markClosed(f.dst)
		f.dst.conn.Close()
		return
	}
	if err := cw.CloseWrite(); err != nil {
		f.pipe.refused(f, err)
	}
}

// copy moves src's bytes to dst. It returns the error that ended src's bytes,
// nil for EOF; what ended dst is in writeErr.
func (f *flow) copy() error {
	if rf, ok := f.dst.conn.(io.ReaderFrom); ok && !hasOwnCopy(f.src.conn) && !isKernel(f.dst.conn) {
		return f.copyInto(rf)
	}
	err := pump(f.src.conn, f)
	if f.writeErr != nil {
		return nil // WriteTo may have returned the write's error as its own
	}
	return err
}

// copyInto lets dst fetch the bytes itself.
func (f *flow) copyInto(dst io.ReaderFrom) error {
	n, err := dst.ReadFrom((*fetcher)(f))
	f.n += n
	if f.readErr == nil || f.readErr == io.EOF {
		f.writeErr = err // src did its part, so an error can only be dst's
		return nil
	}
	return f.readErr
}

// Write delivers b to dst. It is the sink of pump and of a source's WriteTo.
func (f *flow) Write(b []byte) (int, error) {
	if f.hurried.Load() {
		f.hurry()
	}
	n, err := f.dst.write(b)
	f.n += int64(n)
	if err != nil && f.writeErr == nil {
		f.writeErr = err
	}
	return n, err
}

// hurry gives the write to dst that is under way, or the next one, its bound.
func (f *flow) hurry() { f.dst.conn.SetWriteDeadline(time.Now().Add(stallTime)) }

// fetcher is the source of a flow as a plain reader that remembers its error:
// from the result of ReadFrom alone nobody could tell whose error it is.
type fetcher flow

// Read reads from the flow's source.
func (r *fetcher) Read(b []byte) (int, error) {
	n, err := r.src.conn.Read(b)
	if err != nil {
		r.readErr = err
	}
	if n > 0 {
		r.dst.prepare()
	}
	if r.hurried.Load() {
		(*flow)(r).hurry()
	}
	return n, err
}

// hasOwnCopy reports whether reading c by other means than Read is better: the
// kernel's conns wait without a buffer, those with WriteTo bring their own.
func hasOwnCopy(c net.Conn) bool {
	_, ok := c.(io.WriterTo)
	return ok || isKernel(c)
}

// isKernel reports whether c is a stream socket itself. The WriteTo and ReadFrom
// of these would splice where they can, and where not allocate a buffer and hold
// it while nothing is said.
func isKernel(c net.Conn) bool {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}
