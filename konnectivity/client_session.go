package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/keepalive"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link/proxy"
	"github.com/sallyport/sallyport/internal/wire"
)

const (
	// streamWindow is how much of one connection may be on its way to a reader
	// that does not read, and sessionWindow what all of them may have under way:
	// stated, so that gRPC does not grow them with what it measures.
	streamWindow  = 256 << 10
	sessionWindow = 4 << 20
	// maxMetadata bounds the headers of a stream, in bytes.
	maxMetadata = 64 << 10
	// pingTimeout is how long the answer to a ping may take.
	pingTimeout = 20 * time.Second
	// minPing is the least gRPC allows between pings.
	minPing = 10 * time.Second
)

// clientSession is one connection to a gRPC front end: a ClientConn over one conn,
// which is never reconnected.
type clientSession struct {
	cc    *grpc.ClientConn
	proxy *proxy.Client
	// Guarded by the mutex of its sessions.
	users   int  // streams, and dials that are about to be
	retired bool // it takes no more dials, and is closed by its last user
}

// connectSession connects to the front end and waits until it has answered in
// gRPC.
func connectSession(ctx context.Context, r *reach, cfg *ClientConfig, traced *proxy.Client) (*clientSession, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	conn, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	seen := newLastWords(conn)
	cc, err := grpc.NewClient("passthrough:///"+r.address, sessionOptions(seen, conn, r, cfg)...)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if err := awaitReady(ctx, cc); err != nil {
		if ctx.Err() != nil {
			conn.Close() // no last words are awaited of who was silent for so long
		}
		cc.Close()
		conn.Close()
		if words := seen.err(); words != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", err, rejectedCertificate(words))
		}
		return nil, &dialer.Error{Hop: dialer.HopProxy + " " + r.address, Err: err}
	}
	p := *traced
	p.Conn, p.Local = cc, conn.LocalAddr()
	return &clientSession{cc: cc, proxy: &p}, nil
}

func sessionOptions(conn, below net.Conn, r *reach, cfg *ClientConfig) []grpc.DialOption {
	authority := r.address
	if r.network == "unix" {
		authority = "localhost"
	}
	opts := []grpc.DialOption{
		grpc.WithContextDialer(once(conn)),
		grpc.WithTransportCredentials(proxy.Finished(below)),
		grpc.WithAuthority(authority),
		grpc.WithUserAgent(software),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{}), grpc.MaxCallRecvMsgSize(wire.MaxMessage)),
		grpc.WithMaxHeaderListSize(maxMetadata),
		grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(sessionWindow),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithNoProxy(),
		grpc.WithIdleTimeout(0), // nothing is idle that somebody may dial through
	}
	if cfg.KeepAlive > 0 {
		opts = append(opts, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: max(cfg.KeepAlive, minPing), Timeout: pingTimeout}))
	}
	return opts
}

// errUsedUp ends gRPC's attempts to reconnect: the next dial makes a new session.
var errUsedUp = errors.New("the connection to the server has ended")

// once returns a dialer that hands out conn, one time.
func once(conn net.Conn) func(context.Context, string) (net.Conn, error) {
	var used atomic.Bool
	return func(context.Context, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, errUsedUp
		}
		return conn, nil
	}
}

// awaitReady waits for the server's first words.
func awaitReady(ctx context.Context, cc *grpc.ClientConn) error {
	cc.Connect()
	for {
		state := cc.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure, connectivity.Shutdown:
			return errors.New("the server does not answer in gRPC; is it in mode http-connect?")
		}
		if !cc.WaitForStateChange(ctx, state) {
			return context.Cause(ctx)
		}
	}
}

// lastWords remembers why reading a conn failed, which gRPC keeps to itself: it
// may be the alert of a server that refused our certificate.
type lastWords struct {
	net.Conn
	heard  atomic.Bool // something else came before
	once   sync.Once
	failed chan struct{} // closed when why is set
	why    error
}

func newLastWords(c net.Conn) *lastWords {
	return &lastWords{Conn: c, failed: make(chan struct{})}
}

func (w *lastWords) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.heard.Store(true)
	}
	if err != nil {
		w.once.Do(func() { w.why = err; close(w.failed) })
	}
	return n, err
}

// wordsTime is how long the words of a server that hung up may take to be read.
const wordsTime = 200 * time.Millisecond

// Close closes the conn. gRPC does so when it cannot write, and would by that
// keep its own reader from reading why.
func (w *lastWords) Close() error {
	if !w.heard.Load() {
		late := time.NewTimer(wordsTime)
		defer late.Stop()
		select {
		case <-w.failed:
		case <-late.C:
		}
	}
	return w.Conn.Close()
}

func (w *lastWords) err() error {
	select {
	case <-w.failed:
		return w.why
	default:
		return nil
	}
}

// ConnectionState is that of the TLS below, for credentials that ask.
func (w *lastWords) ConnectionState() (state tls.ConnectionState) {
	if tc, ok := w.Conn.(*tls.Conn); ok {
		state = tc.ConnectionState()
	}
	return state
}
