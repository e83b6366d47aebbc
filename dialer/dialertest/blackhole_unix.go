//go:build unix

package dialertest

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

// Blackhole returns a loopback address at which TCP connections hang until t
// ends, as if a firewall dropped them: a listener whose queue is full and that
// accepts nobody. It skips t where the system does not play along.
func Blackhole(t testing.TB) (address string) {
	t.Helper()
	ln := loopback(t)
	t.Cleanup(func() { ln.Close() })
	if err := shortenQueue(ln.(*net.TCPListener)); err != nil {
		t.Skipf("cannot shorten a listener's queue: %v", err)
	}
	for range 16 {
		c, err := net.DialTimeout("tcp", ln.Addr().String(), 100*time.Millisecond)
		if err == nil {
			t.Cleanup(func() { c.Close() }) // it holds its place in the queue
			continue
		}
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			return ln.Addr().String()
		}
		t.Skipf("a full queue does not hang: %v", err)
	}
	t.Skip("a listener's queue never fills up")
	return ""
}

// shortenQueue calls listen(2) once more, with the smallest useful backlog.
func shortenQueue(ln *net.TCPListener) error {
	raw, err := ln.SyscallConn()
	if err != nil {
		return err
	}
	var listenErr error
	if err := raw.Control(func(fd uintptr) { listenErr = syscall.Listen(int(fd), 1) }); err != nil {
		return err
	}
	return listenErr
}
