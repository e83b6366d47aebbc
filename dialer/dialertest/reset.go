package dialertest

import (
	"io"
	"net"
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

// resetByTarget: a far side that crashed must not look like one that was
// finished, or half an answer passes for a whole one.
func resetByTarget(t testing.TB, f Fixture) {
	if f.NoReset {
		t.Skip("the protocol has no reset")
	}
	c, target := f.Pair(t)
	exchange(t, f, c, target)
	if err := f.reset(target); err != nil {
		t.Fatalf("reset: %v", err)
	}
	deadline(t, f, c)
	n, err := c.Read(make([]byte, 1))
	switch {
	case err == nil:
		t.Fatalf("Read returned %d bytes after a reset", n)
	case err == io.EOF:
		t.Error("a reset looks like EOF")
	case dialer.KindOf(err) == dialer.Timeout:
		t.Errorf("a reset is not noticed: %v", err)
	}
	if err := writeUntilError(c); dialer.KindOf(err) == dialer.Timeout || err == errUnbounded {
		t.Errorf("writing goes on after a reset: %v", err)
	}
}

// writeUntilError returns the first error of c's Write.
func writeUntilError(c net.Conn) error { return new(flow).write(c) }
