package konnectivity

import (
	"net"
	"runtime"
	"syscall"
	"time"
)

const (
	// takenTime is how long a client is waited for that does not read its answer.
	takenTime = 100 * time.Millisecond
	// soMeminfo and its item are the kernel's SO_MEMINFO and SK_MEMINFO_WMEM_ALLOC:
	// what was sent on a unix socket and not been read yet.
	soMeminfo = 55
	wmemAlloc = 2
	// A read that has emptied the socket looks once more for bytes before it returns.
	// It is given lookTime for that, but none when it had lateTime to read.
	lookTime = 50 * time.Microsecond
	lateTime = 300 * time.Microsecond
)

// awaitTaken waits, for a bounded time, until the client has read its answer, which was
// written at that time.
// Where the next bytes get into the same read, kube-apiserver's client takes them
// for a broken answer. TLS keeps the two apart by itself; for a unix socket this
// does. Called when there are such bytes, and so, where the client speaks first,
// long after it has read.
func awaitTaken(conn net.Conn, written time.Time) {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	if taken(raw) && time.Since(written) >= lateTime {
		return
	}
	defer time.Sleep(lookTime)
	// Mostly the client is about to read, and sleeping would take longer.
	for range 20 {
		if taken(raw) {
			return
		}
		runtime.Gosched()
	}
	begin := time.Now()
	for nap := 20 * time.Microsecond; !taken(raw) && time.Since(begin) < takenTime; nap *= 2 {
		time.Sleep(min(nap, 5*time.Millisecond)) // a socket does not tell
	}
}

// taken reports whether all that was sent has been read, or that this cannot be
// known.
func taken(raw syscall.RawConn) bool {
	all := true
	raw.Control(func(fd uintptr) {
		// The option is an array of numbers, of which the kernel hands out as many
		// as there is room for; this type has room for eight.
		info, err := syscall.GetsockoptICMPv6Filter(int(fd), syscall.SOL_SOCKET, soMeminfo)
		all = err != nil || info.Data[wmemAlloc] == 0
	})
	return all
}
