package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/internal/sshtest"
)

// usage is the processor time spent so far.
type usage struct{ client, server time.Duration }

// used returns what way's client side has spent, the program that uses the
// connection included, and what sshd has spent for all ways: only one is in use
// at a time.
func used(w *world, way way) usage {
	var self syscall.Rusage
	// It cannot fail for the process itself.
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &self)
	u := usage{client: time.Duration(self.Utime.Nano() + self.Stime.Nano())}
	if way.client != 0 {
		u.client += ran(way.client)
	}
	for _, pid := range sshtest.Descendants(w.sshd.PID()) {
		u.server += ran(pid)
	}
	return u
}

// ran returns how long a process of one thread has been on a processor, as
// ssh and sshd are.
func ran(pid int) time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/schedstat")
	if err != nil {
		return 0
	}
	ns, _ := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
	return time.Duration(ns)
}
