package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// What the two pools of a generation offer by ALPN.
var (
	protosShared = [...]string{"h2", "http/1.1"}
	protosHTTP1  = [...]string{"http/1.1"}
)

// A generation is the connections made under the same roots and with the same
// client certificate.
type generation struct {
	roots *x509.CertPool
	cert  *tls.Certificate

	// shared carries all requests but those for an upgrade, which HTTP/2 cannot
	// serve and which http1 carries.
	shared, http1 *http.Transport

	// open counts the connections and the dials under way of both.
	open atomic.Int64
}

// newGeneration returns a generation without connections.
func (rt *RoundTripper) newGeneration(roots *x509.CertPool, cert *tls.Certificate) *generation {
	g := &generation{roots: roots, cert: cert}

	g.http1 = rt.cfg.transport()
	g.http1.DialContext = rt.dialPlain(g)
	g.http1.DialTLSContext = rt.dialTLS(g, protosHTTP1[:])

	g.shared = rt.cfg.transport()
	g.shared.DialContext = rt.dialPlain(g)
	g.shared.DialTLSContext = rt.dialTLS(g, protosShared[:])
	g.shared.ForceAttemptHTTP2 = true
	// Not used to dial, but by those who look for the configuration here, as
	// the upgrade path of Kubernetes does when it was handed this transport.
	g.shared.TLSClientConfig = rt.d.openConfig(protosShared[:])

	if !rt.cfg.AllowHTTP {
		g.shared.RegisterProtocol("http", httpsOnly{rt.d})
		g.http1.RegisterProtocol("http", httpsOnly{rt.d})
	}
	// net/http completes a transport, TLSClientConfig included, at its first
	// use. Let that be now, before anybody can read it.
	g.closeIdle()
	return g
}

// madeOf reports whether g's connections are what roots and cert would give.
func (g *generation) madeOf(roots *x509.CertPool, cert *tls.Certificate) bool {
	return g.cert == cert && (g.roots == roots || g.roots.Equal(roots))
}

// closeIdle closes the connections that carry nothing.
func (g *generation) closeIdle() {
	g.shared.CloseIdleConnections()
	g.http1.CloseIdleConnections()
}

// release is the end of a connection or of a failed dial.
func (g *generation) release() { g.open.Add(-1) }

// dialTLS returns the verified dial of a pool of g.
func (rt *RoundTripper) dialTLS(g *generation, protos []string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := rt.boundDial(ctx)
		defer cancel()
		done := g.hold()
		c, err := rt.d.dial(ctx, network, address, protos, func(raw net.Conn) net.Conn {
			return &heldConn{Conn: raw, done: done}
		})
		if err != nil {
			done()
			return nil, err
		}
		return c, nil
	}
}

// dialPlain returns the dial below the TLS of a pool of g: for upgrades, which
// run their own handshake, and for plain http where it is allowed.
func (rt *RoundTripper) dialPlain(g *generation) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := rt.boundDial(ctx)
		defer cancel()
		done := g.hold()
		raw, err := rt.d.plain(ctx, network, address)
		if err != nil {
			done()
			return nil, err
		}
		var c net.Conn = &heldConn{Conn: raw, done: done}
		if !rt.cfg.AllowHTTP {
			c = &tlsOnlyConn{Conn: c, way: rt.d.Describe(ctx, network, address)}
		}
		return c, nil
	}
}

func (rt *RoundTripper) boundDial(ctx context.Context) (context.Context, context.CancelFunc) {
	if rt.cfg.DialTimeout < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, rt.cfg.DialTimeout, dialTimeout(rt.cfg.DialTimeout))
}

// dialTimeout is the cause of a dial that took too long.
type dialTimeout time.Duration

func (t dialTimeout) Error() string { return "no connection within " + time.Duration(t).String() }

// hold counts one more in g and returns the function that ends it, once.
func (g *generation) hold() (done func()) {
	g.open.Add(1)
	return sync.OnceFunc(g.release)
}

// heldConn counts in its generation until it is closed.
type heldConn struct {
	net.Conn
	done func()
}

func (c *heldConn) Close() error {
	err := c.Conn.Close()
	c.done()
	return err
}
