package relay

import (
	"encoding/binary"
	"net"
	"syscall"
)

// tcpClosed is TCP_CLOSE of the kernel's tcp_states.h.
const tcpClosed = 7

// hungUp reports whether c is a TCP conn that is dead both ways, so that a write
// to it returns at once.
func hungUp(c net.Conn) bool {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	dead := false
	err = raw.Control(func(fd uintptr) {
		// The state is the first byte of struct tcp_info; the kernel hands out as
		// much of it as there is room for.
		info, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
		var head [4]byte
		binary.NativeEndian.PutUint32(head[:], uint32(info))
		dead = err == nil && head[0] == tcpClosed
	})
	return err == nil && dead
}
