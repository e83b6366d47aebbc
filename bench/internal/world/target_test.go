package world

import (
	"net"
	"testing"
	"time"
)

// What a target pours on connections that nobody reads lies in the kernel, which has
// one memory for the sockets of all: a thousand such connections must not take it
// from the tunnel that is measured.
func TestLittleIsPouredThatNobodyReads(t *testing.T) {
	target, err := NewTarget(32 << 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Close)
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", target.Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := Pour(c, 1<<30); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for target.Poured.Load() == 0 {
		target.Settle(10 * time.Millisecond)
	}
	target.Settle(100 * time.Millisecond)
	// Its own buffer, which Linux doubles, the peer's, and the Write that waits.
	if n := target.Poured.Load(); n > 512<<10 {
		t.Errorf("%d KiB were poured, want a few hundred at most", n>>10)
	}
}

func TestCounterIsTheNamedOne(t *testing.T) {
	const stats = "TcpExt: A TCPMemoryPressures B\nTcpExt: 1 23 4\nIpExt: A TCPMemoryPressures\nIpExt: 5 6\n"
	for _, c := range []struct {
		stats string
		want  int64
	}{
		{stats, 23},
		{"", 0},
		{"TcpExt: A\nTcpExt: 1\n", 0},
		{"TcpExt: A TCPMemoryPressures\nTcpExt: 1\n", 0},
	} {
		if got := counter(c.stats, "TcpExt:", "TCPMemoryPressures"); got != c.want {
			t.Errorf("%q: %d, want %d", c.stats, got, c.want)
		}
	}
}
