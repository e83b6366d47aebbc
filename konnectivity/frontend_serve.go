package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/sallyport/sallyport/internal/link"
)

// Serve accepts clients on ln, which it closes, until ctx ends, the listener
// fails, or the front end is shut down or closed. It may be called for several
// listeners, at the same time too. A listener that is not a unix socket's needs
// FrontendConfig.TLS. Serve returns after every connection that came in on ln
// has ended: ErrFrontendClosed after Shutdown or Close, otherwise the cause.
//
// The end of ctx cuts the connections. To let them end, call Shutdown while ctx
// is still alive.
func (f *Frontend) Serve(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	if f.tls == nil && !isUnix(ln) {
		return fmt.Errorf("konnectivity: listener %s %s needs FrontendConfig.TLS: only unix sockets with a file of their own are served without", ln.Addr().Network(), ln.Addr())
	}
	if err := f.addListener(ln); err != nil {
		return err
	}
	defer f.serving.Done()
	defer f.removeListener(ln)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	stopLife := context.AfterFunc(f.life, func() { cancel(ErrFrontendClosed) })
	defer stopLife()

	var clients clients
	joinCuts := clients.cuts.follow(ctx)
	p := f.newProtocol(ctx, &clients.cuts)
	err := acceptConns(ctx, ln, f.log, func(c net.Conn) {
		// Here and not on the client's goroutine: the oldest has to be the oldest.
		settled, ok := f.addNewcomer(c)
		if !ok {
			c.Close()
			return
		}
		clients.serve(&visit{f: f, ctx: ctx, conn: c, secure: !isUnix(ln), protocol: p, settled: settled})
	})
	if f.closing() {
		p.drain()
	} else {
		cancel(err) // the listener failed: its clients end with it
	}
	clients.join()
	p.join()
	joinCuts()
	if f.closing() {
		return ErrFrontendClosed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// isUnix reports whether permissions guard ln: those of a file.
func isUnix(ln net.Listener) bool {
	a := ln.Addr()
	return a.Network() == "unix" && a.String() != "" && !strings.HasPrefix(a.String(), "@")
}

// protocol is one of the modes, serving the clients of one listener.
type protocol interface {
	// serve serves a client from its first words, whose wait it bounds, to the end
	// of everything. settled is called when the client has said what it wants.
	// The end of ctx closes conn. What goes on as long as a connection may be
	// returned as rest, to be done by a goroutine with little behind it. conn is
	// closed after all that.
	serve(ctx context.Context, conn net.Conn, settled func()) (rest func())
	// drain asks the clients that can be asked to bring nothing new. It does not
	// block.
	drain()
	// join ends and joins what serves besides. All serve calls have returned.
	join()
}

func (f *Frontend) newProtocol(ctx context.Context, cuts *cuts) protocol {
	if f.cfg.Mode == ModeGRPC {
		return newGRPCProtocol(ctx, f, cuts)
	}
	return connectProtocol{f, cuts}
}

// errCut is what the far side of a connection may learn of its being cut.
var errCut = errors.New("the front end is closing")

func (f *Frontend) handshake(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.handshakeTimeout())
	defer cancel()
	tc := tls.Server(&socket{Conn: conn}, f.tls)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if err := checkClient(tc.ConnectionState(), f.cfg.Mode); err != nil {
		return nil, err
	}
	return tc, nil
}

// checkClient holds every client to what FrontendConfig.TLS promises, whatever a
// GetConfigForClient has made of it.
func checkClient(state tls.ConnectionState, mode Mode) error {
	switch {
	case state.Version < tls.VersionTLS12:
		return fmt.Errorf("%s was negotiated; want TLS 1.2 or newer", tls.VersionName(state.Version))
	case len(state.VerifiedChains) == 0:
		return errUnverified
	case mode == ModeGRPC && state.NegotiatedProtocol != link.ALPNGRPC:
		return fmt.Errorf("the client does not offer ALPN %q, which gRPC is spoken under; is it in mode http-connect?", link.ALPNGRPC)
	}
	return nil
}

// frontendTLS returns base with the protocol of mode.
func frontendTLS(base *tls.Config, mode Mode) *tls.Config {
	switch {
	case base == nil:
		return nil
	case mode == ModeGRPC:
		return listenerTLS(base, []string{link.ALPNGRPC})
	}
	return listenerTLS(base, []string{"http/1.1"})
}

func (f *Frontend) addListener(ln net.Listener) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != running {
		return ErrFrontendClosed
	}
	f.listeners[ln] = struct{}{}
	f.serving.Add(1)
	return nil
}

func (f *Frontend) removeListener(ln net.Listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, ln)
}

// addNewcomer takes a client that has yet to say what it wants. settled, which
// may be called again, ends that state.
func (f *Frontend) addNewcomer(c net.Conn) (settled func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != running {
		return nil, false
	}
	place := f.newcomers.add(c)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.newcomers.Remove(place) // does nothing the second time
	}, true
}
