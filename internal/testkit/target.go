package testkit

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// Serve serves each conn of ln with serve and closes it afterwards. The end of t
// closes ln and what is open, and waits for all of it. It returns ln's address.
func Serve(t testing.TB, ln net.Listener, serve func(net.Conn)) string {
	t.Helper()
	s := &served{open: map[net.Conn]bool{}, serve: serve}
	running := make(chan struct{}) // or who counts goroutines may miss this one
	s.running.Go(func() {
		close(running)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() { s.conn(c) })
		}
	})
	<-running
	t.Cleanup(func() {
		ln.Close()
		s.end()
		s.running.Wait()
	})
	return ln.Addr().String()
}

// served are the conns of one Serve.
type served struct {
	serve   func(net.Conn)
	running sync.WaitGroup

	mu    sync.Mutex
	ended bool
	open  map[net.Conn]bool
}

func (s *served) conn(c net.Conn) {
	defer c.Close()
	s.mu.Lock()
	ended := s.ended
	s.open[c] = true
	s.mu.Unlock()
	if !ended {
		s.serve(c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func (s *served) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for c := range s.open {
		c.Close()
	}
}

// Exchange sends words through c and wants them back.
func Exchange(c net.Conn, words string) error {
	if _, err := io.WriteString(c, words); err != nil {
		return err
	}
	got := make([]byte, len(words))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != words {
		return fmt.Errorf("echo of %q: %q, %w", words, got, err)
	}
	return nil
}
