//go:build unix

package relay

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// TestTryWrite: what is tried goes to the socket at once and counts, but never ahead
// of what has to be done before the first byte, nor into another write.
func TestTryWrite(t *testing.T) {
	near, far := socketPair(t, "tcp")
	other, _ := socketPair(t, "tcp")
	p := newPipe(near, other)
	f := &p.ba // to near
	try := func(what string, want int) {
		t.Helper()
		if n, err := f.TryWrite([]byte("hello")); n != want || err != nil {
			t.Errorf("%s: %d bytes, %v, want %d", what, n, err, want)
		}
	}
	called := false
	p.a.ready = func() { called = true }
	try("before it is ready", 0)
	if called {
		t.Error("a try has made it ready, which may take its time")
	}
	p.a.ready = nil
	p.a.writing.Lock()
	try("beside another write", 0)
	p.a.writing.Unlock()
	try("with room", 5)
	receiveSome(t, far, []byte("hello"))
	if f.n != 5 || f.writeErr != nil {
		t.Errorf("%d bytes count, %v", f.n, f.writeErr)
	}
	p.a.writeErr = errors.New("broken")
	try("behind an error", 0)
}

// TestTryWriteToOthers: what is no socket has to be waited for.
func TestTryWriteToOthers(t *testing.T) {
	a, far := net.Pipe()
	defer far.Close()
	other, _ := socketPair(t, "tcp")
	p := newPipe(a, other)
	if n, err := p.ba.TryWrite([]byte("hello")); n != 0 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	a.Close()
}

// TestTryWriteFails: a reset that a try meets is remembered, as that of a write is.
func TestTryWriteFails(t *testing.T) {
	near, far := socketPair(t, "tcp")
	other, _ := socketPair(t, "tcp")
	p := newPipe(near, other)
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the reset arrived as %v", err)
	}
	_, err := p.ba.TryWrite([]byte("hello"))
	if !errors.Is(err, syscall.EPIPE) || p.ba.writeErr != err || p.a.writeErr != err {
		t.Errorf("%v, remembered %v and %v", err, p.ba.writeErr, p.a.writeErr)
	}
}
