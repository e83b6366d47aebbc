package konnectivity

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
)

// wantReset reads from c, whose far end has gone, and then writes to it.
func wantReset(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %d bytes, %v, want a reset", n, err)
	}
	_, err := c.Write([]byte("x"))
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a write: %v, want a reset or a broken pipe", err)
	}
}

// TestCutConnsAreReset: whatever cuts a connection through an agent, and in each
// protocol, its user finds syscall.ECONNRESET, as of a socket.
func TestCutConnsAreReset(t *testing.T) {
	eachLink(t, func(t *testing.T, link linkCase) {
		for name, cut := range map[string]func(w *world, p *path, target net.Conn, stop func()){
			"the tunnel breaks": func(_ *world, p *path, _ net.Conn, _ func()) { p.cut() },
			"the agent ends":    func(_ *world, _ *path, _ net.Conn, stop func()) { stop() },
			"the server closes": func(w *world, _ *path, _ net.Conn, _ func()) { w.srv.Close() },
			"the target resets": func(_ *world, _ *path, target net.Conn, _ func()) {
				target.(*net.TCPConn).SetLinger(0)
				target.Close()
			},
		} {
			t.Run(name, func(t *testing.T) {
				leak.Check(t)
				w := link.world(t, nil)
				p := newPath(t, w.addr)
				cfg := w.agentConfig("edge", everywhere)
				cfg.Servers = []string{p.ln.Addr().String()}
				_, stop := w.run(cfg)
				accepted, ended := make(chan net.Conn), make(chan struct{})
				address := target(t, func(c net.Conn) { accepted <- c; <-ended })
				defer close(ended)
				conn := dial(t, w.srv, address)
				cut(w, p, <-accepted, stop)
				wantReset(t, conn)
			})
		}
	})
}

// TestFrontendGoneIsAReset: so does who dials through a front end that goes.
func TestFrontendGoneIsAReset(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		if w == (way{ModeHTTPConnect, overUnix}) {
			return // which cannot tell
		}
		leak.Check(t)
		fr := newFront(t, w.mode, w.road, nil)
		conn := dial(t, fr.client(nil), echo(t))
		talk(t, conn, "before")
		fr.f.Close()
		wantReset(t, conn)
	})
}
