package dialertest

import (
	"errors"
	"net"
	"testing"
)

// closeTwice: deferred and explicit closes meet; the second is harmless.
func closeTwice(t testing.TB, f Fixture) {
	c, _ := f.Pair(t)
	if err := within(t, f, "Close", async(c.Close)); err != nil {
		t.Errorf("Close: %v", err)
	}
	for range 2 {
		if err := within(t, f, "Close again", async(c.Close)); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close again: got %v, want nil or net.ErrClosed", err)
		}
	}
}

// useAfterClose: a closed conn says so, and does not pretend that its far side
// ended.
func useAfterClose(t testing.TB, f Fixture) {
	c, target := f.Pair(t)
	exchange(t, f, c, target)
	if _, err := target.Write([]byte("unread")); err != nil {
		t.Fatalf("the target's write: %v", err)
	}
	c.Close()
	_, err := c.Read(make([]byte, 1))
	checkClosed(t, "Read after Close", err)
	_, err = c.Write([]byte{1})
	checkClosed(t, "Write after Close", err)
}

// closeWakesRead: Close is the way to end a Read that blocks.
func closeWakesRead(t testing.TB, f Fixture) {
	c, target := f.Pair(t)
	exchange(t, f, c, target)
	reading := startReads(c)
	reading.block(t, f)
	closing := async(c.Close)
	checkClosed(t, "a blocked Read", within(t, f, "Close to wake Read", reading.end))
	if err := within(t, f, "Close beside a blocked Read", closing); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// closeWakesWrite: and to end a Write that blocks, for which Close must not
// wait. What Close returns is left open: it may say that bytes were lost.
func closeWakesWrite(t testing.TB, f Fixture) {
	c, _ := f.Pair(t)
	writing := startWrites(c)
	writing.block(t, f)
	closing := async(c.Close)
	checkClosed(t, "a blocked Write", within(t, f, "Close to wake Write", writing.end))
	within(t, f, "Close beside a blocked Write", closing)
}

func checkClosed(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("%s: got %v, want net.ErrClosed", what, err)
	}
}
