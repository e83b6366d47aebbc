// Package slowlink is a long link on one machine: a TCP relay that holds every byte
// back for a while, without a limit to the bandwidth, and that can be cut off.
//
// It stands in for netem where the kernel has none. It does not model loss, nor
// TCP's own window and handshake over a long way.
package slowlink

import (
	"net"
	"sync"
	"time"
)

const (
	pieceSize = 64 << 10
	// inFlight bounds the pieces that one direction holds back. Above it the
	// relay does not read. At 25 ms it allows 2.5 GB/s.
	inFlight = 1024
)

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// Link relays connections to one address.
type Link struct {
	Addr string

	ln    net.Listener
	to    string
	delay time.Duration
	conns sync.WaitGroup

	mu     sync.Mutex
	cut    chan struct{} // closed by Cut
	closed bool
	open   map[net.Conn]bool
}

// New relays connections from a port of its own to the address to, each byte delay
// later, until Close.
func New(to string, delay time.Duration) (*Link, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Link{Addr: ln.Addr().String(), ln: ln, to: to, delay: delay, cut: make(chan struct{}), open: map[net.Conn]bool{}}
	l.conns.Go(l.accept)
	return l, nil
}

// Cut stops everything that is on its way or comes later, and leaves the
// connections open: what has arrived is all that ever will. A second Cut does
// nothing.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.cut:
	default:
		close(l.cut)
	}
}

// Close ends all connections, and returns when they have ended.
func (l *Link) Close() {
	l.Cut()
	l.ln.Close()
	l.mu.Lock()
	l.closed = true
	for c := range l.open {
		c.Close()
	}
	l.mu.Unlock()
	l.conns.Wait()
}

func (l *Link) accept() {
	for {
		c, err := l.ln.Accept()
		if err != nil {
			return
		}
		l.conns.Go(func() { l.relay(c) })
	}
}

func (l *Link) relay(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !l.hold(near, far) {
		return
	}
	defer l.release(near, far)
	var both sync.WaitGroup
	both.Go(func() { l.pump(far, near) })
	both.Go(func() { l.pump(near, far) })
	both.Wait()
}

func (l *Link) hold(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.open[c] = true
	}
	return !l.closed
}

func (l *Link) release(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		delete(l.open, c)
	}
}

// piece is some bytes on their way.
type piece struct {
	due time.Time
	buf *[pieceSize]byte
	n   int
}

// pump carries bytes one way until either end fails, and then ends both.
func (l *Link) pump(dst, src net.Conn) {
	way := make(chan piece, inFlight)
	var writer sync.WaitGroup
	writer.Go(func() { l.deliver(dst, src, way) })
	for {
		buf := pieces.Get().(*[pieceSize]byte)
		n, err := src.Read(buf[:])
		way <- piece{time.Now().Add(l.delay), buf, n}
		if err != nil {
			break
		}
	}
	close(way)
	writer.Wait()
	dst.Close()
}

// deliver writes what is due. It takes what is on its way to the end, so that pump
// can always go on.
func (l *Link) deliver(dst, src net.Conn, way <-chan piece) {
	dead := false
	for p := range way {
		if !dead && !l.write(dst, p) {
			dead = true
			select {
			case <-l.cut: // the connections stay open, and nobody writes any more
			default:
				src.Close()
			}
		}
		pieces.Put(p.buf)
	}
}

func (l *Link) write(dst net.Conn, p piece) bool {
	due := time.NewTimer(time.Until(p.due))
	defer due.Stop()
	select {
	case <-due.C:
	case <-l.cut:
		return false
	}
	_, err := dst.Write(p.buf[:p.n])
	return err == nil
}
