package dialertest

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// cancelBeforeDial: a dial that is called off before it starts does not start.
func cancelBeforeDial(t testing.TB, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := f.failingDial(t, ctx, f.network(), f.listen(t).Addr().String())
	checkCanceled(t, err)
}

// deadlineBeforeDial is the same for a deadline that has already passed.
func deadlineBeforeDial(t testing.TB, f Fixture) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	err := f.failingDial(t, ctx, f.network(), f.listen(t).Addr().String())
	checkDialTimeout(t, err)
}

// cancelDuringDial: cancelling ends a dial wherever it hangs.
func cancelDuringDial(t testing.TB, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dialing := f.startDial(ctx, f.network(), f.hang(t))
	if d, ok := still(dialing); !ok {
		closeConn(d.conn)
		t.Fatalf("the dial that should hang returned %v", d.err)
	}
	cancel()
	d := within(t, f, "a cancelled dial to return", dialing)
	checkCanceled(t, checkFailed(t, d))
}

// deadlineDuringDial: so does a deadline, and the error is a timeout.
func deadlineDuringDial(t testing.TB, f Fixture) {
	address := f.hang(t)
	ctx, cancel := context.WithTimeout(t.Context(), quiet)
	defer cancel()
	checkDialTimeout(t, f.failingDial(t, ctx, f.network(), address))
}

// cancelAfterDial: once dialed, the connection is the caller's and the context
// is history.
func cancelAfterDial(t testing.TB, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, target := f.pairContext(t, ctx)
	checkSurvives(t, f, c, target, cancel)
}

// deadlineAfterDial is the same for a context whose time runs out, which finds
// the dialers that put the context's deadline on the conn and leave it there.
func deadlineAfterDial(t testing.TB, f Fixture) {
	f.closedPair(t) // so that the timed dial need not set up a session first
	ctx, cancel := context.WithTimeout(t.Context(), f.patience()/10)
	defer cancel()
	c, target := f.pairContext(t, ctx)
	checkSurvives(t, f, c, target, func() { <-ctx.Done() })
}

// checkSurvives ends a context by calling end and wants c to go on. It sets no
// deadline on c, which could undo what the dial did to it.
func checkSurvives(t testing.TB, f Fixture, c, target net.Conn, end func()) {
	t.Helper()
	echo(target)
	reading := startReads(c)
	sendAndCount(t, f, c, reading, "before")
	end()
	// A conn tied to the context notices on goroutines of its own; give it
	// the chance to break the blocked Read.
	if err, ok := still(reading.end); !ok {
		t.Fatalf("the end of the dial's context ended a Read: %v", err)
	}
	sendAndCount(t, f, c, reading, "after")
}

// sendAndCount sends words to an echo and waits until reading has them all.
func sendAndCount(t testing.TB, f Fixture, c net.Conn, reading *flow, words string) {
	t.Helper()
	want := reading.bytes.Load() + int64(len(words))
	if _, err := c.Write([]byte(words)); err != nil {
		t.Fatalf("write %s the dial's context ended: %v", words, err)
	}
	for limit := time.Now().Add(f.patience()); reading.bytes.Load() < want; {
		if err, ok := still(reading.end); !ok {
			t.Fatalf("read %s the dial's context ended: %v", words, err)
		}
		if time.Now().After(limit) {
			t.Fatalf("nothing came back that was sent %s the dial's context ended", words)
		}
	}
}

// checkCanceled wants the error of a caller who gave up.
func checkCanceled(t testing.TB, err *dialer.Error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) || dialer.KindOf(err) != dialer.Canceled {
		t.Errorf("got %v of kind %v; want context.Canceled", err, dialer.KindOf(err))
	}
	if err.Timeout() {
		t.Errorf("%v calls itself a timeout; it was cancelled", err)
	}
}

// checkDialTimeout wants a timeout in every dialect callers speak.
func checkDialTimeout(t testing.TB, err *dialer.Error) {
	t.Helper()
	if dialer.KindOf(err) != dialer.Timeout || !err.Timeout() {
		t.Errorf("got %v of kind %v; want a timeout", err, dialer.KindOf(err))
	}
	if !isDeadline(err) {
		t.Errorf("%v is neither context.DeadlineExceeded nor os.ErrDeadlineExceeded", err)
	}
	if !errors.Is(err, dialer.ErrTimeout) {
		t.Errorf("%v is not dialer.ErrTimeout", err)
	}
}
