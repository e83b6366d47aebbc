package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/relay"
	"github.com/sallyport/sallyport/internal/wire"
)

const (
	defaultFirstWord = 10 * time.Second
	// lastWords bounds the sending of an answer that ends its stream.
	lastWords = 5 * time.Second
)

// connID is the id of the one connection of a stream.
const connID = 1

// Server serves Proxy streams. Its fields must not change once it is in use.
type Server struct {
	// Dial makes the connection that a client asked for. Its context ends when the
	// client goes or gives up. done, which is never nil beside a conn, is called
	// when the connection has ended.
	Dial func(ctx context.Context, network, address string) (conn net.Conn, done func(), err error)
	// FirstWord bounds the time until a stream's DIAL_REQ. Zero means 10 s.
	FirstWord time.Duration
	// Leaving, which may be nil, ends when streams without a DIAL_REQ are no longer
	// to be waited for.
	Leaving context.Context
	// Work joins the goroutines that outlive a stream for a moment. Serve must not
	// be called any more when it is waited for.
	Work *sync.WaitGroup
	// Sent is told how long it took to hand a packet to gRPC. OnPacket and OnError
	// are told of each packet sent or received and of each failure to; one of
	// receiving has a negative type. All of them may be nil and must not block.
	Sent     func(took time.Duration)
	OnPacket func(out bool, t wire.Type)
	OnError  func(out bool, t wire.Type, err error)
}

// call is one stream.
type call struct {
	s       *Server
	carrier *packet.Carrier
	remote  net.Addr
	stock   *stockClient    // nil for one of ours
	dialing context.Context // ends with the stream, and with a DIAL_CLS
	over    chan struct{}   // closed when the handler is to return
	endOnce sync.Once
	refused error       // the handler's status if not OK; set before over
	asked   atomic.Bool // a DIAL_REQ has come; set by the reader alone
	random  int64       // its id; of the reader alone
}

// Serve serves one stream, as a handler of Service. It returns when the stream is
// over; the connection to the target may live on for a moment.
func (s *Server) Serve(stream grpc.ServerStream) error {
	dialing, over := context.WithCancel(stream.Context())
	defer over()
	c := &call{s: s, dialing: dialing, over: make(chan struct{})}
	if p, ok := peer.FromContext(stream.Context()); ok {
		c.remote = p.Addr
	}
	md, _ := metadata.FromIncomingContext(stream.Context())
	onPacket := s.OnPacket
	extended := understands(md, halfClose)
	if extended {
		stream.SetHeader(features()) // goes out with the first packet
	} else {
		c.stock = newStockClient()
		onPacket = c.stock.watch(onPacket)
	}
	c.carrier = packet.New(packet.Config{
		Stream: s.timed(stream), Cancel: c.end, Single: true, Queue: queue, Extended: extended,
		Handle: c.handle, Stray: c.stray, OnPacket: onPacket, OnError: s.OnError,
	})
	// The reader gets loose when the handler returns, so it cannot be the handler.
	ran := make(chan error, 1)
	s.Work.Go(func() { ran <- c.carrier.Run() })
	late := time.AfterFunc(cmp.Or(s.FirstWord, defaultFirstWord), func() {
		c.refuseUnasked(codes.DeadlineExceeded, "no DIAL_REQ came in time")
	})
	defer late.Stop()
	if s.Leaving != nil {
		stop := context.AfterFunc(s.Leaving, func() {
			c.refuseUnasked(codes.Unavailable, "the server is leaving, and no DIAL_REQ has come")
		})
		defer stop()
	}
	select {
	case err := <-ran:
		return err
	case <-c.over:
		return c.refused
	}
}

// end has the handler return.
func (c *call) end() { c.endOnce.Do(func() { close(c.over) }) }

// refuse ends the stream with a status, behind what has been sent.
func (c *call) refuse(code codes.Code, words string) {
	c.endOnce.Do(func() {
		c.refused = status.Error(code, words)
		flushed := c.carrier.Flush()
		c.s.Work.Go(func() {
			c.await(flushed)
			close(c.over)
		})
	})
}

// refuseUnasked refuses a stream that has not had its DIAL_REQ.
func (c *call) refuseUnasked(code codes.Code, words string) {
	if !c.asked.Load() {
		c.refuse(code, words)
	}
}

// await waits for last words to be sent, to a client that may not read them.
func (c *call) await(flushed <-chan struct{}) {
	late := time.NewTimer(lastWords)
	defer late.Stop()
	select {
	case <-flushed:
	case <-c.dialing.Done():
	case <-late.C:
	}
}

// handle acts on the packets about dials. It runs on the reader.
func (c *call) handle(p *wire.Packet) {
	switch p.Type {
	case wire.DialReq:
		if c.asked.Swap(true) {
			c.refuse(codes.InvalidArgument, "a second DIAL_REQ: a stream is for one connection")
			return
		}
		c.random = p.Random
		req := request{network: p.Protocol, address: p.Address, random: p.Random, timeout: p.Timeout}
		c.s.Work.Go(func() { c.connect(req) })
	case wire.DialCls:
		if c.asked.Load() && p.Random == c.random {
			// Nobody waits for the answer, nor for a connection whose answer is on
			// its way. The dial ends with the handler.
			c.end()
		}
	}
}

// stray answers packets for connections that there are not. Before there was any
// they get the words that upstream's server has for it, and the stream ends.
func (c *call) stray(p *wire.Packet) bool {
	if c.asked.Load() {
		return false
	}
	switch p.Type {
	case wire.Data:
		c.carrier.Send(&wire.Packet{Type: wire.CloseRsp, ConnectID: p.ConnectID, Error: "backend not initialized"})
	case wire.CloseReq:
		c.carrier.Send(&wire.Packet{Type: wire.CloseRsp, ConnectID: p.ConnectID, Error: "backend uninitialized"})
	default:
		return true
	}
	c.refuse(codes.FailedPrecondition, p.Type.String()+" before any DIAL_REQ")
	return true
}

// request is what a DIAL_REQ asks for.
type request struct {
	network, address string
	random           int64
	timeout          time.Duration
}

// connect dials, answers, and carries the connection to its end.
func (c *call) connect(req request) {
	far, done, err := c.dial(req)
	if err != nil {
		c.fail(req, err)
		return
	}
	defer done()
	near, err := c.carrier.NewConn(connID, nil, c.remote)
	if err != nil { // the stream has ended meanwhile
		far.Close()
		return
	}
	c.carrier.Send(&wire.Packet{
		Type: wire.DialRsp, Random: req.random, ConnectID: connID,
		Local: text(far.LocalAddr()), Remote: text(far.RemoteAddr()),
	})
	if c.stock != nil {
		relay.Pipe(c.stock.conn(near), far)
		return
	}
	relay.Pipe(near.Net(), far)
}

// text is a's, or nothing: conns of somebody else's Dialer may not know theirs.
func text(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

func (c *call) dial(req request) (net.Conn, func(), error) {
	ctx := c.dialing
	if !isNetwork(req.network) {
		err := fmt.Errorf("%w: protocol %.20q: want tcp", dialer.ErrDenied, req.network)
		return nil, nil, &dialer.Error{Hop: dialer.HopProxy, Network: req.network, Address: req.address, Err: err}
	}
	if req.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, req.timeout)
		defer cancel()
	}
	return c.s.Dial(ctx, req.network, req.address)
}

// noAgent is how upstream's server says that there is no way to a target. Callers
// of its client look for it.
const noAgent = "No agent available"

// fail answers a dial that failed, and ends the stream behind the answer.
func (c *call) fail(req request, err error) {
	p := &wire.Packet{Type: wire.DialRsp, Random: req.random, Error: words(err), Kind: uint8(dialer.KindOf(err))}
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		p.Hop = de.Hop
	}
	if c.carrier.Send(p) == nil {
		c.await(c.carrier.Flush())
	}
	c.end()
}

// words are err's, of bounded length.
func words(err error) string {
	const maxText = 1 << 10
	text := err.Error()
	if dialer.KindOf(err) == dialer.NoRoute {
		text = noAgent + ": " + text
	}
	return text[:min(len(text), maxText)]
}

// timed returns stream, or one that tells Sent about each packet.
func (s *Server) timed(stream grpc.ServerStream) packet.Stream {
	if s.Sent == nil {
		return stream
	}
	return timedStream{stream, s.Sent}
}

type timedStream struct {
	packet.Stream
	sent func(time.Duration)
}

func (t timedStream) SendMsg(m any) error {
	begin := time.Now()
	err := t.Stream.SendMsg(m)
	t.sent(time.Since(begin))
	return err
}
