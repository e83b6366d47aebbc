package dialertest

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// flowLimit is far above what sockets and windows on the way hold, and below
// what would hurt the machine that runs the tests.
const flowLimit = 256 << 20

var errUnbounded = errors.New("a Write that nobody reads never blocks")

// flow is one direction of a conn kept busy by a goroutine until it fails.
type flow struct {
	bytes atomic.Int64
	end   chan error // receives the error that ended it
}

// startWrites writes the stream to c until that fails.
func startWrites(c net.Conn) *flow {
	f := &flow{end: make(chan error, 1)}
	go func() { f.end <- f.write(c) }()
	return f
}

func (f *flow) write(c net.Conn) error {
	s := newStream()
	buf := make([]byte, 32<<10)
	for f.bytes.Load() < flowLimit {
		s.fill(buf)
		n, err := c.Write(buf)
		f.bytes.Add(int64(n))
		if err != nil {
			return err
		}
	}
	return errUnbounded
}

// startReads reads from c until that fails.
func startReads(c net.Conn) *flow {
	f := &flow{end: make(chan error, 1)}
	go func() { f.end <- f.read(c) }()
	return f
}

func (f *flow) read(c net.Conn) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Read(buf)
		f.bytes.Add(int64(n))
		if err != nil {
			return err
		}
	}
}

// block waits until the flow makes no progress, and fails t where it ends
// instead.
func (f *flow) block(t testing.TB, fix Fixture) {
	t.Helper()
	deadline := time.Now().Add(fix.patience())
	for last := int64(-1); last != f.bytes.Load(); {
		last = f.bytes.Load()
		if err, ok := still(f.end); !ok {
			t.Fatalf("waiting for a call to block, it failed: %v", err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("no call has blocked in %v and %d bytes", fix.patience(), last)
		}
	}
}
