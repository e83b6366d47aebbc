//go:build unix

package relay

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

func TestSocketGivesItsBufferBack(t *testing.T) {
	near, far := socketPair(t, "tcp")
	raw, err := near.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	s := newSocket(near, raw)
	send(t, far, []byte("some"))
	if chunk, err := s.next(); err != nil || string(chunk) != "some" || s.buf == nil {
		t.Fatalf("next is %q, %v", chunk, err)
	}
	// A deadline wakes the wait, and by then the buffer has to be gone.
	near.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := s.next(); !os.IsTimeout(err) {
		t.Errorf("next is %v, want a timeout", err)
	}
	if s.buf != nil {
		t.Error("a waiting socket holds a buffer")
	}
	near.SetReadDeadline(time.Time{})
	far.Close()
	if _, err := s.next(); err != io.EOF {
		t.Errorf("next is %v, want EOF", err)
	}
	s.release()
	s.release() // twice is nothing
}

// An idle pipe costs its goroutine and some bookkeeping, not buffers.
func TestIdleMemory(t *testing.T) {
	leak.Check(t)
	const pipes = 64
	before := heap()
	var ends []net.Conn
	var done []<-chan Result
	for range pipes {
		c, a := socketPair(t, "tcp")
		b, s := socketPair(t, "tcp")
		ends = append(ends, c)
		done = append(done, start(a, b))
		send(t, c, payload(100_000)[:50_000])
		receiveSome(t, s, payload(50_000))
	}
	each := (heap() - before) / pipes
	if each > 4<<10 {
		t.Errorf("an idle pipe holds %d bytes", each)
	}
	for i, c := range ends {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		<-done[i]
	}
}
