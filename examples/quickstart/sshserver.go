package main

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/direct"
)

// sshServer stands for the sshd of a machine at an edge site: it forwards to what
// is beside it, and does nothing else.
type sshServer struct {
	ln      net.Listener
	config  *ssh.ServerConfig
	beside  direct.Dialer
	heard   func(address string) // of each forwarding
	running sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// serveSSH serves who has the key user on ln until stop, and proves itself with
// host. beside dials for it.
func serveSSH(ln net.Listener, host ssh.Signer, user ssh.PublicKey, beside direct.Dialer, heard func(string)) *sshServer {
	s := &sshServer{ln: ln, beside: beside, heard: heard, conns: map[net.Conn]struct{}{}}
	s.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(user.Marshal()) {
			return nil, errors.New("not the control plane's key")
		}
		return &ssh.Permissions{}, nil
	}}
	s.config.AddHostKey(host)
	s.running.Go(s.accept)
	return s
}

// stop ends the server with its connections and waits for them.
func (s *sshServer) stop() {
	s.ln.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *sshServer) accept() {
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
func (s *sshServer) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.conns[c] = struct{}{}
	}
	return !s.closed
}

func (s *sshServer) serve(c net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.Close()
	}()
	conn, opens, requests, err := ssh.NewServerConn(c, s.config)
	if err != nil {
		return
	}
	defer conn.Close()
	s.running.Go(func() { ssh.DiscardRequests(requests) })
	for open := range opens {
		s.running.Go(func() { s.forward(open) })
	}
}

// forward connects one channel to the target it asks for, until either ends.
func (s *sshServer) forward(open ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if open.ChannelType() != "direct-tcpip" || ssh.Unmarshal(open.ExtraData(), &to) != nil {
		open.Reject(ssh.UnknownChannelType, "TCP is all there is")
		return
	}
	address := net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port)))
	s.heard(address)
	target, err := s.beside.DialContext(context.Background(), "tcp", address)
	if err != nil {
		open.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer target.Close()
	channel, requests, err := open.Accept()
	if err != nil {
		return
	}
	s.running.Go(func() { ssh.DiscardRequests(requests) })
	s.running.Go(func() {
		io.Copy(channel, target)
		channel.Close()
	})
	io.Copy(target, channel)
}
