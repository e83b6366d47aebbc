package sshtest

import (
	"context"
	"net"
	"sync"
)

// gate is what all conns of a server pass; closed, it freezes them.
type gate struct {
	mu     sync.Mutex
	turned *sync.Cond
	closed bool
}

func newGate() *gate {
	g := new(gate)
	g.turned = sync.NewCond(&g.mu)
	return g
}

func (g *gate) set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	g.turned.Broadcast()
}

// gatedConn is a conn behind a gate: while that is closed nothing is read from
// it and nothing written to it, and it stays open.
type gatedConn struct {
	net.Conn
	gate *gate
	shut bool               // guarded by gate.mu
	gone context.CancelFunc // called when reading has failed, and by Close
}

func (c *gatedConn) pass() error {
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	for c.gate.closed && !c.shut {
		c.gate.turned.Wait()
	}
	if c.shut {
		return net.ErrClosed
	}
	return nil
}

// Read lets what was read while the gate closed wait, too.
func (c *gatedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if gateErr := c.pass(); gateErr != nil {
		return 0, gateErr
	}
	if err != nil {
		c.gone()
	}
	return n, err
}

func (c *gatedConn) Write(p []byte) (int, error) {
	if err := c.pass(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *gatedConn) Close() error {
	c.gate.mu.Lock()
	c.shut = true
	c.gate.turned.Broadcast()
	c.gate.mu.Unlock()
	c.gone()
	return c.Conn.Close()
}

// kill closes the conn the way a dying process does: with a reset where there
// are unread bytes or a linger of zero.
func (c *gatedConn) kill() {
	switch conn := c.Conn.(type) {
	case *net.TCPConn:
		conn.SetLinger(0)
	case *PipeConn:
		conn.Cut(errKilled)
	}
	c.Close()
}
