package slowlink

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// joined returns the two ends of a connection over a link.
func joined(t *testing.T, delay time.Duration) (l *Link, near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if l, err = New(ln.Addr().String(), delay); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	if near, err = net.Dial("tcp", l.Addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return l, near, far
}

func TestEveryByteArrivesLater(t *testing.T) {
	const delay = 20 * time.Millisecond
	_, near, far := joined(t, delay)
	sent := make([]byte, 3<<20+17)
	rand.Read(sent)
	begin := time.Now()
	go func() {
		near.Write(sent)
		near.Close()
	}()
	if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < delay {
		t.Errorf("the first byte took %v, want at least %v", took, delay)
	}
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, sent[1:]) {
		t.Errorf("%d bytes arrived of %d, or others, %v", len(got), len(sent)-1, err)
	}
}

func TestNothingArrivesAfterACut(t *testing.T) {
	l, near, far := joined(t, time.Hour)
	if _, err := near.Write([]byte("held back")); err != nil {
		t.Fatal(err)
	}
	l.Cut()
	l.Cut()
	far.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := far.Read(make([]byte, 9)); n > 0 || !os.IsTimeout(err) {
		t.Errorf("read %d bytes, %v; want none and a connection that is open", n, err)
	}
}
