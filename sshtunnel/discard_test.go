package sshtunnel

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
)

// TestUnwantedClientIsDiscarded: who gives up in the moment in which the handshake
// succeeds leaves nothing behind that Close would wait for, however much the server
// has asked for by then.
func TestUnwantedClientIsDiscarded(t *testing.T) {
	for name, ask := range map[string]func(ssh.Conn){
		"requests": func(c ssh.Conn) { c.SendRequest("hostkeys-00@openssh.com", false, nil) },
		"channels": func(c ssh.Conn) { go c.OpenChannel("forwarded-tcpip", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			host := sshtest.NewKey(t)
			serve := func(c net.Conn) {
				cfg := &ssh.ServerConfig{NoClientAuth: true}
				cfg.AddHostKey(host)
				conn, _, _, err := ssh.NewServerConn(c, cfg)
				for range 100 {
					if err == nil {
						ask(conn)
					}
				}
			}
			ctx, giveUp := context.WithCancel(t.Context())
			d, err := New(Config{
				Address: "bastion:22", User: "u", HostKeys: PinnedKeys(host.PublicKey()), Credentials: []Credentials{StaticSigners(sshtest.NewKey(t))},
				Via: dialer.Func(func(context.Context, string, string) (net.Conn, error) {
					near, far := sshtest.Pipe()
					go serve(far)
					return near, nil
				}),
				Trace: &Trace{HandshakeDone: func(ServerInfo, time.Duration, error) {
					giveUp()
					time.Sleep(100 * time.Millisecond) // for the dial to leave and the server to ask
				}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.DialContext(ctx, "tcp", "192.0.2.80:80"); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			closed := make(chan struct{})
			go func() {
				d.Close()
				close(closed)
			}()
			select {
			case <-closed:
			case <-time.After(10 * time.Second):
				t.Error("Close waits for what nobody wants")
			}
		})
	}
}
