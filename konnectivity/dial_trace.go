package konnectivity

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/relay"
)

// start calls DialStart and returns the time. Nil hooks and a nil trace are fine,
// here and in done.
func (t *ServerTrace) start(d DialInfo) (begin time.Time) {
	if t == nil {
		return begin
	}
	if t.DialStart != nil {
		t.DialStart(d)
	}
	return time.Now()
}

// done calls DialDone and what follows from a dial's success. It returns the conn
// to hand on.
func (t *ServerTrace) done(d DialInfo, begin time.Time, c net.Conn, err error) net.Conn {
	if t != nil && t.DialDone != nil {
		t.DialDone(d, time.Since(begin), err)
	}
	switch {
	case err != nil:
		return nil
	case t == nil:
		return c
	}
	return t.opened(d, c)
}

// opened calls ConnOpened and returns c as one that calls ConnClosed.
func (t *ServerTrace) opened(d DialInfo, c net.Conn) net.Conn {
	if t.ConnOpened != nil {
		t.ConnOpened(d)
	}
	if t.ConnClosed == nil {
		return c
	}
	since := time.Now()
	return watchClose(c, func() { t.ConnClosed(d, time.Since(since)) })
}

// watched is a conn that tells of its close. It can do what every conn of a link
// or a Client can; what only some can is added by watchClose.
type watched struct {
	net.Conn
	closed func() // called once
}

// watchClose returns c as a conn that calls closed once, after its Close or Reset.
// It has CloseWrite and StopRead if c has: who asks for them by a type assertion
// must get a true answer.
func watchClose(c net.Conn, closed func()) net.Conn {
	w := watched{Conn: c, closed: sync.OnceFunc(closed)}
	half, canHalf := c.(dialer.CloseWriter)
	stop, canStop := c.(relay.ReadStopper)
	switch {
	case canHalf && canStop:
		return struct {
			watched
			dialer.CloseWriter
			relay.ReadStopper
		}{w, half, stop}
	case canHalf:
		return struct {
			watched
			dialer.CloseWriter
		}{w, half}
	case canStop:
		return struct {
			watched
			relay.ReadStopper
		}{w, stop}
	}
	return w
}

// Close closes the conn.
func (w watched) Close() error {
	defer w.closed()
	return w.Conn.Close()
}

// Reset implements relay.Resetter, also for a conn that is not one itself but has
// a socket below that can be reset.
func (w watched) Reset(err error) error {
	defer w.closed()
	relay.Reset(w.Conn, err)
	return nil
}

// OnPeerStop implements relay.StopNotifier.
func (w watched) OnPeerStop(f func()) (cancel func()) {
	if n, ok := w.Conn.(relay.StopNotifier); ok {
		return n.OnPeerStop(f)
	}
	return func() {}
}

// Deliver implements relay.Deliverer.
func (w watched) Deliver(out io.Writer, ended func(error)) bool {
	d, ok := w.Conn.(relay.Deliverer)
	return ok && d.Deliver(out, ended)
}

// WriteTo copies the conn to out without a buffer, where the conn can.
func (w watched) WriteTo(out io.Writer) (int64, error) {
	if wt, ok := w.Conn.(io.WriterTo); ok {
		return wt.WriteTo(out)
	}
	return io.Copy(out, struct{ io.Reader }{w.Conn})
}
