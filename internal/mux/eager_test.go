package mux

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// nowConn is a conn that can be written without waiting, as long as it has room.
type nowConn struct {
	net.Conn
	mu     sync.Mutex
	full   bool
	back   []byte // what is left
	broken error  // of WriteNow
	nows   int    // calls of WriteNow
	writes int    // of Write and Flush
}

func (c *nowConn) BeginNow() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.back) == 0 }

func (c *nowConn) WriteNow(p []byte) (left bool, err error) {
	c.mu.Lock()
	c.nows++
	full, err := c.full, c.broken
	if full && err == nil {
		c.back = append(c.back, p...)
	}
	c.mu.Unlock()
	if full || err != nil {
		return full, err
	}
	_, err = c.Conn.Write(p)
	return false, err
}

func (c *nowConn) Flush() error { _, err := c.Write(nil); return err }

func (c *nowConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.writes++
	all := append(c.back, p...)
	c.back = nil
	c.mu.Unlock()
	_, err := c.Conn.Write(all)
	return len(p), err
}

// set has the conn be full or not, and returns what was called before.
func (c *nowConn) set(full bool) (nows, writes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	nows, writes = c.nows, c.writes
	c.full, c.nows, c.writes = full, 0, 0
	return nows, writes
}

// settle waits until nothing is on its way.
func settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// eagerly runs f with a pair whose client's conn can be written without waiting.
func eagerly(t *testing.T, f func(t *testing.T, p *pair, c *nowConn, near, far *Stream)) {
	synctest.Test(t, func(t *testing.T) {
		a, b := delayedPair(0, 1<<40)
		c := &nowConn{Conn: a}
		p := newPair(t, c, b, func(c, s *Config) { c.KeepAlive, s.KeepAlive = -1, -1 })
		near, far := p.open(t)
		settle()
		c.set(false)
		f(t, p, c, near, far)
	})
}

// TestSmallWritesGoByThemselves: a few bytes are on the conn when Write returns, and
// so is the end behind them; many are left to the session's own goroutine.
func TestSmallWritesGoByThemselves(t *testing.T) {
	eagerly(t, func(t *testing.T, p *pair, c *nowConn, near, far *Stream) {
		near.Write([]byte("hello"))
		settle()
		near.Write(make([]byte, eagerMost-headerSize))
		if nows, writes := c.set(false); nows != 2 || writes != 0 {
			t.Errorf("%d writes by themselves, %d by the session", nows, writes)
		}
		settle()
		near.Write(make([]byte, eagerMost))
		settle()
		if nows, writes := c.set(false); nows != 0 || writes != 1 {
			t.Errorf("of a long one: %d writes by themselves, %d by the session", nows, writes)
		}
		near.CloseWrite()
		if nows, writes := c.set(false); nows != 1 || writes != 0 {
			t.Errorf("of the end: %d writes by themselves, %d by the session", nows, writes)
		}
		got, err := io.ReadAll(far)
		if want := 5 + 2*eagerMost - headerSize; len(got) != want || err != nil {
			t.Errorf("%d bytes came, %v, want %d", len(got), err, want)
		}
	})
}

// TestWhatIsLeftGoesFirst: Write does not wait for a conn that is full. What that has
// not taken goes out before what comes later, also when nothing comes.
func TestWhatIsLeftGoesFirst(t *testing.T) {
	for name, later := range map[string]int{"nothing": 0, "a little": 10, "much": 100 << 10} {
		t.Run(name, func(t *testing.T) {
			eagerly(t, func(t *testing.T, p *pair, c *nowConn, near, far *Stream) {
				want := random(3, 10+later)
				c.set(true)
				near.Write(want[:10])
				if nows, _ := c.set(false); nows != 1 {
					t.Fatalf("%d writes by themselves", nows)
				}
				if settle(); later == 0 && far.recv.Len() != 10 {
					t.Errorf("%d bytes came by themselves, want what was left", far.recv.Len())
				}
				go func() {
					near.Write(want[10:])
					near.CloseWrite()
				}()
				got, err := io.ReadAll(far)
				if !bytes.Equal(got, want) || err != nil {
					t.Errorf("%d bytes, or others, of %d: %v", len(got), len(want), err)
				}
				settle()
				if len(c.back) != 0 || p.client.w.left {
					t.Error("something is still left")
				}
			})
		})
	}
}

// TestFlushKnowsWhatIsLeft: Flush waits for what a Write by itself has left.
func TestFlushKnowsWhatIsLeft(t *testing.T) {
	eagerly(t, func(t *testing.T, p *pair, c *nowConn, near, far *Stream) {
		c.set(true)
		near.Write([]byte("last words"))
		c.set(false)
		if err := p.client.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if far.recv.Len() != 10 {
			t.Errorf("%d bytes are there after Flush", far.recv.Len())
		}
	})
}

// TestEagerWriteFails: its error ends the session, as any write's does.
func TestEagerWriteFails(t *testing.T) {
	eagerly(t, func(t *testing.T, p *pair, c *nowConn, near, far *Stream) {
		broken := errors.New("broken")
		c.broken = broken
		if n, err := near.Write([]byte("hello")); n != 5 || err != nil {
			t.Errorf("%d, %v: it was taken, and what becomes of it nobody can know", n, err)
		}
		<-p.client.Done()
		if err := p.client.Err(); err != broken {
			t.Errorf("the session ended with %v", err)
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, broken) {
			t.Errorf("a write behind it: %v", err)
		}
	})
}

// TestWritesInARowGather: Writes that follow each other leave together, whoever writes.
// Behind a moment of silence one sends by itself again.
func TestWritesInARowGather(t *testing.T) {
	eagerly(t, func(t *testing.T, p *pair, c *nowConn, near, far *Stream) {
		near.Write([]byte("x"))
		if nows, _ := c.set(false); nows != 1 {
			t.Fatalf("%d writes by themselves", nows)
		}
		w := &p.client.w
		w.mu.Lock()
		w.sending = true // as while the session's goroutine is at it
		w.mu.Unlock()
		for range 100 {
			near.Write([]byte("x"))
		}
		w.mu.Lock()
		w.sending = false
		w.mu.Unlock()
		near.Write([]byte("x")) // no moment has passed
		settle()
		if nows, writes := c.set(false); nows != 0 || writes != 1 {
			t.Errorf("in a row: %d writes by themselves, %d by the session", nows, writes)
		}
		near.Write([]byte("x"))
		if nows, _ := c.set(false); nows != 1 {
			t.Error("behind a moment of silence it does not send by itself")
		}
	})
}

// TestNothingGoesBeforeRun: a session that does not run yet writes nothing.
func TestNothingGoesBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := delayedPair(0, 1<<40)
		defer b.Close()
		c := &nowConn{Conn: a}
		s := New(c, Config{Client: true, KeepAlive: -1})
		st, err := s.OpenToWrite(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		st.Write([]byte("early"))
		if nows, writes := c.set(false); nows+writes != 0 {
			t.Errorf("%d writes before Run", nows+writes)
		}
		ran := make(chan error)
		go func() { ran <- s.Run(t.Context()) }()
		settle()
		if _, writes := c.set(false); writes == 0 {
			t.Error("Run has not sent what was written before it")
		}
		s.Close()
		<-ran
	})
}
