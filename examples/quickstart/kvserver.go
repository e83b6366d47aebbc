package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
)

// kvStore stands for etcd: a store that is told "PUT key value" and "GET key",
// a line each, and answers with a line.
type kvStore struct {
	mu     sync.Mutex
	values map[string]string
}

// serveKV serves a store on ln.
func serveKV(ln net.Listener) *connServer {
	s := &kvStore{values: map[string]string{}}
	return serveConns(ln, s.serve)
}

func (s *kvStore) serve(c net.Conn) {
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if _, err := fmt.Fprintln(c, s.do(lines.Text())); err != nil {
			return
		}
	}
}

// do carries out one line and returns the answer.
func (s *kvStore) do(line string) string {
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
