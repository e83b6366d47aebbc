package dialertest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// broke is a TCP conn with some of its methods replaced.
type broke struct {
	*net.TCPConn
	read              func([]byte) (int, error)
	write             func([]byte) (int, error)
	shut, shutWrite   func() error
	setRead           func(time.Time) error
	setWrite          func(time.Time) error
	localAddr, remote func() net.Addr
}

// breaking returns a conn like c, for the caller to break.
func breaking(c *net.TCPConn) *broke {
	return &broke{
		TCPConn: c,
		read:    c.Read, write: c.Write, shut: c.Close, shutWrite: c.CloseWrite,
		setRead: c.SetReadDeadline, setWrite: c.SetWriteDeadline,
		localAddr: c.LocalAddr, remote: c.RemoteAddr,
	}
}

func (b *broke) Read(p []byte) (int, error)         { return b.read(p) }
func (b *broke) Write(p []byte) (int, error)        { return b.write(p) }
func (b *broke) Close() error                       { return b.shut() }
func (b *broke) CloseWrite() error                  { return b.shutWrite() }
func (b *broke) SetReadDeadline(at time.Time) error { return b.setRead(at) }
func (b *broke) SetWriteDeadline(at time.Time) error {
	return b.setWrite(at)
}
func (b *broke) LocalAddr() net.Addr  { return b.localAddr() }
func (b *broke) RemoteAddr() net.Addr { return b.remote() }

func nilLocalAddr(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.localAddr = func() net.Addr { return nil }
	return b
}

type noAddr struct{}

func (noAddr) Network() string { return "" }
func (noAddr) String() string  { return "" }

func emptyRemoteAddr(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.remote = func() net.Addr { return noAddr{} }
	return b
}

// deafToClose closes itself only when the test is over, by running out of
// time: its blocked calls go on meanwhile.
func deafToClose(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.shut = func() error {
		time.AfterFunc(3*time.Second, func() { c.Close() })
		return nil
	}
	return b
}

// secondCloseHangs as an unbuffered channel of a conn's own that only one
// reader drains would make it, until the test is over.
func secondCloseHangs(c *net.TCPConn) net.Conn {
	var closed atomic.Bool
	b := breaking(c)
	b.shut = func() error {
		if closed.Swap(true) {
			<-time.After(2 * time.Second)
		}
		return c.Close()
	}
	return b
}

func closeWaitsForRead(c *net.TCPConn) net.Conn {
	var reading sync.Mutex
	b := breaking(c)
	b.read = func(p []byte) (int, error) {
		reading.Lock()
		defer reading.Unlock()
		return c.Read(p)
	}
	b.shut = func() error {
		time.AfterFunc(3*time.Second, func() { c.Close() }) // for the test's own sake
		reading.Lock()
		defer reading.Unlock()
		return c.Close()
	}
	return b
}

func closeWriteCloses(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.shutWrite = c.Close
	return b
}

func closeWritePretends(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.shutWrite = func() error { return nil }
	return b
}

func noCloseWrite(c *net.TCPConn) net.Conn { return struct{ net.Conn }{c} }

func closesAtEOF(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.read = func(p []byte) (int, error) {
		n, err := c.Read(p)
		if err == io.EOF {
			c.Close()
		}
		return n, err
	}
	return b
}

func resetIsEOF(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.read = func(p []byte) (int, error) {
		n, err := c.Read(p)
		if errors.Is(err, syscall.ECONNRESET) {
			err = io.EOF
		}
		return n, err
	}
	return b
}

func resetIsSilence(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.read = func(p []byte) (int, error) {
		n, err := c.Read(p)
		if errors.Is(err, syscall.ECONNRESET) {
			err = os.ErrDeadlineExceeded // waited until the deadline in vain
		}
		return n, err
	}
	return b
}

func eofAfterClose(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.read = func(p []byte) (int, error) {
		n, err := c.Read(p)
		if errors.Is(err, net.ErrClosed) {
			err = io.EOF
		}
		return n, err
	}
	return b
}

func closeTwiceFails(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.shut = func() error {
		if c.Close() != nil {
			return errors.New("you have done that already")
		}
		return nil
	}
	return b
}

func deafToReadDeadline(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.setRead = func(time.Time) error { return nil }
	return b
}

// deadlineOnlyAhead looks at the deadline when Read begins and never again.
func deadlineOnlyAhead(c *net.TCPConn) net.Conn {
	var at atomic.Pointer[time.Time]
	b := breaking(c)
	b.setRead = func(t time.Time) error { at.Store(&t); return nil }
	b.read = func(p []byte) (int, error) {
		if t := at.Load(); t != nil && !t.IsZero() && time.Now().After(*t) {
			return 0, os.ErrDeadlineExceeded
		}
		return c.Read(p)
	}
	return b
}

func oddTimeout(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.read = func(p []byte) (int, error) {
		n, err := c.Read(p)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errors.New("too late")
		}
		return n, err
	}
	return b
}

func deafToWriteDeadline(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.setWrite = func(time.Time) error { return nil }
	return b
}

func writeTimeoutBreaks(c *net.TCPConn) net.Conn {
	var failed error
	b := breaking(c)
	b.write = func(p []byte) (int, error) {
		if failed != nil {
			return 0, failed
		}
		n, err := c.Write(p)
		failed = err
		return n, err
	}
	return b
}

// forgetsPartialWrite says that a Write which timed out wrote one byte fewer
// than it did.
func forgetsPartialWrite(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.write = func(p []byte) (int, error) {
		n, err := c.Write(p)
		if n > 0 && err != nil {
			n--
		}
		return n, err
	}
	return b
}

func takesEverything(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.write = func(p []byte) (int, error) { return len(p), nil }
	return b
}

// losesLastWrite drops the second half of what it was given before Close.
func losesLastWrite(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.write = func(p []byte) (int, error) {
		c.Write(p[:len(p)/2])
		return len(p), nil
	}
	return b
}

func swapsBytes(c *net.TCPConn) net.Conn {
	b := breaking(c)
	b.write = func(p []byte) (int, error) {
		p = slices.Clone(p)
		i := len(p) / 2
		p[i] ^= 1
		return c.Write(p)
	}
	return b
}

// losesAtEOF holds back a byte, and at EOF forgets it.
func losesAtEOF(c *net.TCPConn) net.Conn {
	var held []byte
	b := breaking(c)
	b.read = func(p []byte) (int, error) {
		buf := make([]byte, len(p))
		n, err := c.Read(buf)
		if err != nil {
			return 0, err
		}
		out := append(held, buf[:n]...)
		m := copy(p, out[:len(out)-1])
		held = slices.Clone(out[m:])
		return m, nil
	}
	return b
}
