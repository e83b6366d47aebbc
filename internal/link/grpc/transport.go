package grpc

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
)

// finished are credentials for a connection whose TLS handshake is done.
type finished struct{}

// done says so to gRPC.
type done struct{ credentials.CommonAuthInfo }

func (done) AuthType() string { return "tls" }

var secure = done{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}

func (finished) ClientHandshake(_ context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c, secure, nil
}

func (finished) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c, secure, nil
}

// Info makes requests bear the scheme https, as they should behind TLS.
func (finished) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (f finished) Clone() credentials.TransportCredentials { return f }

func (finished) OverrideServerName(string) error { return nil }

// watched is a tunnel's connection. It knows when it last heard something, when
// it was closed and what it failed with, none of which gRPC tells.
type watched struct {
	net.Conn
	heard  atomic.Int64 // when, in Unix nanoseconds
	gone   chan struct{}
	ending sync.Once

	// known, where it is not nil, is closed once it is known who the peer is. Until
	// then it is heard for strange bytes more.
	known   chan struct{}
	strange int // of the one who reads

	mu  sync.Mutex
	err error // of the first failure, or why it was closed
}

func watch(c net.Conn) *watched {
	w := &watched{Conn: c, gone: make(chan struct{})}
	w.heard.Store(time.Now().UnixNano())
	return w
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(w.hearing(p))
	w.strange -= n
	if n > 0 {
		w.heard.Store(time.Now().UnixNano())
	}
	if err != nil {
		w.blame(err)
	}
	return n, err
}

// hearing returns what of p may be read into now, and waits while that is nothing.
func (w *watched) hearing(p []byte) []byte {
	if w.known == nil {
		return p
	}
	select {
	case <-w.known:
		return p
	default:
	}
	if w.strange > 0 {
		return p[:min(len(p), w.strange)]
	}
	select {
	case <-w.known:
	case <-w.gone:
	}
	return p
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if err != nil {
		w.blame(err)
	}
	return n, err
}

// silence is how long nothing has been heard.
func (w *watched) silence() time.Duration { return time.Since(time.Unix(0, w.heard.Load())) }

// blame notes why the connection ended. The first reason counts.
func (w *watched) blame(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// cause returns why the connection ended, or nil.
func (w *watched) cause() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == io.EOF {
		return errHungUp
	}
	return w.err
}

var errHungUp = errors.New("the peer closed the connection")

// closeWith closes the connection because of err.
func (w *watched) closeWith(err error) {
	w.blame(err)
	w.Close()
}

func (w *watched) Close() error {
	w.blame(net.ErrClosed)
	w.ending.Do(func() { close(w.gone) })
	return w.Conn.Close()
}

// single is a listener that has one connection to give.
type single struct {
	conn net.Conn
	once sync.Once
	more chan net.Conn
}

func listenOn(c net.Conn) *single {
	l := &single{conn: c, more: make(chan net.Conn, 1)}
	l.more <- c
	return l
}

func (l *single) Accept() (net.Conn, error) {
	if c, ok := <-l.more; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *single) Close() error {
	l.once.Do(func() { close(l.more) })
	return nil
}

func (l *single) Addr() net.Addr { return l.conn.LocalAddr() }
