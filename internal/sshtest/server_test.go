package sshtest

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/net/nettest"

	"github.com/sallyport/sallyport/internal/leak"
)

func TestPipe(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b := Pipe()
		return a, b, func() { a.Close(); b.Close() }, nil
	})
}

// login connects x/crypto's own client, through a socket or through memory.
func login(t *testing.T, s *Server, key ssh.Signer, memory bool) (*ssh.Client, error) {
	t.Helper()
	dial := new(net.Dialer).DialContext
	if memory {
		dial = s.DialContext
	}
	c, err := dial(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	conn, channels, requests, err := ssh.NewClientConn(c, "host", &ssh.ClientConfig{
		User: "u", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(s.HostKey()),
	})
	if err != nil {
		return nil, err
	}
	client := ssh.NewClient(conn, channels, requests)
	t.Cleanup(func() { client.Close() })
	return client, nil
}

func TestForwards(t *testing.T) {
	for _, tt := range []struct {
		name, network string
		address       func(t *testing.T) string
		memory        bool
	}{
		{"TCP", "tcp", func(*testing.T) string { return "127.0.0.1:0" }, false},
		{"Unix", "unix", func(t *testing.T) string { return filepath.Join(t.TempDir(), "s") }, false},
		{"Memory", "tcp", func(*testing.T) string { return "127.0.0.1:0" }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leak.Check(t)
			ln, err := net.Listen(tt.network, tt.address(t))
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			echoed := make(chan error, 1)
			go func() { echoed <- echo(ln) }()
			s := Start(t, Options{})
			key := NewKey(t)
			client, err := login(t, s, key, tt.memory)
			if err != nil {
				t.Fatal(err)
			}
			c, err := client.Dial(tt.network, ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, "words")
			c.(interface{ CloseWrite() error }).CloseWrite()
			got, err := io.ReadAll(c)
			if string(got) != "words" || err != nil {
				t.Errorf("got %q, %v back", got, err)
			}
			if err := <-echoed; err != nil {
				t.Error(err)
			}
			c.Close()
			if logins := s.Logins(); len(logins) != 1 || ssh.FingerprintSHA256(logins[0].Key) != ssh.FingerprintSHA256(key.PublicKey()) {
				t.Errorf("the server noted %v", logins)
			}
		})
	}
}

func echo(ln net.Listener) error {
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.Copy(c, c)
	return err
}

func TestAdmits(t *testing.T) {
	ca, known, stranger := NewKey(t), NewKey(t), NewKey(t)
	s := Start(t, Options{Keys: []ssh.PublicKey{known.PublicKey()}, UserCAs: []ssh.PublicKey{ca.PublicKey()}})
	for _, tt := range []struct {
		name string
		key  ssh.Signer
		good bool
	}{
		{"key", known, true},
		{"certificate", UserCertificate(t, ca, stranger, "u"), true},
		{"stranger", stranger, false},
		{"another user's certificate", UserCertificate(t, ca, stranger, "v"), false},
		{"a stranger's certificate", UserCertificate(t, stranger, stranger, "u"), false},
	} {
		if _, err := login(t, s, tt.key, false); (err == nil) != tt.good {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestFreezeAndKill(t *testing.T) {
	s := Start(t, Options{})
	client, err := login(t, s, NewKey(t), false)
	if err != nil {
		t.Fatal(err)
	}
	ping := func() <-chan error {
		answered := make(chan error, 1)
		go func() {
			_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err
		}()
		return answered
	}
	if err := <-ping(); err != nil {
		t.Fatal(err)
	}
	s.Freeze()
	frozen := ping()
	select {
	case err := <-frozen:
		t.Fatalf("a frozen server answered: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	s.Thaw()
	if err := <-frozen; err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := <-ping(); err == nil {
		t.Error("a killed server answered")
	}
	if _, err := s.DialContext(context.Background(), "", ""); err == nil {
		t.Error("a killed server took a conn")
	}
	s.Restart(t)
	if _, err := login(t, s, NewKey(t), false); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}
