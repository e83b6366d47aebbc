//go:build unix

package eager

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testkit"
)

// sockets returns both ends of a socket of that network.
func sockets(t *testing.T, network string) (near, far net.Conn) {
	t.Helper()
	leak.Check(t)
	return testkit.Sockets(t, network)
}

// TestFull: a socket takes what it has room for, nothing when it has none, and goes
// on behind that when its peer has read.
func TestFull(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			near, far := sockets(t, network)
			w := New(near)
			piece := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
			sent := 0
			for {
				n, err := w.Write(piece[sent%len(piece):])
				if err != nil {
					t.Fatal(err)
				}
				if sent += n; n == 0 {
					break
				}
			}
			if sent == 0 {
				t.Fatal("an empty socket took nothing")
			}
			got := make([]byte, sent)
			if _, err := io.ReadFull(far, got); err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if got[i] != piece[i%len(piece)] {
					t.Fatalf("byte %d of %d is %q, want %q", i, sent, got[i], piece[i%len(piece)])
				}
			}
			// The acknowledgement that makes room again takes its moment.
			for n := 0; n == 0; {
				var err error
				if n, err = w.Write([]byte("more")); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := io.ReadFull(far, got[:4]); err != nil || string(got[:4]) != "more" {
				t.Errorf("%q, %v", got[:4], err)
			}
		})
	}
}

// TestLeavesToOthers: a conn that is closed or late has no room; what is no socket
// has no Writer.
func TestLeavesToOthers(t *testing.T) {
	near, _ := sockets(t, "tcp")
	w := New(near)
	near.SetWriteDeadline(time.Unix(1, 0))
	if n, err := w.Write([]byte("x")); n != 0 || err != nil {
		t.Errorf("after the deadline: %d, %v", n, err)
	}
	near.SetWriteDeadline(time.Time{})
	if n, err := w.Write([]byte("x")); n != 1 || err != nil {
		t.Errorf("without a deadline again: %d, %v", n, err)
	}
	near.Close()
	if n, err := w.Write([]byte("x")); n != 0 || err != nil {
		t.Errorf("of a closed conn: %d, %v", n, err)
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if New(a) != nil {
		t.Error("a pipe has a Writer")
	}
}

// TestError: a socket's error has the form that a Write of the conn gives it.
func TestError(t *testing.T) {
	near, far := sockets(t, "tcp")
	w := New(near)
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the reset arrived as %v", err)
	}
	n, err := w.Write([]byte("x"))
	op, ok := errors.AsType[*net.OpError](err)
	if n != 0 || !ok || op.Op != "write" || op.Net != "tcp" || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%d, %v, want an OpError of EPIPE", n, err)
	}
	if _, want := near.Write([]byte("x")); want == nil || want.Error() != err.Error() {
		t.Errorf("%q, and of the conn %q", err, want)
	}
}
