package relay

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testkit"
)

// socketPair returns the two ends of a connection over loopback or a unix
// socket, both closed when the test ends.
func socketPair(t testing.TB, network string) (near, far net.Conn) {
	t.Helper()
	return testkit.Sockets(t, network)
}

// start runs Pipe and returns where its result will be.
func start(a, b net.Conn) <-chan Result {
	done := make(chan Result, 1)
	go func() { done <- Pipe(a, b) }()
	return done
}

// relayed returns the two outer ends of a relay between two TCP connections.
func relayed(t testing.TB) (client, target *net.TCPConn, done <-chan Result) {
	t.Helper()
	leak.Check(t)
	c, a := socketPair(t, "tcp")
	b, s := socketPair(t, "tcp")
	return c.(*net.TCPConn), s.(*net.TCPConn), start(a, b)
}

// payload returns n bytes that do not repeat where a buffer ends, so that a lost
// or doubled chunk shows.
func payload(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func send(t testing.TB, c io.Writer, b []byte) {
	t.Helper()
	if n, err := c.Write(b); err != nil {
		t.Errorf("wrote %d of %d bytes: %v", n, len(b), err)
	}
}

func closeWrite(t testing.TB, c net.Conn) {
	t.Helper()
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Errorf("CloseWrite: %v", err)
	}
}

// receive expects want and then EOF.
func receive(t testing.TB, c io.Reader, want []byte) {
	t.Helper()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("read %d of %d bytes: %v", len(got), len(want), err)
		return
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want %d, or they differ", len(got), len(want))
	}
}

// receiveSome expects want and leaves what comes behind it.
func receiveSome(t testing.TB, c io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil {
		t.Errorf("read %d of %d bytes: %v", n, len(want), err)
	} else if !bytes.Equal(got, want) {
		t.Error("the bytes differ")
	}
}
