package packet

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"google.golang.org/grpc/mem"

	"github.com/sallyport/sallyport/internal/wire"
)

// errCut is how a stream fails that was ended hard.
var errCut = errors.New("stream cut")

// road is a pair of streams in memory, as gRPC's are: bounded each way, so that
// SendMsg blocks behind a peer that does not receive.
type road struct {
	a, b *stream
}

// stream is one end of a road.
type stream struct {
	ctx    context.Context
	cancel func() // ends this end, as a server can: what it has sent still arrives
	cut    func() // ends both ends, as a client can
	in     chan []byte
	out    chan []byte
	outEnd chan struct{} // closed by CloseSend, or when a server's handler returns
	inEnd  chan struct{}
	once   sync.Once

	sending, receiving sync.Mutex
}

// server hides CloseSend.
type server struct{ Stream }

func newRoad(depth int) *road {
	actx, acut := context.WithCancel(context.Background())
	bctx, bcut := context.WithCancel(context.Background())
	ab, ba := make(chan []byte, depth), make(chan []byte, depth)
	abEnd, baEnd := make(chan struct{}), make(chan struct{})
	return &road{
		a: &stream{ctx: actx, cancel: acut, cut: func() { acut(); bcut() }, out: ab, in: ba, outEnd: abEnd, inEnd: baEnd},
		b: &stream{ctx: bctx, cancel: bcut, cut: func() { acut(); bcut() }, out: ba, in: ab, outEnd: baEnd, inEnd: abEnd},
	}
}

func (s *stream) Context() context.Context { return s.ctx }

func (s *stream) CloseSend() error {
	s.once.Do(func() { close(s.outEnd) })
	return nil
}

func (s *stream) SendMsg(m any) error {
	if !s.sending.TryLock() {
		panic("SendMsg from two goroutines at once")
	}
	defer s.sending.Unlock()
	select {
	case <-s.outEnd:
		panic("SendMsg after CloseSend")
	default:
	}
	bufs, err := wire.Codec{}.Marshal(m)
	if err != nil {
		return err
	}
	msg := bufs.Materialize()
	bufs.Free()
	select {
	case s.out <- msg:
		return nil
	case <-s.ctx.Done():
		return errCut
	}
}

func (s *stream) RecvMsg(m any) error {
	if !s.receiving.TryLock() {
		panic("RecvMsg from two goroutines at once")
	}
	defer s.receiving.Unlock()
	select {
	case msg := <-s.in:
		return decode(msg, m)
	case <-s.ctx.Done():
		return errCut
	case <-s.inEnd:
	}
	select {
	case msg := <-s.in:
		return decode(msg, m)
	default:
		return io.EOF
	}
}

// decode gives the message in two buffers, as gRPC would, that are scribbled
// over once they have been given back.
func decode(msg []byte, m any) error {
	half := len(msg) / 2
	bufs := mem.BufferSlice{mem.NewBuffer(new(msg[:half:half]), poison{}), mem.NewBuffer(new(msg[half:]), poison{})}
	defer bufs.Free()
	return wire.Codec{}.Unmarshal(bufs, m)
}

type poison struct{}

func (poison) Get(n int) *[]byte { return new(make([]byte, n)) }

func (poison) Put(b *[]byte) {
	for i := range *b {
		(*b)[i] = 0xdb
	}
}

// ends are two carriers on one road, both running.
type ends struct {
	opener, acceptor *Carrier
	road             *road
	t                testing.TB
	running          sync.WaitGroup
	openerErr        error
	acceptorErr      error
}

// newEnds runs two carriers. The opener is the client of the stream if
// openerIsClient; tune may change either config.
func newEnds(t testing.TB, extended, openerIsClient bool, tune func(opener, acceptor *Config)) *ends {
	t.Helper()
	r := newRoad(4)
	e := &ends{road: r, t: t}
	o := Config{Stream: r.a, Cancel: r.a.cut, Opener: true, Extended: extended}
	a := Config{Stream: server{r.b}, Cancel: r.b.cancel, Extended: extended}
	if !openerIsClient {
		o.Stream, o.Cancel = server{r.a}, r.a.cancel
		a.Stream, a.Cancel = r.b, r.b.cut
	}
	if tune != nil {
		tune(&o, &a)
	}
	e.opener, e.acceptor = New(o), New(a)
	e.running.Go(func() {
		e.openerErr = e.opener.Run()
		if !openerIsClient {
			r.a.CloseSend() // the handler has returned
		}
	})
	e.running.Go(func() {
		e.acceptorErr = e.acceptor.Run()
		if openerIsClient {
			r.b.CloseSend()
		}
	})
	return e
}

// stop ends both and waits.
func (e *ends) stop() {
	e.opener.Close(nil)
	e.acceptor.Close(nil)
	e.running.Wait()
}

// conns makes one connection.
func (e *ends) conns(id int64) (opener, acceptor *Conn) {
	e.t.Helper()
	o, err := e.opener.NewConn(id, nil, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	a, err := e.acceptor.NewConn(id, nil, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	return o, a
}
