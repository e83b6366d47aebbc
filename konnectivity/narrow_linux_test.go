package konnectivity

import (
	"context"
	"net"
	"syscall"
	"testing"
)

// narrowTarget is a target whose conns take little before somebody reads. It is
// set on the listener: on a conn it would come too late, for by then the kernels
// have sized their buffers. Those of the sender follow the segment size, which on
// loopback makes megabytes of them.
func narrowTarget(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		ctlErr := raw.Control(func(fd uintptr) {
			if err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10); err == nil {
				err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1400)
			}
		})
		if ctlErr != nil {
			return ctlErr
		}
		return err
	}}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveTarget(t, ln, serve)
}
