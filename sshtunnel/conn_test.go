package sshtunnel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
)

// farEnd is the server's side of a channel, for tests that decide what it sends.
type farEnd struct {
	ssh.Channel
	requests <-chan *ssh.Request
}

// pair is a conn and the server's side of its channel, in a bubble.
func pair(t *testing.T) (*conn, farEnd, *Dialer) {
	t.Helper()
	host, user := sshtest.NewKey(t), sshtest.NewKey(t)
	ends := make(chan farEnd, 1)
	serve := func(c net.Conn) {
		cfg := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
		cfg.AddHostKey(host)
		_, channels, requests, err := ssh.NewServerConn(c, cfg)
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				r.Reply(true, nil)
			}
		}()
		for open := range channels {
			if ch, requests, err := open.Accept(); err == nil {
				ends <- farEnd{ch, requests}
			}
		}
	}
	d, err := New(Config{
		Address: "bastion:22", User: "u", HostKeys: PinnedKeys(host.PublicKey()), Credentials: []Credentials{StaticSigners(user)},
		Via: dialer.Func(func(context.Context, string, string) (net.Conn, error) {
			near, far := sshtest.Pipe()
			go serve(far)
			return near, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	c, err := d.DialContext(t.Context(), "tcp", "192.0.2.80:80")
	if err != nil {
		t.Fatal(err)
	}
	return c.(*conn), <-ends, d
}

// inBubble runs f with a pair in a bubble.
func inBubble(t *testing.T, f func(t *testing.T, c *conn, far farEnd, d *Dialer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, far, d := pair(t)
		f(t, c, far, d)
	})
}

func isReset(err error) bool {
	return err != nil && err != io.EOF && dialer.KindOf(err) == dialer.Reset
}

// TestEndings: how the channel ends is what the reader is told behind the last
// byte.
func TestEndings(t *testing.T) {
	for name, tt := range map[string]struct {
		end   func(c *conn, far farEnd)
		reset bool
	}{
		"end of file":                     {func(_ *conn, far farEnd) { far.CloseWrite() }, false},
		"end of file, later a close":      {func(_ *conn, far farEnd) { far.CloseWrite(); synctest.Wait(); far.Close() }, false},
		"close without an end of file":    {func(_ *conn, far farEnd) { far.Close() }, true},
		"both at once, after our own end": {func(c *conn, far farEnd) { c.CloseWrite(); synctest.Wait(); far.CloseWrite(); far.Close() }, false},
		"the connection is lost":          {func(c *conn, _ farEnd) { c.c.s.line.Conn.(*sshtest.PipeConn).Cut(os.ErrClosed) }, true},
		"the connection is lost, half shut": {func(c *conn, _ farEnd) {
			c.CloseWrite()
			synctest.Wait()
			c.c.s.line.Conn.(*sshtest.PipeConn).Cut(os.ErrClosed)
		}, true},
	} {
		for _, early := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, c *conn, far farEnd, _ *Dialer) {
					go ssh.DiscardRequests(far.requests)
					far.Write([]byte("last words"))
					type result struct {
						got []byte
						err error
					}
					done := make(chan result, 1)
					read := func() {
						got, err := io.ReadAll(c)
						done <- result{got, err}
					}
					if early {
						go read()
					} else {
						c.Read(nil) // reading has begun, as somebody's deadline has passed
					}
					synctest.Wait()
					tt.end(c, far)
					synctest.Wait()
					if !early {
						go read()
					}
					r := <-done
					if string(r.got) != "last words" || isReset(r.err) != tt.reset || !tt.reset && r.err != nil {
						t.Errorf("read %q, then %v", r.got, r.err)
					}
					if tt.reset {
						if _, err := c.Write([]byte("x")); err == nil {
							t.Error("writing goes on")
						}
					}
				})
			})
		}
	}
}

// TestWriteDeadline: what a Write that ran into its deadline says it has taken is
// what arrives, and the stream goes on behind it.
func TestWriteDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, c *conn, far farEnd, _ *Dialer) {
		sent := make([]byte, 4<<20) // more than the window
		for i := range sent {
			sent[i] = byte(i >> 8)
		}
		c.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := c.Write(sent)
		if !errors.Is(err, os.ErrDeadlineExceeded) || n < 2<<20 || n == len(sent) {
			t.Fatalf("wrote %d, %v", n, err)
		}
		if m, err := c.Write([]byte("x")); m != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the deadline: %d, %v", m, err)
		}
		c.SetWriteDeadline(time.Time{})
		go func() {
			c.Write([]byte("the end"))
			c.Close()
		}()
		got, err := io.ReadAll(far)
		if err != nil || !bytes.Equal(got, append(sent[:n:n], "the end"...)) {
			t.Errorf("%d bytes arrived, %v; want %d and the end", len(got), err, n)
		}
	})
}

// TestCloseLingers: bytes that nobody takes keep a closed conn for a while, not
// for good.
func TestCloseLingers(t *testing.T) {
	inBubble(t, func(t *testing.T, c *conn, far farEnd, d *Dialer) {
		c.SetWriteDeadline(time.Now().Add(time.Second))
		c.Write(make([]byte, 4<<20))
		begin := time.Now()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a second Close: %v", err)
		}
		if !time.Now().Equal(begin) {
			t.Errorf("Close took %v", time.Since(begin))
		}
		for range far.requests {
		}
		if took := time.Since(begin); took != closeLinger {
			t.Errorf("the channel was closed after %v, want %v", took, closeLinger)
		}
		if s := d.Status(); s.Conns != 0 {
			t.Errorf("the status is %+v", s)
		}
	})
}

// TestReset: what is not sent is dropped, and the far side has no end of file
// before the close.
func TestReset(t *testing.T) {
	inBubble(t, func(t *testing.T, c *conn, far farEnd, d *Dialer) {
		reading := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			reading <- err
		}()
		synctest.Wait()
		if err := c.Reset(io.ErrUnexpectedEOF); err != nil {
			t.Fatal(err)
		}
		if err := <-reading; !errors.Is(err, net.ErrClosed) {
			t.Errorf("a blocked Read ended with %v", err)
		}
		for range far.requests {
		}
		for name, f := range map[string]func() error{
			"Close": c.Close, "CloseWrite": c.CloseWrite,
			"Reset":       func() error { return c.Reset(nil) },
			"Write":       func() error { _, err := c.Write([]byte("x")); return err },
			"Read":        func() error { _, err := c.Read(make([]byte, 1)); return err },
			"SetDeadline": func() error { return c.SetDeadline(time.Time{}) },
		} {
			if err := f(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s afterwards: %v", name, err)
			}
		}
		far.Close()
		synctest.Wait()
		if s := d.Status(); s.Conns != 0 || s.Unanswered != 0 {
			t.Errorf("the status is %+v", s)
		}
	})
}

// TestPeerStop: whoever asked is told once when the server closes the channel.
func TestPeerStop(t *testing.T) {
	inBubble(t, func(t *testing.T, c *conn, far farEnd, _ *Dialer) {
		told := 0
		c.OnPeerStop(func() { told++ })
		cancel := c.OnPeerStop(func() { t.Error("told what was cancelled") })
		cancel()
		synctest.Wait()
		if told != 0 {
			t.Fatal("told of an open channel")
		}
		far.Close()
		synctest.Wait()
		c.OnPeerStop(func() { told++ })
		if told != 2 {
			t.Errorf("told %d times, want once each", told)
		}
	})
}

// TestIdleConnHoldsNothing: neither a queue nor a large chunk, however much has
// gone through.
func TestIdleConnHoldsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, c *conn, far farEnd, _ *Dialer) {
		go io.Copy(far, far)
		go c.Write(make([]byte, 1<<20))
		if _, err := io.ReadFull(c, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.out.mu.Lock()
		defer c.out.mu.Unlock()
		if c.out.queue != nil || c.out.sending {
			t.Errorf("an idle conn keeps %d bytes to send, sending is %v", cap(c.out.queue), c.out.sending)
		}
		if c.in.Len() != 0 {
			t.Errorf("%d bytes are left to read", c.in.Len())
		}
	})
}

// TestUnreadConnIsBounded: a conn that nobody reads holds its window and its
// share, and the server is held up.
func TestUnreadConnIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, c *conn, far farEnd, _ *Dialer) {
		sent := make(chan int, 1)
		go func() {
			n, _ := far.Write(make([]byte, 8<<20))
			sent <- n
		}()
		one := make([]byte, 1)
		if _, err := c.Read(one); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := c.in.Len(); n > readAhead+readLarge {
			t.Errorf("%d bytes are read ahead, want at most %d", n, readAhead+readLarge)
		}
		select {
		case n := <-sent:
			t.Fatalf("all %d bytes were taken, and nobody reads", n)
		default:
		}
		rest, err := io.CopyN(io.Discard, c, 8<<20-1)
		if err != nil || <-sent != 8<<20 {
			t.Errorf("%d bytes came, %v", rest, err)
		}
	})
}

// TestDialerCloseEndsConns: every call ends, and says that it was closed.
func TestDialerCloseEndsConns(t *testing.T) {
	inBubble(t, func(t *testing.T, c *conn, _ farEnd, d *Dialer) {
		ends := make(chan error, 2)
		go func() {
			_, err := c.Read(make([]byte, 1))
			ends <- err
		}()
		go func() {
			_, err := c.Write(make([]byte, 8<<20))
			ends <- err
		}()
		synctest.Wait()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := <-ends; !errors.Is(err, net.ErrClosed) {
				t.Errorf("a call ended with %v", err)
			}
		}
		if _, err := d.DialContext(t.Context(), "tcp", "192.0.2.80:80"); !errors.Is(err, ErrClosed) {
			t.Errorf("a dial afterwards: %v", err)
		}
		if s := d.Status(); s.State != Closed || d.Ready() == nil {
			t.Errorf("the status is %+v", s)
		}
	})
}
