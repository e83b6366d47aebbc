package dialertest

import (
	"fmt"
	"net"
	"testing"
)

// deliveryChecks: whoever writes and then closes at once has lost nothing, in
// both directions, for a byte, for less than any window and for more.
func deliveryChecks() []Check {
	sizes := []struct {
		name  string
		bytes int
	}{{"1B", 1}, {"64KiB", 64 << 10}, {"8MiB", 8 << 20}}
	var checks []Check
	for _, size := range sizes {
		checks = append(checks,
			Check{"WriteThenCloseByCaller" + size.name, func(t testing.TB, f Fixture) {
				c, target := f.Pair(t)
				deliver(t, f, c, target, size.bytes)
			}},
			Check{"WriteThenCloseByTarget" + size.name, func(t testing.TB, f Fixture) {
				c, target := f.Pair(t)
				deliver(t, f, target, c, size.bytes)
			}})
	}
	return checks
}

// deliver has from write size bytes and close, and to read them.
func deliver(t testing.TB, f Fixture, from, to net.Conn, size int) {
	t.Helper()
	deadline(t, f, from)
	deadline(t, f, to)
	writing := async(func() error { return writeAndClose(from, size) })
	// The reader lets the close overtake it if it can: where a tunnel delivers
	// the end ahead of what it still buffers, bytes go missing.
	early, blocked := still(writing)
	if err := verifyAll(to, int64(size)); err != nil {
		t.Errorf("reading what was written before Close: %v", err)
	}
	if blocked {
		early = within(t, f, "Write and Close to end", writing)
	}
	if early != nil {
		t.Errorf("the writer: %v", early)
	}
}

func writeAndClose(c net.Conn, size int) error {
	if n, err := c.Write(streamBytes(size)); err != nil || n != size {
		return fmt.Errorf("wrote %d, %v; want %d", n, err, size)
	}
	if err := c.Close(); err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	return nil
}
