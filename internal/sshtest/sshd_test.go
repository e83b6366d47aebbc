//go:build sshd

package sshtest

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestSSHD holds the real server to what its tests build on: it lets in who is
// told, forwards, freezes, and comes back at the same address.
func TestSSHD(t *testing.T) {
	key := NewKey(t)
	s := StartSSHD(t, SSHDOptions{Keys: []ssh.PublicKey{key.PublicKey()}})
	login := func() *ssh.Client {
		client, err := ssh.Dial("tcp", s.Addr(), &ssh.ClientConfig{
			User: s.User(), Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(s.HostKey()),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		return client
	}
	client := login()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	echoed := make(chan error, 1)
	go func() { echoed <- echo(ln) }()
	c, err := client.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "words")
	c.(interface{ CloseWrite() error }).CloseWrite()
	if got, err := io.ReadAll(c); string(got) != "words" || err != nil {
		t.Errorf("got %q, %v back", got, err)
	}
	if err := <-echoed; err != nil {
		t.Error(err)
	}

	s.Freeze()
	answered := make(chan error, 1)
	go func() {
		_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a stopped sshd answered: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	s.Thaw()
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := client.Wait(); err == nil {
		t.Error("the conn to a killed sshd ended without an error")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	login()
}
