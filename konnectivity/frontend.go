package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
)

// ErrFrontendClosed is returned by Serve after Shutdown or Close.
var ErrFrontendClosed = errors.New("konnectivity: front end closed")

// errBusy refuses a connection that there is no place for.
var errBusy = errors.New("the front end is busy")

// maxNewcomers bounds the clients that have yet to say what they want.
const maxNewcomers = 128

// Frontend is the side of a proxy server that a stock kube-apiserver speaks to.
// It makes each connection a client asks for with a dialer.Dialer, and carries
// its bytes. It knows nothing of what that Dialer is.
//
// Over HTTP CONNECT a unix socket has no way to tell a reset of the target from
// its end; over gRPC, and over TLS, it arrives as what it was.
type Frontend struct {
	cfg  FrontendConfig
	tls  *tls.Config // nil: unix sockets only
	log  *slog.Logger
	life context.Context // ends with Close
	end  context.CancelFunc

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	newcomers newcomers
	open      int // connections, from before their dial to their end
	sockets   int // gRPC clients, of which each may have many connections or none
	streams   int // of gRPC clients, whether they have asked for a connection or not
	state     serverState
	serving   sync.WaitGroup // Add only under mu while running, Wait only after

	watches watches // of clients that wait for their connection
}

// NewFrontend checks cfg and returns a Frontend. It starts nothing.
func NewFrontend(cfg FrontendConfig) (*Frontend, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	return &Frontend{
		cfg: cfg, tls: frontendTLS(cfg.TLS, cfg.Mode), log: orDiscard(cfg.Log), life: life, end: end,
		listeners: make(map[net.Listener]struct{}),
		newcomers: newcomers{max: maxNewcomers},
	}, nil
}

// Shutdown takes no new clients and no new dials and waits for the open
// connections to end, up to their last byte. When ctx ends first it returns ctx's
// error. In any case everything is closed when it returns.
func (f *Frontend) Shutdown(ctx context.Context) error {
	f.mu.Lock()
	if f.state == running {
		f.state = draining
	}
	f.closeDoors()
	f.mu.Unlock()
	served := make(chan struct{})
	go func() { defer close(served); f.serving.Wait() }()
	var err error
	select {
	case <-served:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	f.Close()
	<-served
	return err
}

// closeDoors closes the listeners and sends away who has not asked for anything
// yet. f.mu is held.
func (f *Frontend) closeDoors() {
	for ln := range f.listeners {
		ln.Close()
	}
	f.newcomers.closeAll()
}

// Close ends every connection at once, and returns when all of it has ended.
// Serve returns ErrFrontendClosed. A second Close does the same.
func (f *Frontend) Close() error {
	f.mu.Lock()
	f.state = closed
	f.closeDoors()
	f.mu.Unlock()
	f.end()
	f.serving.Wait()
	f.watches.close()
	return nil
}

func (f *Frontend) closing() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state != running
}

// enter takes a place for one more connection; leave gives it back.
func (f *Frontend) enter() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.state != running:
		return ErrFrontendClosed
	case f.open >= f.cfg.maxConns():
		return fmt.Errorf("%w: it has its %d connections", errBusy, f.cfg.maxConns())
	}
	f.open++
	return nil
}

// enterStream takes a place for one more Proxy stream, whether it asks for a
// connection or not; leaveStream gives it back.
func (f *Frontend) enterStream() error { return f.enterBounded(&f.streams, "streams") }

func (f *Frontend) leaveStream() { f.leaveBounded(&f.streams) }

// enterSocket takes a place for one more gRPC client; leaveSocket gives it back.
func (f *Frontend) enterSocket() error { return f.enterBounded(&f.sockets, "clients") }

func (f *Frontend) leaveSocket() { f.leaveBounded(&f.sockets) }

// enterBounded counts one more in n, of which there may be a few more than there
// may be connections, so that who is one too many can be told so.
func (f *Frontend) enterBounded(n *int, what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if limit := f.cfg.maxConns() + maxNewcomers; *n >= limit {
		return fmt.Errorf("%w: it has its %d %s", errBusy, limit, what)
	}
	*n++
	return nil
}

func (f *Frontend) leaveBounded(n *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n--
}

func (f *Frontend) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
}
