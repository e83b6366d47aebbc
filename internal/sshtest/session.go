package sshtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// provenKey is where the permissions of a handshake hold the client's key.
const provenKey = "key"

var errNobody = errors.New("sshtest: not allowed in")

// serve runs the protocol on c until it ends.
func (s *Server) serve(ctx context.Context, c *gatedConn) {
	knobs := s.knob()
	if knobs.Silent {
		io.Copy(io.Discard, c)
		return
	}
	if knobs.Trickle > 0 {
		s.trickle(ctx, c, knobs.Trickle)
		return
	}
	conn, opens, requests, err := ssh.NewServerConn(c, s.config(ctx, c))
	if err != nil {
		return
	}
	s.note(conn)
	var serving sync.WaitGroup
	defer serving.Wait()
	defer c.Close()
	serving.Go(func() { s.answer(requests) })
	serving.Go(func() { s.bother(conn, knobs) })
	for open := range opens {
		serving.Go(func() { s.open(ctx, open) })
	}
}

// trickle sends a line at every interval, until the client has had enough.
func (s *Server) trickle(ctx context.Context, c *gatedConn, interval time.Duration) {
	s.running.Go(func() { io.Copy(io.Discard, c) })
	for {
		if _, err := io.WriteString(c, "please hold the line\r\n"); err != nil {
			return
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) config(ctx context.Context, c *gatedConn) *ssh.ServerConfig {
	cfg := &ssh.ServerConfig{
		Config: s.opts.SSH,
		AuthLogCallback: func(_ ssh.ConnMetadata, method string, _ error) {
			switch knobs := s.knob(); {
			case method != knobs.HangUpAt:
			case knobs.Die:
				c.kill()
			default:
				c.Close()
			}
		},
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if s.knob().StallAuth {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			if err := s.admit(meta, key); err != nil {
				return nil, err
			}
			return &ssh.Permissions{Extensions: map[string]string{provenKey: string(key.Marshal())}}, nil
		},
	}
	if s.knob().RefuseProof {
		cfg.MaxAuthTries = 1
		cfg.VerifiedPublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey, *ssh.Permissions, string) (*ssh.Permissions, error) {
			return nil, errNobody
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.hostKeys {
		cfg.AddHostKey(k)
	}
	return cfg
}

func (s *Server) admit(meta ssh.ConnMetadata, key ssh.PublicKey) error {
	if s.opts.User != "" && meta.User() != s.opts.User {
		return fmt.Errorf("%w: user %s", errNobody, meta.User())
	}
	if _, ok := key.(*ssh.Certificate); ok {
		checker := ssh.CertChecker{IsUserAuthority: func(ca ssh.PublicKey) bool { return among(s.opts.UserCAs, ca) }}
		_, err := checker.Authenticate(meta, key)
		return err
	}
	if len(s.opts.Keys)+len(s.opts.UserCAs) > 0 && !among(s.opts.Keys, key) {
		return fmt.Errorf("%w: key %s", errNobody, ssh.FingerprintSHA256(key))
	}
	return nil
}

func among(keys []ssh.PublicKey, key ssh.PublicKey) bool {
	for _, k := range keys {
		if bytes.Equal(k.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

func (s *Server) note(conn *ssh.ServerConn) {
	key, _ := ssh.ParsePublicKey([]byte(conn.Permissions.Extensions[provenKey]))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins = append(s.logins, Login{conn.User(), key, string(conn.ClientVersion())})
}

// answer refuses global requests, as sshd does with keepalives.
func (s *Server) answer(requests <-chan *ssh.Request) {
	for r := range requests {
		knobs := s.knob()
		if knobs.IgnoreRequests {
			continue
		}
		for range 1 + knobs.ExtraReplies {
			r.Reply(false, nil) // fails when the conn ends, and so do the requests
		}
	}
}

// bother sends what no client asked for.
func (s *Server) bother(conn *ssh.ServerConn, knobs Knobs) {
	for i := range knobs.GlobalRequests {
		// Every other one wants a reply, one at a time: that is how the protocol
		// matches them.
		wantReply := i%2 == 0
		ok, _, err := conn.SendRequest("hostkeys-00@openssh.com", wantReply, nil)
		if err != nil {
			return
		}
		if wantReply && !ok {
			s.refused(1, 0)
		}
	}
	for range knobs.Channels {
		channel, requests, err := conn.OpenChannel("forwarded-tcpip", nil)
		if err == nil {
			go ssh.DiscardRequests(requests)
			channel.Close()
			continue
		}
		if _, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
			s.refused(0, 1)
		}
	}
}

func (s *Server) refused(requests, channels int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusedRequests += requests
	s.refusedChannels += channels
}

// Refusals returns how many of the requests and channels that the server wanted
// of its clients they refused; see Knobs.GlobalRequests.
func (s *Server) Refusals() (requests, channels int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusedRequests, s.refusedChannels
}
