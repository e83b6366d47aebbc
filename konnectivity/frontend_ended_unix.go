//go:build unix

package konnectivity

import (
	"net"
	"syscall"
)

// hasEnded reports whether the peer of conn, where that is a socket, has ended its
// direction and everything it said before has been read. It does not wait and
// takes no bytes.
func hasEnded(conn net.Conn) bool {
	switch conn.(type) {
	case *net.UnixConn, *net.TCPConn:
	default:
		return false
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	end := false
	raw.Control(func(fd uintptr) {
		var b [1]byte
		// The socket does not block, as all of package net's.
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		end = err == nil && n == 0
	})
	return end
}
