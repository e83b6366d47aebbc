package main

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// webServer is an http.Server that can be waited for: http.Server.Close returns
// before its connections and handlers have ended.
type webServer struct {
	http.Server
	handler http.Handler
	cancel  context.CancelFunc
	running sync.WaitGroup // Serve, every connection, every handler

	mu     sync.Mutex
	closed bool // no handler may begin any more
}

// serveHTTP serves h on ln until stop, which also ends the requests under way.
func serveHTTP(ln net.Listener, h http.Handler) *webServer {
	ctx, cancel := context.WithCancel(context.Background())
	s := &webServer{handler: h, cancel: cancel}
	s.Handler = http.HandlerFunc(s.handle)
	s.ConnState = s.count
	s.BaseContext = func(net.Listener) context.Context { return ctx }
	// Handshakes that fail are part of the show; the table tells of them.
	s.ErrorLog = log.New(io.Discard, "", 0)
	s.running.Go(func() { s.Serve(ln) })
	return s
}

// stop ends the server and waits for all of it.
func (s *webServer) stop() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.Close()
	s.running.Wait()
}

// count is a hook. New connections come from Serve, which is counted itself, so
// that stop never waits for a count about to grow.
func (s *webServer) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.running.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.running.Done()
	}
}

func (s *webServer) handle(w http.ResponseWriter, r *http.Request) {
	// Handlers of HTTP/2 may outlive their connection, and so may their start.
	if !s.enter() {
		return
	}
	defer s.running.Done()
	s.handler.ServeHTTP(w, r)
}

// enter counts a handler, unless the server has been stopped.
func (s *webServer) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Add(1)
	}
	return !s.closed
}

// answer is a handler that always says the same.
func answer(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text+"\n") })
}
