package dialertest

import (
	"testing"
	"time"
)

// backpressure: a target that reads nothing stops the caller's Write before
// memory runs out, and the other way round.
func backpressure(t testing.TB, f Fixture) {
	c, target := f.Pair(t)
	startWrites(c).block(t, f)
	startWrites(target).block(t, f)
}

// stalledNeighbour: a conn that nobody reads, on either side, delays no other
// dial and no other conn.
func stalledNeighbour(t testing.TB, f Fixture) {
	stalled, stalledTarget := f.Pair(t)
	startWrites(stalled).block(t, f)
	startWrites(stalledTarget).block(t, f)

	ln := f.listen(t)
	go serveEcho(f, ln, 1)
	dialing := async(func() error {
		return f.greet(t.Context(), ln.Addr().String(), "hello beside a stalled conn")
	})
	if err := within(t, f, "a dial and a word beside a stalled conn", dialing); err != nil {
		t.Fatalf("beside a stalled conn: %v", err)
	}
	c, target := f.Pair(t)
	writing := async(func() error { return writeAndClose(target, 4<<20) })
	c.SetDeadline(time.Now().Add(f.patience()))
	if err := verifyAll(c, 4<<20); err != nil {
		t.Errorf("4 MiB beside a stalled conn: %v", err)
	}
	if err := within(t, f, "the target to write", writing); err != nil {
		t.Errorf("4 MiB beside a stalled conn: %v", err)
	}
}
