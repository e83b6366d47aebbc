package sshtest

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// open answers one request for a channel and serves it to its end.
func (s *Server) open(ctx context.Context, open ssh.NewChannel) {
	knobs, released := s.count(1)
	defer s.count(-1)
	if knobs.IgnoreOpens {
		select {
		case <-released:
		case <-ctx.Done():
			return
		}
	}
	if knobs.Reject != nil {
		open.Reject(knobs.Reject.Reason, knobs.Reject.Message)
		return
	}
	if knobs.MaxChannels > 0 && s.Channels() > knobs.MaxChannels {
		open.Reject(ssh.ResourceShortage, "no more channels")
		return
	}
	network, address, err := destination(open)
	if err != nil {
		open.Reject(ssh.UnknownChannelType, err.Error())
		return
	}
	target, err := s.connect(ctx, network, address)
	if err != nil {
		open.Reject(ssh.ConnectionFailed, wording(err))
		return
	}
	defer target.Close()
	channel, requests, err := open.Accept()
	if err != nil {
		return
	}
	if knobs.Stderr > 0 {
		channel.Stderr().Write(make([]byte, knobs.Stderr))
	}
	forward(ctx, channel, requests, target)
}

func (s *Server) count(n int) (Knobs, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels += n
	s.opens += max(0, n)
	return s.knobs, s.release
}

// destination reads what the client wants to be connected to.
func destination(open ssh.NewChannel) (network, address string, err error) {
	switch open.ChannelType() {
	case "direct-tcpip":
		var m struct {
			Host       string
			Port       uint32
			OriginHost string
			OriginPort uint32
		}
		if err := ssh.Unmarshal(open.ExtraData(), &m); err != nil {
			return "", "", err
		}
		return "tcp", net.JoinHostPort(m.Host, strconv.FormatUint(uint64(m.Port), 10)), nil
	case "direct-streamlocal@openssh.com":
		var m struct {
			Path      string
			Reserved0 string
			Reserved1 uint32
		}
		if err := ssh.Unmarshal(open.ExtraData(), &m); err != nil {
			return "", "", err
		}
		return "unix", m.Path, nil
	}
	return "", "", errors.New("unknown channel type")
}

func (s *Server) connect(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.DialTimeout)
	defer cancel()
	return s.opts.Dial(ctx, network, address)
}

// wording is what sshd says of a failed connect: strerror's text, or that of
// getaddrinfo.
func wording(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "Name or service not known"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "No route to host"
	case errors.Is(err, syscall.ENETUNREACH):
		return "Network is unreachable"
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return "Connection timed out"
	}
	return "open failed"
}

// forward copies both ways until both are done, the channel is closed or the
// conn has ended. A target that resets has its channel closed without EOF.
func forward(ctx context.Context, channel ssh.Channel, requests <-chan *ssh.Request, target net.Conn) {
	var copying sync.WaitGroup
	defer copying.Wait()
	defer channel.Close()
	defer target.Close()
	up, down, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	copying.Go(func() {
		defer close(down)
		if _, err := io.Copy(channel, target); err != nil {
			channel.Close()
			return
		}
		channel.CloseWrite()
	})
	copying.Go(func() {
		defer close(up)
		if _, err := io.Copy(target, channel); err != nil {
			channel.Close()
			return
		}
		if half, ok := target.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
	})
	copying.Go(func() {
		defer close(closed)
		ssh.DiscardRequests(requests) // until the channel is closed
	})
	// What the client wrote before it closed is still on its way, so up is
	// waited for in any case.
	select {
	case <-up:
	case <-ctx.Done():
		return
	}
	select {
	case <-down:
	case <-closed:
	case <-ctx.Done():
	}
}
