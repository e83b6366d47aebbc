package httpconnect

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

func newReader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }

// pipe returns a conn of this package over one end of a pipe, and the other end.
func pipe(t *testing.T, early string, closed func()) (c, far net.Conn) {
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	return NewConn(a, []byte(early), &net.TCPAddr{Port: 1}, closed), b
}

func TestConnEarlyBytesComeFirst(t *testing.T) {
	c, far := pipe(t, "early", nil)
	go func() { io.WriteString(far, " and late"); far.Close() }()
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Fatalf("the first byte: %d, %v", n, err)
	}
	if b, err := io.ReadAll(c); string(b) != "arly and late" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestConnEarlyBytesKeepDeadlines(t *testing.T) {
	c, _ := pipe(t, "early", nil)
	for _, set := range []func(time.Time) error{c.SetReadDeadline, c.SetDeadline} {
		set(time.Unix(1, 0))
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("under a past deadline: %d, %v", n, err)
		}
		set(time.Time{})
		if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("without a deadline: %d, %v", n, err)
		}
	}
}

func TestConnClose(t *testing.T) {
	closed := 0
	c, _ := pipe(t, "early", func() { closed++ })
	c.Close()
	c.Close()
	if n, err := c.Read(make([]byte, 9)); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %d, %v", n, err)
	}
	if closed != 1 {
		t.Errorf("Close was told %d times", closed)
	}
}

// TestConnAbilities: it can end its direction where the conn below can, and says
// so by its type.
func TestConnAbilities(t *testing.T) {
	c, _ := pipe(t, "", nil)
	if _, ok := c.(dialer.CloseWriter); ok {
		t.Error("a conn over a pipe has CloseWrite")
	}
	if c := NewConn(&net.TCPConn{}, nil, nil, nil); c.(dialer.CloseWriter) == nil {
		t.Error("a conn over TCP has no CloseWrite")
	}
	if c.RemoteAddr().String() != ":1" {
		t.Errorf("RemoteAddr is %v", c.RemoteAddr())
	}
}
