package konnectivity

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/httpconnect"
	"github.com/sallyport/sallyport/internal/relay"
)

// connectProtocol is HTTP CONNECT: a conn for each connection.
type connectProtocol struct {
	f    *Frontend
	cuts *cuts
}

func (connectProtocol) drain() {}
func (connectProtocol) join()  {}

// serve serves the one request of conn.
func (p connectProtocol) serve(ctx context.Context, conn net.Conn, settled func()) (rest func()) {
	conn = honest(conn)
	if target, early, ok := p.request(conn, settled); ok {
		rest = p.connect(ctx, conn, target, early)
	}
	if rest == nil {
		conn.Close() // under TLS with a goodbye
	}
	return rest
}

// request reads what conn asks for, and answers what cannot be served.
func (p connectProtocol) request(conn net.Conn, settled func()) (target string, early []byte, ok bool) {
	conn.SetReadDeadline(time.Now().Add(p.f.cfg.handshakeTimeout()))
	target, early, err := httpconnect.ReadRequest(conn)
	settled()
	if err != nil {
		p.f.badRequest(conn, err)
		return "", nil, false
	}
	conn.SetReadDeadline(time.Time{})
	return target, early, true
}

// badRequest answers what is not a request, and says nothing to who said nothing.
func (f *Frontend) badRequest(conn net.Conn, err error) {
	status, ok := errors.AsType[*httpconnect.StatusError](err)
	if !ok {
		return
	}
	f.log.Info("bad request", "remote", conn.RemoteAddr().String(), "err", err)
	f.refuse(conn, httpconnect.Refusal{Code: status.Code, Text: status.Text})
}

// connect makes what a request for a tunnel to target asks for, and says so. rest
// is its relay, or nil where nothing has come about.
func (p connectProtocol) connect(ctx context.Context, conn net.Conn, target string, early []byte) (rest func()) {
	down := p.f.cfg.Trace.clientUp()
	far, early, done, ok := p.tunnel(ctx, conn, target, early)
	if !ok {
		down()
		return nil
	}
	return func() {
		defer down()
		defer done()
		written := time.Now()
		relay.PipeAfter(withEarly(conn, early), far, func() { awaitTaken(conn, written) })
	}
}

// tunnel dials target and answers conn. What it returns is that of reach.
func (p connectProtocol) tunnel(ctx context.Context, conn net.Conn, target string, early []byte) (far net.Conn, _ []byte, done func(), ok bool) {
	if err := checkTarget("tcp", target); err != nil {
		p.f.badRequest(conn, &httpconnect.StatusError{Code: http.StatusBadRequest, Text: err.Error()})
		return nil, nil, nil, false
	}
	far, early, done, err := p.reach(ctx, conn, target, early)
	if err != nil {
		if err != errClientLeft {
			p.f.refuse(conn, refusalOf(err))
		}
		return nil, nil, nil, false
	}
	if p.f.established(conn) != nil {
		far.Close()
		done()
		return nil, nil, nil, false
	}
	return far, early, done, true
}

// reach makes the connection that the client of conn asked for, while the client
// waits for it, and returns what has been read of what it says. done has to be
// called when the connection has ended. The error is errClientLeft itself where
// nobody is left to hear of another.
func (p connectProtocol) reach(ctx context.Context, conn net.Conn, target string, early []byte) (_ net.Conn, _ []byte, done func(), err error) {
	dialing, gone := context.WithCancelCause(ctx)
	defer gone(nil)
	w := p.f.watches.start(conn, early, gone)
	far, done, err := p.f.openTarget(dialing, p.cuts, "tcp", target)
	early, left := p.f.watches.stop(w)
	if left != nil && err == nil {
		far.Close()
		done()
	}
	if left != nil {
		err = errClientLeft
	}
	return far, early, done, err
}

// withEarly returns conn with what was read of it already. Where there is
// nothing the relay gets the bare conn, with which it can do more.
func withEarly(conn net.Conn, early []byte) net.Conn {
	if len(early) == 0 {
		return conn
	}
	return httpconnect.NewConn(conn, early, conn.RemoteAddr(), nil)
}

// established says yes. Not a byte of the target is read before it is said.
func (f *Frontend) established(conn net.Conn) error {
	return f.answer(conn, httpconnect.WriteEstablished)
}

// answer writes to a client that should be waiting for it.
func (f *Frontend) answer(conn net.Conn, write func(io.Writer) error) error {
	begin := time.Now()
	conn.SetWriteDeadline(begin.Add(f.cfg.handshakeTimeout()))
	defer conn.SetWriteDeadline(time.Time{})
	err := write(conn)
	f.cfg.Trace.writeDone(time.Since(begin))
	return err
}

func refusalOf(err error) httpconnect.Refusal {
	r := httpconnect.Refusal{Kind: dialer.KindOf(err), Text: err.Error()}
	r.Code = httpconnect.Status(r.Kind)
	if errors.Is(err, errBusy) || errors.Is(err, ErrFrontendClosed) {
		r.Code = http.StatusServiceUnavailable
	}
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		r.Hop = de.Hop
	}
	return r
}

const (
	// refusalLinger is how long a client that was refused may take to read why.
	refusalLinger = 500 * time.Millisecond
	// refusalDrain is how much of what it sent in the meantime is read: closing
	// over unread bytes would destroy the answer on its way.
	refusalDrain = 256 << 10
)

// refuse says no, and why.
func (f *Frontend) refuse(conn net.Conn, r httpconnect.Refusal) {
	err := f.answer(conn, func(w io.Writer) error { return httpconnect.WriteRefusal(w, r) })
	if err != nil {
		return
	}
	if cw, ok := conn.(dialer.CloseWriter); ok {
		cw.CloseWrite()
	}
	conn.SetReadDeadline(time.Now().Add(refusalLinger))
	io.CopyN(io.Discard, conn, refusalDrain)
}
