package proxy

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/streamconn"
	"github.com/sallyport/sallyport/internal/upstream"
	"github.com/sallyport/sallyport/internal/wire"
)

// Client opens Proxy streams. Its fields must not change once it is in use.
type Client struct {
	// Conn is the connection to the server.
	Conn grpc.ClientConnInterface
	// Local is the address of conns of which the server does not tell one.
	Local net.Addr
	// Go runs the reader of a stream, which ends with it. It returns false when
	// it does not.
	Go func(read func()) bool
	// Patience is how long a conn through a server that is not ours may go unread
	// once its queue is full; then it is reset. Zero means 10 s. Such a server lets
	// one that is not read block all others of the same agent, and its own client
	// gives up after as long.
	Patience time.Duration
	// OnPacket and OnError are told of each packet sent or received and of each
	// failure to; one of receiving has a negative type. They may be nil and must
	// not block.
	OnPacket func(out bool, t wire.Type)
	OnError  func(out bool, t wire.Type, err error)
}

const defaultPatience = 10 * time.Second

// queue is what one conn may hold unread, in bytes, beside HTTP/2's window.
const queue = 64 << 10

// errNotRun is returned for streams that Go does not run.
var errNotRun = errors.New("the client is closed")

// dialing is one stream from its DIAL_REQ to the answer.
type dialing struct {
	c       *Client
	stream  grpc.ClientStream
	carrier *packet.Carrier
	address string
	random  int64
	over    bool // of the reader alone
	answer  chan answer
}

type answer struct {
	conn *packet.Conn
	err  error
}

// Dial has the server connect to address, host:port. ctx ends the dial on both
// sides and nothing later. A *link.Refusal says that the server answered and
// could not; any other error means that it did not answer.
func (c *Client) Dial(ctx context.Context, address string) (net.Conn, error) {
	living, cancel := context.WithCancel(metadata.NewOutgoingContext(context.Background(), features()))
	stop := context.AfterFunc(ctx, cancel)
	stream, err := c.Conn.NewStream(living, &streamDesc, method)
	if err != nil {
		cancel()
		return nil, told(err)
	}
	d := &dialing{c: c, stream: stream, address: address, random: newRandom(), answer: make(chan answer, 1)}
	d.carrier = packet.New(packet.Config{
		Stream: stream, Cancel: cancel, Opener: true, Single: true, Queue: queue, Grace: packet.UpstreamGrace,
		Handle: d.handle, OnPacket: c.OnPacket, OnError: c.OnError,
	})
	if !c.Go(func() { d.carrier.Run() }) {
		cancel()
		return nil, errNotRun
	}
	conn, err := d.ask(ctx)
	if !stop() && err == nil {
		conn.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		d.carrier.Close(err)
		return nil, err
	}
	return conn.Net(), nil
}

// newRandom returns an id for a dial, which upstream's server keeps beside those
// of all its clients: it must not be guessed.
func newRandom() int64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return int64(binary.NativeEndian.Uint64(b[:])>>1) | 1
}

// ask sends the DIAL_REQ and waits for the answer. The end of its ctx ends the
// stream.
func (d *dialing) ask(ctx context.Context) (*packet.Conn, error) {
	req := &wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: d.address, Random: d.random}
	if deadline, ok := ctx.Deadline(); ok {
		req.Timeout = max(time.Until(deadline), 1)
	}
	d.carrier.Send(req) // where that fails the carrier has ended
	select {
	case a := <-d.answer:
		return a.conn, a.err
	case <-d.carrier.Done():
	}
	select {
	case a := <-d.answer: // the answer was the last word
		return a.conn, a.err
	default:
		return nil, told(d.carrier.Err())
	}
}

// handle acts on the packets about the dial. It runs on the reader, so that the
// connection is there before the next packet, which may carry its first bytes.
func (d *dialing) handle(p *wire.Packet) {
	if d.over || p.Type != wire.DialRsp && p.Type != wire.DialCls {
		return
	}
	if p.Random != d.random {
		d.settle(nil, fmt.Errorf("%s for a dial that is not this stream's", p.Type))
		return
	}
	switch {
	case p.Type == wire.DialCls:
		d.settle(nil, errors.New("the server gave up the dial"))
	case p.Error != "" || p.Kind != 0:
		d.settle(nil, refusal(p))
	default:
		d.settle(d.connected(p))
	}
}

func (d *dialing) settle(conn *packet.Conn, err error) {
	d.over = true
	d.answer <- answer{conn, err}
}

// connected makes the connection of a DIAL_RSP that says yes.
func (d *dialing) connected(p *wire.Packet) (*packet.Conn, error) {
	if md, err := d.stream.Header(); err == nil && understands(md, halfClose) {
		d.carrier.SetExtended()
	} else {
		d.carrier.SetPatience(cmp.Or(d.c.Patience, defaultPatience))
	}
	local, remote := d.c.Local, streamconn.Addr("tcp", d.address)
	if isAddress(p.Local) {
		local = streamconn.Addr("tcp", p.Local)
	}
	if isAddress(p.Remote) {
		remote = streamconn.Addr("tcp", p.Remote)
	}
	return d.carrier.NewConn(p.ConnectID, local, remote)
}

// isAddress reports whether the server has told an address, and none that is
// longer than any: it is kept for as long as its conn.
func isAddress(s string) bool { return s != "" && len(s) <= link.MaxAddress }

// refusal is a DIAL_RSP that says no. Upstream's says it in words alone.
func refusal(p *wire.Packet) *link.Refusal {
	const maxText = 2 << 10
	text := p.Error[:min(len(p.Error), maxText)]
	r := &link.Refusal{Hop: p.Hop[:min(len(p.Hop), maxText)], Remote: &dialer.RemoteError{Kind: dialer.Kind(p.Kind), Text: text}}
	if p.Kind == 0 && p.Hop == "" {
		r.Remote.Kind, r.Hop = upstream.Failure(text)
	}
	return r
}

// told puts the end of a stream that brought no answer into words.
func told(err error) error {
	if err == nil || err == io.EOF || errors.Is(err, net.ErrClosed) {
		return errors.New("the server ended the stream without an answer")
	}
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	return &statusError{st}
}

// statusError is a status as a dial's error.
type statusError struct{ st *status.Status }

func (e *statusError) Error() string {
	switch e.st.Code() {
	case codes.Unimplemented:
		return "the server has no ProxyService: " + e.st.Message()
	case codes.Unknown, codes.Unavailable:
		return e.st.Message()
	}
	return e.st.Code().String() + ": " + e.st.Message()
}

// GRPCStatus returns the status.
func (e *statusError) GRPCStatus() *status.Status { return e.st }

// Is matches what the codes of a refusal mean.
func (e *statusError) Is(target error) bool {
	switch e.st.Code() {
	case codes.PermissionDenied, codes.Unauthenticated:
		return target == dialer.ErrDenied
	case codes.DeadlineExceeded:
		return target == dialer.ErrTimeout
	}
	return false
}

// Lost reports whether err means that the connection to the server broke, or was
// about to end, before there was an answer.
func Lost(err error) bool {
	st, ok := errors.AsType[*statusError](err)
	return ok && st.st.Code() == codes.Unavailable
}
