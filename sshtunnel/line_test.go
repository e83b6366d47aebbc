package sshtunnel

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
)

// TestLineGoesOn: between two reads nobody knows yet whether what came was good.
func TestLineGoesOn(t *testing.T) {
	for name, tt := range map[string]struct {
		next func(l *line)
		want bool
	}{
		"read on":  {func(l *line) { l.Read(make([]byte, 1)) }, true},
		"given up": {func(l *line) { l.Close() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := sshtest.Pipe()
				defer far.Close()
				l := newLine(near, false)
				defer l.Close()
				got := make(chan bool, 1)
				go func() { got <- l.goesOn() }()
				synctest.Wait()
				if len(got) > 0 {
					t.Fatal("known before the next read")
				}
				go tt.next(l)
				if g := <-got; g != tt.want {
					t.Errorf("goesOn is %v", g)
				}
			})
		})
	}
}

// flipped spoils what is read from it, once told to.
type flipped struct {
	net.Conn
	armed atomic.Bool
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if n > 0 && f.armed.Load() {
		p[n-1] ^= 1
	}
	return n, err
}

// TestChangedByteIsNoEnd: who changes a byte on the way cannot have half an answer
// pass for all of it, be this side's direction ended or not.
func TestChangedByteIsNoEnd(t *testing.T) {
	for i := range 50 {
		var wire *flipped
		d, ends := pairVia(t, func(c net.Conn) net.Conn { wire = &flipped{Conn: c}; return wire })
		c, err := d.DialContext(t.Context(), "tcp", "192.0.2.80:80")
		if err != nil {
			t.Fatal(err)
		}
		far := <-ends
		if i%2 == 0 {
			c.(*conn).CloseWrite()
			io.ReadAll(far)
		}
		done := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(c)
			done <- err
		}()
		wire.armed.Store(true)
		far.Write([]byte("half of the answer"))
		if err := <-done; !isReset(err) {
			t.Fatalf("the end of a connection that was tampered with: %v", err)
		}
		d.Close()
	}
}

// pairVia is a Dialer whose server lies behind what wrap makes of the connection,
// and the server's sides of its channels.
func pairVia(t *testing.T, wrap func(net.Conn) net.Conn) (*Dialer, <-chan ssh.Channel) {
	t.Helper()
	host := sshtest.NewKey(t)
	ends := make(chan ssh.Channel, 1)
	serve := func(c net.Conn) {
		cfg := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
		cfg.AddHostKey(host)
		_, channels, requests, err := ssh.NewServerConn(c, cfg)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for open := range channels {
			if ch, requests, err := open.Accept(); err == nil {
				go ssh.DiscardRequests(requests)
				ends <- ch
			}
		}
	}
	d, err := New(Config{
		Address: "bastion:22", User: "u", HostKeys: PinnedKeys(host.PublicKey()), Credentials: []Credentials{StaticSigners(sshtest.NewKey(t))},
		Via: dialer.Func(func(context.Context, string, string) (net.Conn, error) {
			near, far := sshtest.Pipe()
			go serve(far)
			return wrap(near), nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, ends
}
