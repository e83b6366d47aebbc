package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// memory is a conn without a kernel, so that time in a test can be fake. A
// memory conn is two one-way pipes, which gives it a half-close; unlike a socket
// it knows when its peer has closed.
type memory struct {
	r, w net.Conn

	mu    *sync.Mutex // shared by both ends; guards reset and both stops
	reset *error      // shared by both ends
	mine  *stop       // of the own reading
	peers *stop       // of the peer's
}

// stop is the end of one end's reading.
type stop struct {
	done bool
	call func() // to call when it comes
}

func memoryPair() (a, b *memory) {
	ar, bw := net.Pipe()
	br, aw := net.Pipe()
	mu, reset := new(sync.Mutex), new(error)
	ofA, ofB := new(stop), new(stop)
	return &memory{r: ar, w: aw, mu: mu, reset: reset, mine: ofA, peers: ofB},
		&memory{r: br, w: bw, mu: mu, reset: reset, mine: ofB, peers: ofA}
}

func (m *memory) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	if err == io.EOF {
		m.mu.Lock()
		defer m.mu.Unlock()
		if *m.reset != nil {
			err = *m.reset
		}
	}
	return n, err
}

func (m *memory) Write(b []byte) (int, error)        { return m.w.Write(b) }
func (m *memory) CloseWrite() error                  { return m.w.Close() }
func (m *memory) LocalAddr() net.Addr                { return m.r.LocalAddr() }
func (m *memory) RemoteAddr() net.Addr               { return m.r.RemoteAddr() }
func (m *memory) SetReadDeadline(t time.Time) error  { return m.r.SetReadDeadline(t) }
func (m *memory) SetWriteDeadline(t time.Time) error { return m.w.SetWriteDeadline(t) }
func (m *memory) SetDeadline(t time.Time) error {
	return errors.Join(m.r.SetDeadline(t), m.w.SetDeadline(t))
}

func (m *memory) Close() error {
	m.w.Close()
	m.closeRead()
	return nil
}

// closeRead makes the peer's writes fail and tells it.
func (m *memory) closeRead() {
	m.r.Close()
	m.mu.Lock()
	f, again := m.mine.call, m.mine.done
	m.mine.done = true
	m.mu.Unlock()
	if f != nil && !again {
		f()
	}
}

// tunnel is a memory conn with all the abilities that a tunnel's conn has.
type tunnel struct {
	*memory
	stopped chan error
}

func tunnelPair() (near *tunnel, far *memory) {
	a, b := memoryPair()
	return &tunnel{memory: a, stopped: make(chan error, 1)}, b
}

func (c *tunnel) Reset(err error) error {
	c.mu.Lock()
	*c.reset = err
	c.mu.Unlock()
	return c.Close()
}

func (c *tunnel) StopRead(err error) {
	c.stopped <- err
	c.closeRead()
}

func (c *tunnel) OnPeerStop(f func()) (cancel func()) {
	c.mu.Lock()
	now := c.peers.done
	c.peers.call = f
	c.mu.Unlock()
	if now {
		f()
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.peers.call = nil
	}
}

// bare hides all abilities of a conn but those of net.Conn.
type bare struct{ net.Conn }

// writerTo is a conn with a WriteTo, and counts its use.
type writerTo struct {
	*memory
	used int
}

func (c *writerTo) WriteTo(w io.Writer) (int64, error) {
	c.used++
	return io.Copy(w, bare{c.memory})
}

// readerFrom is a conn with a ReadFrom, and counts its use.
type readerFrom struct {
	*memory
	used int
}

func (c *readerFrom) ReadFrom(r io.Reader) (int64, error) {
	c.used++
	return io.Copy(struct{ io.Writer }{c.memory}, r)
}
