package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// flow is one way of a pipe. Its methods run on the goroutine of that way, or
// where src is a Deliverer on one of src's at a time.
type flow struct {
	pipe     *pipe
	src, dst *end
	n        int64 // bytes delivered
	readErr  error // of src, where dst reads src by itself
	writeErr error // of dst

	hurried atomic.Bool // src's peer has gone: writes to dst are bounded
	spent   bool        // guarded by pipe.mu: dst gets nothing more
}

func (f *flow) init(p *pipe, src, dst *end) { f.pipe, f.src, f.dst = p, src, dst }

// deliver has src do the copying and reports whether it does. join is told once
// the way has come to its end.
func (f *flow) deliver(join *sync.WaitGroup) bool {
	d, ok := f.src.conn.(Deliverer)
	if !ok {
		return false
	}
	join.Add(1)
	if !d.Deliver(f, func(err error) { f.handedOver(err, join) }) {
		join.Done()
		return false
	}
	return true
}

// handedOver does what is left to do behind the last of src's bytes.
func (f *flow) handedOver(err error, join *sync.WaitGroup) {
	defer join.Done()
	if f.writeErr == nil {
		f.end(err)
		return
	}
	if f.refuse() {
		return
	}
	join.Add(1)
	d := f.src.conn.(Deliverer)
	if !d.Deliver(&ignored{flow: f}, func(err error) { f.ended(err); join.Done() }) {
		join.Done()
	}
}

// run copies until src ends or dst refuses, and passes the end on.
func (f *flow) run() {
	err := f.copy()
	if f.writeErr == nil {
		f.end(err)
		return
	}
	if !f.refuse() {
		f.ended(pump(f.src.conn, &ignored{flow: f}))
	}
}

// end passes the end of src's bytes on.
func (f *flow) end(err error) {
	if f.ended(err) && !f.pipe.isDeaf(f.dst) {
		f.finish()
	}
	f.pipe.delivered(f)
}

// refuse handles a dst that takes no more: src is told to stop. Where it cannot
// be told, refuse reports false, and its bytes have to be let through to nowhere
// until it ends.
func (f *flow) refuse() bool {
	f.pipe.refused(f, f.writeErr)
	s, ok := f.src.conn.(ReadStopper)
	if ok {
		s.StopRead(f.writeErr)
	}
	return ok
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
	f.wrote(int64(n), err)
	return n, err
}

// TryWrite delivers what of b goes to dst without waiting.
func (f *flow) TryWrite(b []byte) (int, error) {
	n, err := f.dst.tryWrite(b)
	f.wrote(int64(n), err)
	return n, err
}

// WriteVector is Write for several pieces. Where these have a bound, it is one of
// time without progress, however many they are.
func (f *flow) WriteVector(v *net.Buffers) (int64, error) {
	var total int64
	for {
		if f.hurried.Load() {
			f.hurry()
		}
		n, err := f.dst.writeVector(v)
		total += n
		if n > 0 && f.hurried.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		f.wrote(total, err)
		return total, err
	}
}

func (f *flow) wrote(n int64, err error) {
	f.n += n
	if err != nil && f.writeErr == nil {
		f.writeErr = err
	}
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
