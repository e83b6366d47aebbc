package relay

import (
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
)

func TestWriteToIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := memoryPair()
		b, s := memoryPair()
		wt := &writerTo{memory: a}
		done := start(wt, b)
		go func() {
			send(t, c, payload(100_000))
			c.Close()
		}()
		receive(t, s, payload(100_000))
		s.Close()
		if res := <-done; res.Err != nil || res.AToB != 100_000 || wt.used != 1 {
			t.Errorf("result %+v, WriteTo used %d times", res, wt.used)
		}
	})
}

func TestReadFromIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := memoryPair()
		b, s := memoryPair()
		rf := &readerFrom{memory: b}
		done := start(a, rf)
		go func() {
			send(t, c, payload(100_000))
			c.Close()
		}()
		receive(t, s, payload(100_000))
		s.Close()
		if res := <-done; res.Err != nil || res.AToB != 100_000 || rf.used != 1 {
			t.Errorf("result %+v, ReadFrom used %d times", res, rf.used)
		}
	})
}

// Whose error a ReadFrom returned decides between a reset and a refusal.
func TestReadFromErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := memoryPair()
		b, s := memoryPair()
		done := start(a, &readerFrom{memory: b})
		s.closeRead()
		send(t, c, []byte("x"))
		go func() {
			send(t, s, []byte("still answered"))
			s.CloseWrite()
		}()
		receive(t, c, []byte("still answered"))
		c.Close()
		if res := <-done; res.Err != io.ErrClosedPipe || res.BToA != 14 {
			t.Errorf("result %+v, want the refusal and the whole answer", res)
		}
	})
}

// The reset that a write was told of is not forgotten by the read.
func TestHiddenReset(t *testing.T) {
	near, far := socketPair(t, "tcp")
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	e := &end{conn: near}
	for {
		if _, err := e.write([]byte("x")); err != nil {
			break
		}
	}
	if _, err := near.Read(make([]byte, 1)); err != io.EOF {
		t.Skipf("this system tells a reset twice: %v", err)
	}
	if e.hiddenReset() == nil {
		t.Error("the reset was taken for EOF")
	}
}

// heap returns the live heap. A pool survives one collection in its victim
// cache, so there are two.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
