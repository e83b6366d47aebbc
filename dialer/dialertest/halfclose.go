package dialertest

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

const (
	requestSize = 100_000
	replySize   = 1 << 20
)

// halfCloseByCaller: after CloseWrite the target sees all bytes and EOF, and
// the caller still reads the whole reply.
func halfCloseByCaller(t testing.TB, f Fixture) {
	c, target := f.Pair(t)
	if f.NoHalfClose {
		if cw, ok := c.(dialer.CloseWriter); ok && cw.CloseWrite() == nil {
			t.Error("NoHalfClose is set, yet CloseWrite claims to have worked")
		}
		t.Skip("the protocol has no half-close")
	}
	done := async(func() error { return answer(target) })
	deadline(t, f, c)
	if _, err := c.Write(streamBytes(requestSize)); err != nil {
		t.Fatalf("write: %v", err)
	}
	closeWrite(t, c)
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("a Write after CloseWrite succeeds")
	}
	if err := verifyAll(c, replySize); err != nil {
		t.Errorf("the reply after CloseWrite: %v", err)
	}
	if err := within(t, f, "the target's side", done); err != nil {
		t.Errorf("the target's side: %v", err)
	}
}

// answer replies once the request has ended.
func answer(target net.Conn) error {
	defer target.Close()
	if err := verifyAll(target, requestSize); err != nil {
		return fmt.Errorf("the request: %w", err)
	}
	_, err := target.Write(streamBytes(replySize))
	return err
}

// halfCloseByTarget: after the target's half-close the caller reads all bytes
// and EOF, and what it writes from then on still arrives.
func halfCloseByTarget(t testing.TB, f Fixture) {
	if f.NoHalfClose {
		t.Skip("the protocol has no half-close")
	}
	c, target := f.Pair(t)
	if _, err := target.Write(streamBytes(1000)); err != nil {
		t.Fatalf("the target's write: %v", err)
	}
	closeWrite(t, target)
	deadline(t, f, c)
	if err := verifyAll(c, 1000); err != nil {
		t.Fatalf("up to the target's half-close: %v", err)
	}
	done := async(func() error { return verifyAll(target, replySize) })
	if _, err := c.Write(streamBytes(replySize)); err != nil {
		t.Errorf("write after the target's half-close: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := within(t, f, "the target to read", done); err != nil {
		t.Errorf("what the target read after its half-close: %v", err)
	}
}

func closeWrite(t testing.TB, c net.Conn) {
	t.Helper()
	cw, ok := c.(dialer.CloseWriter)
	if !ok {
		t.Fatalf("%T has no CloseWrite; where the protocol cannot half-close, set NoHalfClose", c)
	}
	if err := cw.CloseWrite(); err != nil {
		t.Fatalf("CloseWrite: %v", err)
	}
}

// deadline keeps a broken conn from blocking the check for ever.
func deadline(t testing.TB, f Fixture, c net.Conn) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(f.patience())); err != nil {
		t.Fatalf("SetDeadline: %v", err)
	}
}

// exchange sends a byte each way, after which the whole road stands.
func exchange(t testing.TB, f Fixture, c, target net.Conn) {
	t.Helper()
	deadline(t, f, c)
	deadline(t, f, target)
	for _, way := range [][2]net.Conn{{c, target}, {target, c}} {
		if _, err := way[0].Write([]byte{1}); err != nil {
			t.Fatalf("write: %v", err)
		}
		if _, err := io.ReadFull(way[1], make([]byte, 1)); err != nil {
			t.Fatalf("read: %v", err)
		}
	}
	c.SetDeadline(time.Time{})
	target.SetDeadline(time.Time{})
}
