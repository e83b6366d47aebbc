package dialertest

import (
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// Fixture is a Dialer under test with the means to give it targets. The zero
// value of every field but Dialer suits a dialer that reaches TCP on loopback.
//
// The hooks are called on a test's goroutine and may end it with t.FailNow;
// what they start they end in t.Cleanup.
type Fixture struct {
	// Dialer is what is tested. It is required; without it every check fails.
	Dialer dialer.Dialer

	// Network is the first argument of every dial; empty means "tcp".
	Network string

	// Listen starts a target and returns the listener that yields the target's
	// side of each conn; the suite closes both. What is dialed is the string of
	// its Addr, so a fixture that dials by name returns a listener with an Addr
	// that tells the name. A conn with a HandshakeContext method, such as
	// tls.NewListener's, has it called before use. Nil means TCP on 127.0.0.1.
	Listen func(t testing.TB) net.Listener

	// Hang returns an address at which a dial neither succeeds nor fails until
	// its context ends. Nil means [Blackhole].
	Hang func(t testing.TB) (address string)

	// Refused returns an address that refuses connections for as long as the
	// test runs. Nil means [ClosedPort].
	Refused func(t testing.TB) (address string)

	// Reset hangs up hard on the caller from the target's side of a conn, as a
	// crashing process does. Nil means SetLinger(0) and Close on the TCP conn,
	// found through NetConn methods where it is wrapped.
	Reset func(target net.Conn) error

	// NoHalfClose states that the route's protocol has no half-close, as
	// upstream Konnectivity's has not. Then CloseWrite must be absent or fail,
	// rather than pretend.
	NoHalfClose bool

	// NoReset states that the route's protocol cannot tell a reset from an end
	// of file.
	NoReset bool

	// WriteTimeoutFatal states that a Write which timed out ends writing for
	// good, which is what crypto/tls documents. It also skips nettest.TestConn,
	// which needs conns to survive that.
	WriteTimeoutFatal bool

	// Patience is how long something that must happen may take before that is
	// a failure. Zero means 10 s; negative is taken as zero.
	Patience time.Duration
}

// require ends t where there is nothing to test.
func (f Fixture) require(t testing.TB) {
	t.Helper()
	if f.Dialer == nil {
		t.Fatal("dialertest: the Fixture has no Dialer; set Fixture.Dialer to what is to be tested")
	}
}

func (f Fixture) network() string {
	if f.Network == "" {
		return "tcp"
	}
	return f.Network
}

func (f Fixture) patience() time.Duration {
	if f.Patience <= 0 {
		return 10 * time.Second
	}
	return f.Patience
}

func (f Fixture) listen(t testing.TB) net.Listener {
	t.Helper()
	var ln net.Listener
	if f.Listen != nil {
		ln = f.Listen(t)
	} else {
		ln = loopback(t)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func (f Fixture) hang(t testing.TB) string {
	t.Helper()
	if f.Hang != nil {
		return f.Hang(t)
	}
	return Blackhole(t)
}

func (f Fixture) refused(t testing.TB) string {
	t.Helper()
	if f.Refused != nil {
		return f.Refused(t)
	}
	return ClosedPort(t)
}

func (f Fixture) reset(target net.Conn) error {
	if f.Reset != nil {
		return f.Reset(target)
	}
	return resetTCP(target)
}
