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
	config *ssh.ServerConfig
	beside direct.Dialer
	heard  func(address string) // of each forwarding
}

// serveSSH serves who has the key user on ln, and proves itself with host. beside
// dials for it.
func serveSSH(ln net.Listener, host ssh.Signer, user ssh.PublicKey, beside direct.Dialer, heard func(string)) *connServer {
	s := &sshServer{beside: beside, heard: heard}
	s.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(user.Marshal()) {
			return nil, errors.New("not the control plane's key")
		}
		return &ssh.Permissions{}, nil
	}}
	s.config.AddHostKey(host)
	return serveConns(ln, s.serve)
}

func (s *sshServer) serve(c net.Conn) {
	conn, opens, requests, err := ssh.NewServerConn(c, s.config)
	if err != nil {
		return
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer conn.Close()
	running.Go(func() { ssh.DiscardRequests(requests) })
	for open := range opens {
		running.Go(func() { s.forward(open) })
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
	var running sync.WaitGroup
	defer running.Wait()
	defer target.Close()
	channel, requests, err := open.Accept()
	if err != nil {
		return
	}
	running.Go(func() { ssh.DiscardRequests(requests) })
	running.Go(func() {
		io.Copy(channel, target)
		channel.Close()
	})
	io.Copy(target, channel)
}
