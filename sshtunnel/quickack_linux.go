package sshtunnel

import (
	"net"
	"syscall"
)

// quickAcker returns a function that has the system acknowledge what was read
// from c at once. sshd leaves Nagle's algorithm on: of two short messages it
// holds the second until the first is acknowledged, and a client that only
// waits, for the answer to an open say, acknowledges after 40 ms. The system
// forgets the wish, so it is repeated with each read.
func quickAcker(c net.Conn) func() {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return func() {}
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return func() {}
	}
	// What fails here fails the next read, too, which tells of it.
	set := func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) }
	return func() { _ = raw.Control(set) }
}
