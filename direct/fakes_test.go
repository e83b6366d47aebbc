package direct

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// script is a Resolver that gives one answer after the other, the last one for
// ever.
type script struct {
	answers [][]string
	err     error

	mu      sync.Mutex
	lookups int
}

func (s *script) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lookups++
	if s.err != nil {
		return nil, s.err
	}
	var ips []netip.Addr
	for _, a := range s.answers[min(s.lookups, len(s.answers))-1] {
		ips = append(ips, netip.MustParseAddr(a))
	}
	return ips, nil
}

// stuck is a Resolver that answers only once it is closed.
type stuck chan struct{}

func (s stuck) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	<-s
	return nil, nil
}

// fakeNet stands in for the network. The zero value connects at once.
type fakeNet struct {
	refuse string        // this IP refuses
	hang   string        // this IP never answers
	slow   string        // this IP answers after delay, whatever the context says
	delay  time.Duration // for slow

	mu    sync.Mutex
	addrs []string
	conns []*countedConn
}

func (n *fakeNet) connect(ctx context.Context, _ string, addr netip.AddrPort) (net.Conn, error) {
	c := &countedConn{addr: addr.String()}
	n.mu.Lock()
	n.addrs = append(n.addrs, addr.String())
	n.mu.Unlock()
	switch addr.Addr().String() {
	case n.refuse:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(addr), Err: syscall.ECONNREFUSED}
	case n.hang:
		<-ctx.Done()
		return nil, ctx.Err()
	case n.slow:
		time.Sleep(n.delay)
	}
	n.mu.Lock()
	n.conns = append(n.conns, c)
	n.mu.Unlock()
	return c, nil
}

func (n *fakeNet) dialed() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.addrs
}

// open returns the addresses of the conns that nobody has closed.
func (n *fakeNet) open() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var addrs []string
	for _, c := range n.conns {
		if !c.isClosed() {
			addrs = append(addrs, c.addr)
		}
	}
	return addrs
}

// countedConn is a conn that only knows whether it was closed.
type countedConn struct {
	net.Conn
	addr string

	mu     sync.Mutex
	closed bool
}

func (c *countedConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

func (c *countedConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}
