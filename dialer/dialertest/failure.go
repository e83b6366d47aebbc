package dialertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

// refused: a closed port is told apart from every other failure, however far
// away it is.
func refused(t testing.TB, f Fixture) {
	err := f.failingDial(t, t.Context(), f.network(), f.refused(t))
	if !errors.Is(err, dialer.ErrRefused) || dialer.KindOf(err) != dialer.Refused {
		t.Errorf("got %v of kind %v; want dialer.ErrRefused", err, dialer.KindOf(err))
	}
	if err.Timeout() {
		t.Errorf("%v calls itself a timeout; it was refused", err)
	}
}

// unknownNetwork: what a Dialer cannot do it says, instead of doing something
// similar.
func unknownNetwork(t testing.TB, f Fixture) {
	address := f.listen(t).Addr().String()
	for _, network := range []string{"udp", "ip4:icmp", "no-such-network", ""} {
		f.refusedNetwork(t, network, address)
	}
}

// refusedNetwork dials on a network that the Dialer does not document. The usual
// failure is a Dialer that hands the network on to net.Dialer unseen, which
// takes "udp" and returns errors of its own for the rest.
func (f Fixture) refusedNetwork(t testing.TB, network, address string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := within(t, f, "a dial on an unknown network to fail", f.startDial(ctx, network, address))
	if _, ok := errors.AsType[*dialer.Error](d.err); ok {
		checkFailed(t, d)
		return
	}
	closeConn(d.conn)
	got := "it succeeded"
	if d.err != nil {
		got = fmt.Sprintf("it failed with a %T, %v", d.err, d.err)
	}
	t.Fatalf("dial on network %q: %s; want a *dialer.Error. A Dialer refuses every network but those it documents; begin DialContext with\n"+
		"\tif network != %q {\n\t\treturn nil, dialer.Wrap(net.UnknownNetworkError(network), dialer.HopTarget, network, address)\n\t}",
		network, got, f.network())
}

// malformedAddress: an address that is none fails without a panic.
func malformedAddress(t testing.TB, f Fixture) {
	if !strings.HasPrefix(f.network(), "tcp") {
		t.Skip("only TCP addresses have a form")
	}
	for _, address := range []string{"", "no-port", "[::1:80", "127.0.0.1:65536", "127.0.0.1:-1"} {
		f.failingDial(t, t.Context(), f.network(), address)
	}
}

// dialed is what DialContext returned.
type dialed struct {
	conn             net.Conn
	err              error
	network, address string
}

func (f Fixture) startDial(ctx context.Context, network, address string) <-chan dialed {
	return async(func() dialed {
		c, err := f.Dialer.DialContext(ctx, network, address)
		return dialed{c, err, network, address}
	})
}

// failingDial dials what must fail and returns how it did. It comes back on
// time even if the Dialer does not.
func (f Fixture) failingDial(t testing.TB, ctx context.Context, network, address string) *dialer.Error {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return checkFailed(t, within(t, f, "a dial to fail", f.startDial(ctx, network, address)))
}

// checkFailed wants a failed dial that tells its story.
func checkFailed(t testing.TB, d dialed) *dialer.Error {
	t.Helper()
	closeConn(d.conn)
	if d.err == nil {
		t.Fatalf("dial %q %q succeeded; it must fail", d.network, d.address)
	}
	if d.conn != nil {
		t.Errorf("dial %q %q returned a conn with its error", d.network, d.address)
	}
	de, ok := errors.AsType[*dialer.Error](d.err)
	if !ok {
		t.Fatalf("got a %T, want a *dialer.Error: %v\nA dial that fails returns\n"+
			"\tnil, dialer.Wrap(dialer.CauseOf(ctx, err), dialer.HopTarget, network, address)", d.err, d.err)
	}
	if de.Hop == "" {
		t.Errorf("the error names no hop: %v", de)
	}
	if de.Err == nil {
		t.Errorf("the error has no cause: %v", de)
	}
	return de
}

func closeConn(c net.Conn) {
	if c != nil {
		c.Close()
	}
}

func isDeadline(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
