package mux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/streamconn"
	"github.com/sallyport/sallyport/internal/window"
)

// Errors of opening a stream.
var (
	ErrGoAway    = errors.New("mux: the peer takes no new streams")
	ErrExhausted = errors.New("mux: the session has used all its stream numbers")
	ErrMemory    = errors.New("mux: the session's receive memory is used up")
	errFlood     = fmt.Errorf("%w: more answers demanded than read", ErrProtocol)
	errStuck     = fmt.Errorf("the peer does not read: %w", errTimeout{})
	errSilent    = fmt.Errorf("no answer to keepalive: %w", errTimeout{})
)

// errTimeout is the net.Error inside a keepalive failure.
type errTimeout struct{}

func (errTimeout) Error() string   { return "timeout" }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }

// Session is a connection shared by streams. Make one with [New], then call Run.
type Session struct {
	cfg  Config
	conn net.Conn
	w    writer
	mem  window.Memory

	workers streamconn.Workers // deliver what streams get

	mu       sync.Mutex
	streams  map[uint32]*Stream
	incoming int // of streams, those the peer opened
	nextID   uint32
	lastPeer uint32 // the highest id the peer has used
	err      error

	opening sync.Mutex // from taking a number until its SYN is queued: they go out in order

	goneAway atomic.Bool // the peer takes no new streams
	refusing atomic.Bool // we take no new streams
	heard    atomic.Uint64
	rtt      atomic.Int64 // nanoseconds, smoothed; 0 before the first pong
	trip     window.RTT
	ping     pinger
	done     chan struct{} // closed when the session ends
	torn     chan struct{} // closed when end has done all that follows
}

// New returns a session over conn, which it owns from now on. It starts
// nothing: streams may be opened, but no byte moves before Run.
func New(conn net.Conn, cfg Config) *Session {
	s := &Session{
		cfg: cfg, conn: conn, streams: make(map[uint32]*Stream),
		done: make(chan struct{}), torn: make(chan struct{}), nextID: 2,
	}
	if cfg.Client {
		s.nextID = 1
	}
	s.mem.Init(int64(cfg.memory()))
	s.w.init(conn)
	s.ping.session = s
	return s
}

// Run serves the session until ctx ends, Close is called, the peer hangs up or
// breaks the protocol. It closes the conn, fails every stream, joins its
// goroutines and returns why; nil after Close.
func (s *Session) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.end(context.Cause(ctx)) })
	defer stop()
	var workers sync.WaitGroup
	workers.Go(func() { s.end(s.w.run(s.conn)) })
	workers.Go(s.ping.run)
	s.end(s.read())
	workers.Wait()
	<-s.torn // whoever ended it may still be at it
	s.workers.Wait()
	return s.Err()
}

// end ends the session with err, the first of which counts. A nil err is a wish.
func (s *Session) end(err error) {
	s.mu.Lock()
	select {
	case <-s.done:
		s.mu.Unlock()
		return
	default:
	}
	s.err = err
	close(s.done)
	streams := s.streams
	s.streams, s.incoming = nil, 0
	s.mu.Unlock()

	lost := s.lost()
	s.w.fail(lost)
	s.workers.Stop()
	for _, st := range streams {
		st.peerReset(lost)
	}
	s.conn.Close() // last: under TLS it may take a moment to say goodbye
	close(s.torn)
}

// Close ends the session at once and fails its streams. Run returns nil.
func (s *Session) Close() error {
	s.end(nil)
	return nil
}

// Flush waits until the peer has received everything sent so far. Before a Close
// it is what keeps the last words of streams that have just ended: a conn that
// is closed over unread pings is reset, and loses what is on its way.
func (s *Session) Flush(ctx context.Context) error {
	if err := s.w.flush(ctx); err != nil {
		return err
	}
	return s.ping.barrier(ctx) // frames are served in order, so the pong is a receipt
}

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns why the session ended: nil while it lives and after Close.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Streams returns the number of open streams.
func (s *Session) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// RTT returns the smoothed round-trip time, zero before the first measurement.
func (s *Session) RTT() time.Duration { return time.Duration(s.rtt.Load()) }

// GoAway tells the peer to open no more streams here. Open streams go on.
func (s *Session) GoAway() {
	if !s.refusing.Swap(true) {
		s.overtake(header{typ: typeGoAway, length: goAwayNormal})
	}
}

// GoneAway reports whether the peer takes no new streams.
func (s *Session) GoneAway() bool { return s.goneAway.Load() }

// Open opens a stream. It waits, bounded by ctx, only while the peer reads
// nothing at all; the peer's consent is not awaited.
func (s *Session) Open(ctx context.Context) (*Stream, error) {
	st, err := s.OpenToWrite(ctx)
	if err == nil {
		s.w.signal()
	}
	return st, err
}

// OpenToWrite is Open for a caller that writes to the stream at once: its peer need
// not hear of it before those bytes come, and may hear of it no sooner.
func (s *Session) OpenToWrite(ctx context.Context) (*Stream, error) {
	if err := s.waitForRoom(ctx); err != nil {
		return nil, err
	}
	start := int64(s.cfg.startWindow())
	extra, ok := s.mem.Admit(start, baseWindow)
	if !ok {
		return nil, ErrMemory
	}
	st, err := s.announce(extra)
	if err != nil && st == nil {
		s.mem.Return(start, extra)
	} else if err != nil {
		st.gone()
		st = nil
	}
	return st, err
}

// announce takes the next number and queues its SYN. A stream beside an error
// has been registered.
func (s *Session) announce(extra int64) (*Stream, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	st, err := s.register(extra)
	if err != nil {
		return nil, err
	}
	return st, s.w.overtakeLater(header{typ: typeWindow, flags: flagSYN, id: st.id, length: uint32(extra)})
}

func (s *Session) register(extra int64) (*Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.streams == nil:
		return nil, s.lostLocked()
	case s.goneAway.Load():
		return nil, ErrGoAway
	case s.nextID > math.MaxUint32-2:
		return nil, ErrExhausted
	}
	st := newStream(s, s.nextID, s.cfg.startWindow(), extra)
	s.nextID += 2
	s.streams[st.id] = st
	return st, nil
}

// lost returns what calls on a session that has ended fail with.
func (s *Session) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lostLocked()
}

func (s *Session) lostLocked() error {
	if s.err != nil {
		return &sessionError{cause: s.err}
	}
	return &sessionError{cause: net.ErrClosed}
}

// waitForRoom keeps opens from piling up frames that nobody reads.
func (s *Session) waitForRoom(ctx context.Context) error {
	for {
		relief := s.w.backlog()
		if relief == nil {
			return ctx.Err()
		}
		select {
		case <-relief:
		case <-ctx.Done():
			return dialer.CauseOf(ctx, ctx.Err())
		}
	}
}

// remove takes st out of the books.
func (s *Session) remove(st *Stream) {
	st.win.Close(&s.mem)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.streams[st.id]; !there {
		return
	}
	delete(s.streams, st.id)
	if !s.ours(st.id) {
		s.incoming--
	}
}

// ours reports whether id is one of those this end opens.
func (s *Session) ours(id uint32) bool { return id%2 == s.parity() }

func (s *Session) parity() uint32 {
	if s.cfg.Client {
		return 1
	}
	return 0
}

func (s *Session) lookup(id uint32) *Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams[id]
}

// overtake queues a frame ahead of the data, and ends the session when the peer
// has made too many pile up.
func (s *Session) overtake(h header) error {
	err := s.w.overtake(h)
	if errors.Is(err, errFlood) {
		s.end(err)
	}
	return err
}

// endOfConn makes the peer's hang-up an error of its own: a session has no
// clean end but Close.
func endOfConn(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
