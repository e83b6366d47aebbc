// Package dialertest checks any [dialer.Dialer] against the contract that
// package dialer states, the way testing/slogtest checks a slog.Handler.
//
// Describe the dialer in a [Fixture] and hand a maker of fixtures to [Run]:
//
//	func TestDialer(t *testing.T) {
//		dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
//			server := startMyTunnel(t) // and t.Cleanup(server.Close)
//			return dialertest.Fixture{Dialer: server}
//		})
//	}
//
// A Fixture with nothing but a Dialer is for one that reaches TCP targets on
// loopback. Where the targets speak something else, [Fixture.Listen] starts
// them; where the protocol cannot keep a promise, a field says so, and then the
// suite holds the dialer to what is left.
//
// # What is checked
//
// [Run] first lets golang.org/x/net/nettest.TestConn loose on the conns, then
// runs every [Check] of [Checks] as a subtest on a fresh fixture: bytes written
// before Close or CloseWrite arrive, half-close works both ways, a reset is not
// an end of file, the context bounds the dial and not the connection, deadlines
// and Close wake blocked calls, one stalled connection delays no other, every
// failed dial is a *dialer.Error of the right kind, and nothing is left behind.
//
// A Check takes a testing.TB, so it can run by itself, and a test of the suite
// can watch it fail. [Fixture.Pair] is the way to both ends of a connection for
// tests and benchmarks of one's own.
package dialertest
