package sshtunnel

import (
	"net"
	"os"

	"github.com/sallyport/sallyport/dialer"
)

// Write takes p to be sent. It waits for room, and returns how much has been
// taken; that is sent even if the deadline passes.
func (s *conn) Write(p []byte) (int, error) {
	n, err := s.write(p)
	return n, s.opError("write", err)
}

func (s *conn) write(p []byte) (n int, err error) {
	if err := s.takeTurn(); err != nil {
		return 0, err
	}
	defer func() { <-s.turn }()
	for {
		if s.out.deadline.Passed() {
			return n, s.timeoutOrClosed()
		}
		m, start, err := s.out.put(p[n:])
		n += m
		if start {
			s.startDrain()
		}
		if err != nil || n == len(p) {
			return n, err
		}
		select {
		case <-s.out.room:
		case <-s.down:
		case <-s.out.deadline.Done():
		}
	}
}

// takeTurn waits until no other Write goes on, for the bytes of two must not mix.
func (s *conn) takeTurn() error {
	for {
		if s.out.deadline.Passed() {
			return s.timeoutOrClosed()
		}
		select {
		case s.turn <- struct{}{}:
			return nil
		case <-s.out.deadline.Done():
		}
	}
}

func (s *conn) timeoutOrClosed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return os.ErrDeadlineExceeded
}

// startDrain starts what out has said must be started.
func (s *conn) startDrain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gone {
		s.goOn(s.drain)
	}
}

// drain sends until there is nothing to send. It alone writes to the channel.
func (s *conn) drain() {
	for {
		switch what, data := s.out.next(); what {
		case stepData:
			_, err := s.ch.Write(data)
			recycle(data)
			if err != nil {
				s.failWrites()
			}
		case stepFin:
			s.ch.CloseWrite()
		case stepClose:
			s.ch.Close()
		case stepNone:
			return
		}
	}
}

// failWrites ends writing because the channel or the client has ended.
func (s *conn) failWrites() {
	err := errPeerGone
	if s.c.s.line.failed.Load() {
		err = s.lost()
	}
	s.out.fail(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
}

// CloseWrite ends this side's direction: the target reads what has been written
// and then the end.
func (s *conn) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.opError("close", net.ErrClosed)
	}
	if s.out.finish(false) && !s.gone {
		s.goOn(s.drain)
	}
	return nil
}

var _ dialer.CloseWriter = (*conn)(nil)
