package main

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/sshtest"
)

// startPlain connects package ssh's own client, whose conns know no deadlines
// and cannot be woken: it is what the tunnel builds upon, and shows what that
// costs.
func (w *world) startPlain(key sshtest.Key, cipher, target string) (way, error) {
	client, err := ssh.Dial("tcp", w.sshd.Addr(), &ssh.ClientConfig{
		Config:          ssh.Config{Ciphers: []string{cipher}},
		User:            w.sshd.User(),
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.FixedHostKey(w.sshd.HostKey()),
	})
	if err != nil {
		return way{}, err
	}
	w.ends = append(w.ends, func() { client.Close() })
	dial := func(ctx context.Context) (net.Conn, error) {
		c, err := client.DialContext(ctx, "tcp", target)
		if err != nil {
			return nil, err
		}
		half, ok := c.(halfCloser)
		if !ok {
			return nil, fmt.Errorf("a %T cannot close half", c)
		}
		return half, nil
	}
	return way{name: plain, dial: dial}, nil
}

type halfCloser interface {
	net.Conn
	CloseWrite() error
}
