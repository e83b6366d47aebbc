package yamux

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/mux"
	"github.com/sallyport/sallyport/internal/relay"
)

// requestTimeout bounds how long an opened stream may take to say what it wants.
const requestTimeout = 10 * time.Second

// request is a stream that a server has opened at an agent, to its end: a request,
// a dial, an answer, a connection.
type request struct {
	agent *Agent
	st    *mux.Stream
}

// Run implements crew.Task. A dial goes deep, and a stack that has grown
// stays so: what relays for hours is left to another goroutine, and the next dial
// finds this one as it is.
func (r *request) Run() {
	target, address := r.open()
	if target == nil {
		r.done()
		return
	}
	go func() {
		r.relay(target, address)
		r.done()
	}()
}

func (r *request) done() {
	if r.agent.serving.Add(-1) == 0 {
		r.agent.noticeIdle()
	}
	r.agent.dials.Done()
}

func (r *request) relay(target net.Conn, address string) {
	a := r.agent
	defer a.served.remove(a.served.add(r.st, target))
	if a.Opened != nil {
		defer a.Opened(address)()
	}
	relay.Pipe(tunnelConn{r.st}, target)
}

// open reads the request, dials and answers. It returns nil when there is nothing
// to relay.
func (r *request) open() (target net.Conn, address string) {
	req, err := readRequest(r.st)
	if err != nil {
		r.st.Reset(mux.ReasonProtocol)
		return nil, ""
	}
	if target, err = r.agent.dial(r.st, req); err != nil {
		r.agent.refuse(r.st, err)
		return nil, ""
	}
	r.st.SetAddrs(nil, target.RemoteAddr())
	answer := message.Answer{Local: target.LocalAddr().String(), Remote: target.RemoteAddr().String()}
	if err := message.Write(r.st, &answer); err != nil {
		target.Close()
		r.st.Close()
		return nil, ""
	}
	return target, req.Address
}

func readRequest(st *mux.Stream) (req message.Request, err error) {
	st.SetReadDeadline(time.Now().Add(requestTimeout))
	if err = message.Read(st, &req); err == nil {
		st.SetReadDeadline(time.Time{})
	}
	return req, err
}

// dial connects to the target. The server's giving up, by a reset or by the end
// of the tunnel, cancels it.
func (a *Agent) dial(st *mux.Stream, req message.Request) (net.Conn, error) {
	timeout := a.DialTimeout
	if req.Timeout > 0 {
		timeout = min(timeout, req.Timeout)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	stop := st.OnPeerStop(cancel)
	defer stop()
	return a.Dial(ctx, req.Network, req.Address)
}

// refuse answers with the dial's error. The words go too: an agent's operator
// and its server's are on the same side.
func (a *Agent) refuse(st *mux.Stream, err error) {
	answer := message.Answer{Failed: true, Kind: dialer.KindOf(err), Hop: dialer.HopTarget, Text: err.Error()}
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		answer.Hop, answer.Text = de.Hop, de.Err.Error()
	}
	const maxText = 1 << 10
	answer.Text = answer.Text[:min(len(answer.Text), maxText)]
	message.Write(st, &answer)
	st.Close()
}
