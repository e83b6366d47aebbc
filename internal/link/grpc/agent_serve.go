package grpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/relay"
	"github.com/sallyport/sallyport/internal/wire"
)

// errMemory is why a connection is refused for which there is no window.
var errMemory = errors.New("the windows of the tunnel's connections take up the agent's memory; do many stall?")

// asked is a connection that the server has asked for.
type asked struct {
	random  int64
	address string

	mu      sync.Mutex
	stop    func() // gives up the dial
	stopped bool
}

// giveUp handles the server's loss of interest.
func (q *asked) giveUp() {
	q.mu.Lock()
	stop := q.stop
	q.stopped, q.stop = true, nil
	q.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// onGiveUp says what giveUp does from now on. It reports whether the server is
// still interested.
func (q *asked) onGiveUp(stop func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stop = stop
	return !q.stopped
}

// handle acts on what comes on the Connect stream and is about no connection.
func (a *Agent) handle(p *wire.Packet) {
	switch p.Type {
	case wire.DialReq:
		a.request(p)
	case wire.DialCls:
		a.mu.Lock()
		q := a.asked[p.Random]
		a.mu.Unlock()
		if q != nil {
			q.giveUp()
		}
	case wire.Drain:
		if a.ServerDraining != nil {
			a.ServerDraining()
		}
	case wire.Ping:
		a.pong(a.control, p)
	case wire.Pong:
		a.pulse.pong(p.Random)
	}
}

func (a *Agent) pong(c *packet.Carrier, p *wire.Packet) {
	if a.ours && p.Type == wire.Ping {
		c.Answer(&wire.Packet{Type: wire.Pong, Random: p.Random})
	}
}

// request begins to serve a DIAL_REQ, or refuses it.
func (a *Agent) request(p *wire.Packet) {
	req := *p // it has no payload, and so nothing to free
	q := &asked{random: p.Random, address: p.Address}
	ctx, cancel := context.WithCancel(a.life)
	q.stop = cancel
	if err := a.enter(q); err != nil {
		cancel()
		a.control.Answer(answer(p.Random, dialer.Wrap(err, dialer.HopAgent, p.Protocol, p.Address)))
		return
	}
	a.served.Go(func() {
		defer cancel()
		defer a.leave(q)
		a.serve(ctx, q, &req)
	})
}

// enter takes a place among those being served.
func (a *Agent) enter(q *asked) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked[q.random] != nil {
		return errors.New("another dial has the same random number")
	}
	if len(a.asked) >= a.maxConns() {
		return fmt.Errorf("the agent serves as many connections as it may, %d; are some never closed?", a.maxConns())
	}
	a.asked[q.random] = q
	a.serving.Add(1)
	return nil
}

func (a *Agent) leave(q *asked) {
	a.mu.Lock()
	delete(a.asked, q.random)
	a.mu.Unlock()
	if a.serving.Add(-1) > 0 {
		return
	}
	select {
	case a.idle <- struct{}{}:
	default:
	}
}

// serve serves one request: dial, answer, relay.
func (a *Agent) serve(ctx context.Context, q *asked, req *wire.Packet) {
	target, err := a.dial(ctx, req)
	if err != nil {
		a.control.Send(answer(req.Random, err))
		return
	}
	if err := a.carryTarget(q, target, req.Window); err != nil {
		hangUp(target)
		a.control.Send(answer(req.Random, err))
	}
}

// dial connects to the target. The server's giving up, and the end of the
// tunnel, cancel it.
func (a *Agent) dial(ctx context.Context, req *wire.Packet) (net.Conn, error) {
	switch req.Protocol {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, &dialer.Error{
			Hop: dialer.HopPolicy, Network: req.Protocol, Address: req.Address,
			Err: fmt.Errorf("network %q: %w; an agent connects by tcp, tcp4 and tcp6", short(req.Protocol), dialer.ErrDenied),
		}
	}
	timeout := a.DialTimeout
	if req.Timeout > 0 {
		timeout = min(timeout, req.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return a.Dial(ctx, req.Protocol, req.Address)
}

// success is the DIAL_RSP for a target that was reached.
func success(q *asked, id int64, target net.Conn, grant int64) *wire.Packet {
	return &wire.Packet{
		Type: wire.DialRsp, Random: q.random, ConnectID: id, Window: grant,
		Local: target.LocalAddr().String(), Remote: target.RemoteAddr().String(),
	}
}

// carryTarget relays between target and a connection of the tunnel. An error says
// that the server has not heard of it.
func (a *Agent) carryTarget(q *asked, target net.Conn, got int64) error {
	grant, ok := a.control.Admit()
	if !ok {
		return errMemory
	}
	id := a.ids.Add(1)
	conn, err := a.control.NewWindowed(id, nil, target.RemoteAddr(), grant, got)
	if err != nil {
		return err
	}
	if !q.onGiveUp(nil) { // from here on the server closes the connection
		conn.Reset(context.Canceled)
		return context.Canceled
	}
	conn.OnPeerReset(func() { hangUp(target) })
	a.control.Send(success(q, id, target, grant))
	stop := context.AfterFunc(a.life, func() { a.tunnelEnded(conn, target) })
	defer stop()
	a.relay(q, conn, target)
	return nil
}

func (a *Agent) relay(q *asked, conn *packet.Conn, target net.Conn) {
	if a.Opened != nil {
		defer a.Opened(q.address)()
	}
	stop := context.AfterFunc(a.patience, func() { hangUp(target) })
	defer stop()
	relay.Pipe(conn.Net(), target)
}

// tunnelEnded decides about a connection whose stream has ended. One whose far
// end had finished still delivers its last bytes. Any other was cut, and its
// target must see that: an end of file would make the part look like the whole.
func (a *Agent) tunnelEnded(conn *packet.Conn, target net.Conn) {
	if !conn.PeerFinished() {
		hangUp(target)
	}
}

// hangUp resets a target.
func hangUp(target net.Conn) {
	if tcp, ok := target.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	target.Close()
}
