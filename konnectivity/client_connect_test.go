package konnectivity

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// answering is a client of an HTTP CONNECT server that reads a request and then
// does what serve says.
func answering(t *testing.T, serve func(c net.Conn)) *Client {
	t.Helper()
	address := target(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			serve(c)
		}
	})
	return mustClient(t, ClientConfig{Mode: ModeHTTPConnect, Address: address, Plaintext: true})
}

// say answers with text and hangs up.
func say(text string) func(net.Conn) { return func(c net.Conn) { io.WriteString(c, text) } }

// TestConnectClientOfOddServers: nothing but 200 is a yes, and everything else is
// an error that tells.
func TestConnectClientOfOddServers(t *testing.T) {
	flood := func(head string) func(net.Conn) {
		return func(c net.Conn) {
			c.SetWriteDeadline(time.Now().Add(15 * time.Second))
			for io.WriteString(c, head); ; {
				if _, err := c.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		}
	}
	for name, tt := range map[string]struct {
		serve func(net.Conn)
		is    error
		words string
	}{
		"403":               {say("HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nnot yours"), dialer.ErrDenied, "not yours"},
		"204":               {say("HTTP/1.1 204 No Content\r\n\r\n"), nil, "204"},
		"201":               {say("HTTP/1.1 201 Created\r\n\r\n"), nil, "201"},
		"upstream's 500":    {say("HTTP/1.1 500 Internal Server Error\r\n\r\ncurrently no tunnels available: No agent available"), dialer.ErrNoRoute, "no tunnels"},
		"upstream's 502":    {say("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 49\r\n\r\ndial tcp 127.0.0.1:1: connect: connection refused"), dialer.ErrRefused, "refused"},
		"upstream's 504":    {say("HTTP/1.1 504 Gateway Timeout\r\n\r\ni/o timeout"), dialer.ErrTimeout, "i/o timeout"},
		"a banner":          {say("SSH-2.0-x\r\n"), nil, "no HTTP"},
		"a hang-up":         {func(net.Conn) {}, nil, "EOF"},
		"half a header":     {say("HTTP/1.1 200 OK\r\nX: "), nil, "EOF"},
		"a header flood":    {flood("HTTP/1.1 200 OK\r\nX: "), nil, "too large"},
		"a body flood":      {flood("HTTP/1.1 503 No\r\n\r\n"), nil, "503"},
		"a body of no end":  {func(c net.Conn) { say("HTTP/1.1 503 No\r\n\r\nwait")(c); io.Copy(io.Discard, c) }, nil, "wait"},
		"a status of theft": {say("HTTP/1.1 502 Bad Gateway\r\nSallyport-Error: denied; " + strings.Repeat("x", 5000) + "\r\n\r\n"), dialer.ErrDenied, "xxx"},
	} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			c, err := answering(t, tt.serve).DialContext(t.Context(), "tcp", "node-1:1")
			de, ok := errors.AsType[*dialer.Error](err)
			if c != nil || !ok || de.Hop == "" || !strings.Contains(err.Error(), tt.words) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, %v", c, err)
			}
			if len(err.Error()) > 4<<10 {
				t.Errorf("%d bytes of error", len(err.Error()))
			}
		})
	}
}

// TestConnectClientBytesBehindTheAnswer: a server may send them with it.
func TestConnectClientBytesBehindTheAnswer(t *testing.T) {
	client := answering(t, func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 Connection Established\r\n\r\nSSH-2.0-x\r\n")
		io.Copy(c, c)
	})
	c := dial(t, client, "node-1:22")
	if line, err := bufio.NewReader(io.LimitReader(c, 11)).ReadString('\n'); err != nil || line != "SSH-2.0-x\r\n" {
		t.Errorf("%q, %v", line, err)
	}
	talk(t, c, "hello")
	if c.RemoteAddr().String() != "node-1:22" {
		t.Errorf("RemoteAddr is %v", c.RemoteAddr())
	}
}

// TestConnectClientOfMuteServer: the wait for an answer ends with the caller's
// context, and at the front end's hop.
func TestConnectClientOfMuteServer(t *testing.T) {
	leak.Check(t)
	gone := make(chan struct{}, 2)
	client := answering(t, func(c net.Conn) { io.Copy(io.Discard, c); gone <- struct{}{} })
	for want, within := range map[dialer.Kind]func() (context.Context, context.CancelFunc){
		dialer.Timeout: func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 20*time.Millisecond)
		},
		dialer.Canceled: func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, cancel)
			return ctx, cancel
		},
	} {
		ctx, cancel := within()
		_, err := client.DialContext(ctx, "tcp", "node-1:1")
		if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopProxy) || dialer.KindOf(err) != want {
			t.Errorf("%v: %v", want, err)
		}
		cancel()
		<-gone
	}
}

func TestClientConfig(t *testing.T) {
	ca := testpki.MustCA(t, "front")
	roots := transport.StaticRoots(ca.Pool())
	for want, cfg := range map[string]ClientConfig{
		`ClientConfig.Mode is ""`:         {Address: "a:1", Roots: roots},
		`ClientConfig.Network is "udp"`:   {Mode: ModeGRPC, Network: "udp", Address: "a:1", Roots: roots},
		"ClientConfig.Address":            {Mode: ModeGRPC, Roots: roots},
		"ClientConfig.Address: ":          {Mode: ModeGRPC, Address: "https://a:1", Roots: roots},
		"ClientConfig.Roots is required":  {Mode: ModeGRPC, Address: "a:1"},
		"ClientConfig: ":                  {Mode: ModeGRPC, Address: "a:1", Roots: transport.StaticRoots(nil)},
		"Plaintext is for mode":           {Mode: ModeGRPC, Address: "a:1", Plaintext: true},
		"Plaintext leaves out TLS":        {Mode: ModeHTTPConnect, Address: "a:1", Plaintext: true, Roots: roots},
		"ClientConfig.Address is empty":   {Mode: ModeGRPC, Network: "unix"},
		"want a path, not a URL":          {Mode: ModeGRPC, Network: "unix", Address: "unix:///s"},
		"ClientConfig.Network is unix":    {Mode: ModeGRPC, Network: "unix", Address: "/s", Roots: roots},
		"Plaintext are for tcp":           {Mode: ModeHTTPConnect, Network: "unix", Address: "/s", Plaintext: true},
		"ServerName and Plaintext are fo": {Mode: ModeHTTPConnect, Network: "unix", Address: "/s", ServerName: "x"},
	} {
		if c, err := NewClient(cfg); err == nil || c != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want words of %q", err, want)
		}
	}
	for _, cfg := range []ClientConfig{
		{Mode: ModeGRPC, Address: "a:1", Roots: roots},
		{Mode: ModeGRPC, Network: "unix", Address: "/s"},
		{Mode: ModeHTTPConnect, Network: "tcp", Address: "[::1]:1", Plaintext: true},
	} {
		c, err := NewClient(cfg)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := c.Ready(); err != nil {
			t.Errorf("before the first dial: %v", err)
		}
		c.Close()
	}
}

// TestClientServerName: who answers has to be whom the configuration names.
func TestClientServerName(t *testing.T) {
	for _, mode := range []Mode{ModeGRPC, ModeHTTPConnect} {
		fr := newFront(t, mode, overTLS13, nil)
		address := echo(t)
		talk(t, dial(t, fr.client(func(cfg *ClientConfig) { cfg.ServerName = "server.test" }), address), "hello")
		_, err := fr.client(func(cfg *ClientConfig) { cfg.ServerName = "other.test" }).DialContext(t.Context(), "tcp", address)
		if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopProxy) || !strings.Contains(err.Error(), "other.test") {
			t.Errorf("%s: %v", mode, err)
		}
		_, err = fr.client(func(cfg *ClientConfig) { cfg.Roots = transport.StaticRoots(testpki.MustCA(t, "front").Pool()) }).DialContext(t.Context(), "tcp", address)
		if err == nil {
			t.Errorf("%s: a stranger's certificate is taken", mode)
		}
	}
}
