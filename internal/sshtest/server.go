package sshtest

import (
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// errKilled is what both ends of a conn through memory see after Kill.
var errKilled error = syscall.ECONNRESET

// Login is a finished handshake.
type Login struct {
	User string
	// Key is the public key that the client proved to have: a certificate where
	// it showed one. It comes from the permissions of the finished handshake.
	Key ssh.PublicKey
	// Version is what the client called itself.
	Version string
}

// Server is an SSH server for tests. Its methods may be called at any time from
// any goroutine.
type Server struct {
	opts Options
	gate *gate
	ctx  context.Context
	end  context.CancelFunc

	running sync.WaitGroup // everything the server started

	mu       sync.Mutex
	hostKeys []ssh.Signer
	knobs    Knobs
	ln       net.Listener
	address  string
	down     bool // after Kill or Close, until Restart
	conns    map[*gatedConn]struct{}
	accepted int
	logins   []Login
	channels int
	opens    int
	release  chan struct{} // closed by Release

	refusedRequests, refusedChannels int
}

// New returns a server that listens nowhere: it is reached by its DialContext,
// or by ServeConn. It is closed with t's cleanups.
func New(t testing.TB, opts Options) *Server {
	t.Helper()
	if len(opts.HostKeys) == 0 {
		opts.HostKeys = []ssh.Signer{NewKey(t)}
	}
	if opts.Dial == nil {
		opts.Dial = new(net.Dialer).DialContext
	}
	if opts.DialTimeout == 0 {
		opts.DialTimeout = time.Second
	}
	if opts.Address == "" {
		opts.Address = "127.0.0.1:0"
	}
	s := &Server{
		opts: opts, gate: newGate(), hostKeys: opts.HostKeys, knobs: opts.Knobs,
		conns: make(map[*gatedConn]struct{}), release: make(chan struct{}),
	}
	s.ctx, s.end = context.WithCancel(context.Background())
	t.Cleanup(s.Close)
	return s
}

// Start returns a server that listens.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	s := New(t, opts)
	if err := s.listen(s.opts.Address); err != nil {
		t.Fatal(err)
	}
	return s
}

// Addr returns where the server listens, or used to.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// HostKey returns the first of the keys that the server shows.
func (s *Server) HostKey() ssh.PublicKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hostKeys[0].PublicKey()
}

// SetHostKeys gives the server other keys, from the next handshake on.
func (s *Server) SetHostKeys(keys ...ssh.Signer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hostKeys = keys
}

// Set turns knobs.
func (s *Server) Set(turn func(*Knobs)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	turn(&s.knobs)
}

func (s *Server) knob() Knobs {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.knobs
}

// Release answers the opens that Knobs.IgnoreOpens kept, as it would have
// without the knob.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.release)
	s.release = make(chan struct{})
}

// Freeze stops the server from reading and writing without closing anything, as
// a lost path or a stopped process does. Thaw lets it go on.
func (s *Server) Freeze() { s.gate.set(true) }

// Thaw ends a Freeze.
func (s *Server) Thaw() { s.gate.set(false) }

// Kill ends the listener and every conn, hard, and waits for what served them.
// Restart brings the server back.
func (s *Server) Kill() {
	s.mu.Lock()
	s.down = true
	if s.ln != nil {
		s.ln.Close()
		s.ln = nil
	}
	for c := range s.conns {
		c.kill()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// Restart listens again, at the same address, after a Kill.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if address := s.Addr(); address != "" {
		if err := s.listen(address); err != nil {
			t.Fatal(err)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = false
}

// DropConns ends the conns hard, but goes on listening.
func (s *Server) DropConns() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.kill()
	}
}

// Close ends the server for good.
func (s *Server) Close() {
	s.end()
	s.Kill()
}

// Accepted returns how many conns ever came.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Logins returns who finished a handshake, in order.
func (s *Server) Logins() []Login {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Login(nil), s.logins...)
}

// Conns returns how many conns there are.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Channels returns how many channels are open to targets.
func (s *Server) Channels() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channels
}

// Opens returns how many channels were ever asked for.
func (s *Server) Opens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opens
}

func (s *Server) listen(address string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ln, s.address, s.down = ln, ln.Addr().String(), false
	running := make(chan struct{}) // or who counts goroutines may miss this one
	s.running.Go(func() {
		close(running)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.ServeConn(c)
		}
	})
	<-running
	return nil
}

// DialContext returns a conn to the server through memory, whatever the network
// and the address. A killed server refuses it.
func (s *Server) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a, b := Pipe()
	if !s.ServeConn(b) {
		return nil, syscall.ECONNREFUSED
	}
	return a, nil
}

// ServeConn serves c in the background and reports whether the server is up.
func (s *Server) ServeConn(c net.Conn) bool {
	ctx, cancel := context.WithCancel(s.ctx)
	gated := &gatedConn{Conn: c, gate: s.gate, gone: cancel}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		gated.Close()
		return false
	}
	s.accepted++
	s.conns[gated] = struct{}{}
	s.running.Go(func() {
		defer func() {
			gated.Close()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, gated)
		}()
		s.serve(ctx, gated)
	})
	return true
}
