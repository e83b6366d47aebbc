package eager

import "net"

// OpError gives the error of a system call on c's socket the form that c's own Read and
// Write give theirs. op is "read" or "write".
func OpError(op string, c net.Conn, err error) error {
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
