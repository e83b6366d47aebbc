package konnectivity

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// path is a TCP relay between agent and server that can freeze: no bytes, no
// FIN, no RST, as behind a firewall that lost its state.
type path struct {
	ln     net.Listener
	frozen atomic.Bool
	thaw   chan struct{}
	done   sync.WaitGroup
	mu     sync.Mutex
	conns  []net.Conn
}

func newPath(t testing.TB, to string) *path {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &path{ln: ln, thaw: make(chan struct{})}
	p.done.Go(func() {
		for {
			a, err := ln.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				a.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, a, b)
			p.mu.Unlock()
			p.done.Go(func() { p.copy(a, b) })
			p.done.Go(func() { p.copy(b, a) })
		}
	})
	t.Cleanup(func() {
		close(p.thaw)
		ln.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.done.Wait()
	})
	return p
}

func (p *path) copy(dst, src net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if p.frozen.Load() {
			<-p.thaw
			return
		}
		if n > 0 {
			dst.Write(buf[:n])
		}
		if err != nil {
			dst.Close()
			return
		}
	}
}

// cut ends what goes over the path, as when a machine on it dies.
func (p *path) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}
