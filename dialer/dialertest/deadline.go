package dialertest

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// readDeadline: a deadline ends a Read that blocks or would, does no harm to
// writing, and once cleared is forgotten.
func readDeadline(t testing.TB, f Fixture) {
	c, target := f.Pair(t)
	echo(target)
	setReadDeadline(t, c, longAgo())
	checkTimeout(t, "Read under a past deadline", readError(t, f, c))
	setReadDeadline(t, c, time.Time{})

	reading := startReads(c)
	reading.block(t, f)
	setReadDeadline(t, c, longAgo())
	checkTimeout(t, "a blocked Read", within(t, f, "a past deadline to wake Read", reading.end))

	soon := time.Now().Add(quiet)
	setReadDeadline(t, c, soon)
	checkTimeout(t, "Read under a deadline", readError(t, f, c))
	if early := time.Until(soon); early > 0 {
		t.Errorf("Read gave up %v before its deadline", early)
	}
	if err := roundTrip(c, f.patience(), "after three timeouts"); err != nil {
		t.Errorf("the conn after its read deadline was cleared: %v", err)
	}
}

func setReadDeadline(t testing.TB, c net.Conn, at time.Time) {
	t.Helper()
	if err := c.SetReadDeadline(at); err != nil {
		t.Fatalf("SetReadDeadline: %v", err)
	}
}

func readError(t testing.TB, f Fixture, c net.Conn) error {
	t.Helper()
	return within(t, f, "a deadline to end Read", async(func() error {
		_, err := c.Read(make([]byte, 1))
		return err
	}))
}

// writeDeadline: a deadline ends a Write that blocks, the bytes it says it has
// written are those that arrive, and clearing it lets the next Write go on from
// there.
func writeDeadline(t testing.TB, f Fixture) {
	c, target := f.Pair(t)
	writing := startWrites(c)
	writing.block(t, f)
	setWriteDeadline(t, c, longAgo())
	checkTimeout(t, "a blocked Write", within(t, f, "a past deadline to wake Write", writing.end))
	if f.WriteTimeoutFatal {
		return // nothing more is promised
	}
	n, err := c.Write([]byte("x"))
	checkTimeout(t, "Write under a past deadline", err)
	if n != 0 {
		t.Errorf("a Write under a past deadline says it wrote %d", n)
	}
	setWriteDeadline(t, c, time.Time{})
	checkResumes(t, f, c, target, writing.bytes.Load())
}

// checkResumes has c continue the stream that broke off after n bytes.
func checkResumes(t testing.TB, f Fixture, c, target net.Conn, n int64) {
	t.Helper()
	const more = 100_000
	s := newStream()
	verifying := async(func() error { return s.verify(target, n+more) })
	deadline(t, f, c)
	if _, err := c.Write(streamBytes(int(n + more))[n:]); err != nil {
		t.Fatalf("Write after its deadline was cleared: %v", err)
	}
	if err := within(t, f, "the target to read", verifying); err != nil {
		t.Errorf("around the Write that timed out after %d bytes in all: %v", n, err)
	}
}

func setWriteDeadline(t testing.TB, c net.Conn, at time.Time) {
	t.Helper()
	if err := c.SetWriteDeadline(at); err != nil {
		t.Fatalf("SetWriteDeadline: %v", err)
	}
}

// checkTimeout wants what net.Conn documents for an exceeded deadline.
func checkTimeout(t testing.TB, what string, err error) {
	t.Helper()
	ne, ok := errors.AsType[net.Error](err)
	if !ok || !ne.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%s: got %v; want a net.Error with Timeout that is os.ErrDeadlineExceeded", what, err)
	}
}

func longAgo() time.Time { return time.Unix(1, 0) }
