package dialertest

import (
	"fmt"
	"io"
	"net"
	"testing"
)

func loopback(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	return ln
}

// ClosedPort returns a loopback address that refuses TCP connections until t
// ends. It is a port that the near end of a connection occupies, so nobody can
// start to listen on it meanwhile.
func ClosedPort(t testing.TB) (address string) {
	t.Helper()
	ln := loopback(t)
	t.Cleanup(func() { ln.Close() })
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

// echo sends back what c receives until c ends, on a goroutine.
func echo(c net.Conn) {
	go func() {
		// Without the wrappers io.Copy would splice and hide what Read does.
		io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
	}()
}

// resetTCP closes the TCP conn under c so that the kernel sends a reset.
func resetTCP(c net.Conn) error {
	for {
		if tcp, ok := c.(*net.TCPConn); ok {
			if err := tcp.SetLinger(0); err != nil {
				return err
			}
			return tcp.Close()
		}
		wrapped, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return fmt.Errorf("no TCP conn under %T: the Fixture needs a Reset", c)
		}
		c = wrapped.NetConn()
	}
}
