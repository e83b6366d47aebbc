package mux

import (
	"net"
	"sync"
)

// gate is a conn whose writes wait while it is shut: a carrier that is full.
type gate struct {
	net.Conn
	mu   sync.Mutex
	pass chan struct{} // closed while writes may pass
}

func newGate(c net.Conn) *gate {
	g := &gate{Conn: c, pass: make(chan struct{})}
	close(g.pass)
	return g
}

// shut makes writes wait from now on.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass = make(chan struct{})
}

// lift lets waiting and later writes go.
func (g *gate) lift() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.pass:
	default:
		close(g.pass)
	}
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	pass := g.pass
	g.mu.Unlock()
	<-pass
	return g.Conn.Write(p)
}

func (g *gate) Close() error {
	g.lift()
	return g.Conn.Close()
}
