package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
)

// kvServer stands for etcd: a store that is told "PUT key value" and "GET key",
// a line each, and answers with a line.
type kvServer struct {
	ln      net.Listener
	running sync.WaitGroup

	mu     sync.Mutex
	values map[string]string
	conns  map[net.Conn]struct{}
	closed bool
}

// serveKV serves a store on ln until stop.
func serveKV(ln net.Listener) *kvServer {
	s := &kvServer{ln: ln, values: map[string]string{}, conns: map[net.Conn]struct{}{}}
	s.running.Go(s.accept)
	return s
}

// stop ends the server with its connections and waits for them.
func (s *kvServer) stop() {
	s.ln.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *kvServer) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		if !s.add(c) {
			c.Close()
			return
		}
		s.running.Go(func() { s.serve(c) })
	}
}

// add takes c in, unless the server has been stopped.
func (s *kvServer) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.conns[c] = struct{}{}
	}
	return !s.closed
}

func (s *kvServer) serve(c net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.Close()
	}()
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if _, err := fmt.Fprintln(c, s.do(lines.Text())); err != nil {
			return
		}
	}
}

// do carries out one line and returns the answer.
func (s *kvServer) do(line string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch words := strings.SplitN(line, " ", 3); {
	case len(words) == 3 && words[0] == "PUT":
		s.values[words[1]] = words[2]
		return "OK"
	case len(words) == 2 && words[0] == "GET":
		return s.values[words[1]]
	}
	return "ERR want PUT key value, or GET key"
}

// ask sends one line over c and returns the answer.
func ask(c net.Conn, line string) (string, error) {
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	// A reader per question is good enough: the server says nothing unasked.
	got, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSuffix(got, "\n"), err
}
