package world

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// The requests of a target: a letter and a number of bytes, as often as one likes
// on a connection.
const (
	opEcho   = 'E' // so many bytes follow, and come back
	opSource = 'G' // so many bytes come
	opSink   = 'S' // so many bytes follow; one byte is the answer
)

const headerSize = 9

func header(op byte, n int) []byte {
	return binary.BigEndian.AppendUint64([]byte{op}, uint64(n))
}

// Target serves the requests on a port of its own.
type Target struct {
	Port string
	// Poured counts the bytes that sources have got rid of.
	Poured atomic.Int64

	ln         net.Listener
	sendBuffer int // of each connection, in bytes; 0 is the system's
	conns      sync.WaitGroup
	mu         sync.Mutex
	open       map[net.Conn]bool // nil once it is closed
}

// pieces are buffers that are held while bytes move, not while a request is
// waited for.
var pieces = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// NewTarget serves until Close. Its connections hold about sendBuffer bytes each
// that are written and not yet with the peer; zero leaves that to the system, which
// lets one that is not read from grow to megabytes.
func NewTarget(sendBuffer int) (*Target, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return nil, err
	}
	t := &Target{Port: port, ln: ln, sendBuffer: sendBuffer, open: map[net.Conn]bool{}}
	t.conns.Go(t.accept)
	return t, nil
}

// Close ends the target and its connections.
func (t *Target) Close() {
	t.ln.Close()
	t.mu.Lock()
	for c := range t.open {
		c.Close()
	}
	t.open = nil
	t.mu.Unlock()
	t.conns.Wait()
}

// Settle waits until sources have got rid of nothing for d: all of them are stuck.
func (t *Target) Settle(d time.Duration) {
	for last, since := t.Poured.Load(), time.Now(); time.Since(since) < d; time.Sleep(d / 20) {
		if now := t.Poured.Load(); now != last {
			last, since = now, time.Now()
		}
	}
}

func (t *Target) accept() {
	for {
		c, err := t.ln.Accept()
		if err != nil {
			return
		}
		if !t.hold(c) {
			c.Close()
			continue // the next Accept knows whether that was the end
		}
		t.conns.Go(func() {
			t.serve(c)
			c.Close()
			t.mu.Lock()
			delete(t.open, c)
			t.mu.Unlock()
		})
	}
}

// hold prepares c and reports whether it is to be served.
func (t *Target) hold(c net.Conn) bool {
	if t.sendBuffer > 0 && c.(*net.TCPConn).SetWriteBuffer(t.sendBuffer) != nil {
		return false // it would hold what nobody counts on
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		return false
	}
	t.open[c] = true
	return true
}

func (t *Target) serve(c net.Conn) {
	for {
		var h [headerSize]byte
		if _, err := io.ReadFull(c, h[:]); err != nil {
			return
		}
		if err := t.answer(c, h[0], binary.BigEndian.Uint64(h[1:])); err != nil {
			return
		}
	}
}

func (t *Target) answer(c net.Conn, op byte, n uint64) error {
	buf := pieces.Get().(*[64 << 10]byte)
	defer pieces.Put(buf)
	for n > 0 {
		piece := buf[:min(n, uint64(len(buf)))]
		if op != opSource {
			if _, err := io.ReadFull(c, piece); err != nil {
				return err
			}
		}
		if op != opSink {
			k, err := c.Write(piece)
			t.Poured.Add(int64(k))
			if err != nil {
				return err
			}
		}
		n -= uint64(len(piece))
	}
	if op == opSink {
		_, err := c.Write([]byte{1})
		return err
	}
	return nil
}
