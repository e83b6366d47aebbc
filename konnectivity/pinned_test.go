package konnectivity

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
)

// What the two ends are pinned to decides what they speak, and both show it.
func TestPinnedProtocols(t *testing.T) {
	for _, c := range []struct {
		server, agent []Protocol
		want          Protocol // empty: they have nothing in common
	}{
		{nil, nil, "yamux"},
		{nil, []Protocol{ProtocolYamux}, "yamux"},
		{[]Protocol{ProtocolYamux}, nil, "yamux"},
		{nil, []Protocol{ProtocolGRPC}, "grpc"},
		{[]Protocol{ProtocolGRPC}, nil, "grpc"},
		{[]Protocol{ProtocolGRPC, ProtocolYamux}, nil, "grpc"},
		{nil, []Protocol{ProtocolGRPC, ProtocolYamux}, "yamux"}, // the server chooses
		{nil, []Protocol{ProtocolPackets}, "konnectivity"},
		{[]Protocol{ProtocolPackets}, nil, "konnectivity"},
		{[]Protocol{ProtocolPackets}, []Protocol{ProtocolGRPC}, "konnectivity"},
		{[]Protocol{ProtocolYamux}, []Protocol{ProtocolGRPC}, ""},
		{[]Protocol{ProtocolGRPC}, []Protocol{ProtocolYamux}, ""},
	} {
		t.Run(joined(c.server)+" and "+joined(c.agent), func(t *testing.T) {
			leak.Check(t)
			w := newWorld(t, func(cfg *ServerConfig) { cfg.Protocols = c.server })
			w.speaks = c.agent
			cfg := w.agentConfig("edge", everywhere)
			if c.want == "" {
				a, _ := w.start(cfg)
				eventually(t, "a refusal", func() bool {
					return a.Ready() != nil && strings.Contains(w.logs.String(), "agent refused")
				})
				return
			}
			a, _ := w.run(cfg)
			if at, there := a.Tunnels()[0].Protocol, w.srv.Agents()[0].Protocol; at != c.want || there != c.want {
				t.Errorf("the agent shows %q, the server %q, want %q", at, there, c.want)
			}
			talk(t, dial(t, w.srv, echo(t)), "hello")
		})
	}
}

func joined(all []Protocol) string {
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = string(p)
	}
	return strings.Join(names, ",")
}

// A value of AgentConfig.ALPN is offered first, and a server that chooses it speaks
// gRPC.
func TestAgentOffersExtraALPN(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
	offered := make(chan []string, 1)
	cfg := serverTLS(t, w.ca)
	cfg.NextProtos = []string{"special"}
	cfg.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		offered <- h.SupportedProtos
		return nil, nil
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	shaken := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			defer c.Close()
			err = c.(*tls.Conn).HandshakeContext(t.Context())
		}
		shaken <- err
	}()
	ac := w.agentConfig("edge", everywhere)
	ac.Servers, ac.ALPN = []string{ln.Addr().String()}, []string{"special"}
	a, err := NewAgent(ac)
	if err != nil {
		t.Fatal(err)
	}
	conn, protocol, err := a.keepers[0].connect(t.Context())
	if err != nil || protocol != ProtocolPackets { // no server of ours would choose it
		t.Fatalf("%q, %v, want gRPC as upstream speaks it", protocol, err)
	}
	conn.Close()
	if err := <-shaken; err != nil {
		t.Error(err)
	}
	if got := strings.Join(<-offered, " "); got != "special sallyport/1 sallyport-h2/1 h2" {
		t.Errorf("offered %q", got)
	}
}

// A value of ServerConfig.ALPN leads to the gRPC link; one that nobody configured
// leads nowhere.
func TestServerTakesExtraALPN(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, func(c *ServerConfig) { c.ALPN, c.HandshakeTimeout = []string{"special"}, 200*time.Millisecond })
	for alpn, served := range map[string]bool{"special": true, "other": false} {
		c, err := tls.Dial("tcp", w.addr, &tls.Config{
			RootCAs: w.ca.Pool(), NextProtos: []string{alpn},
			Certificates: []tls.Certificate{w.ca.MustPair(t, testpki.Leaf{CommonName: "edge"})},
		})
		if !served {
			if err == nil {
				c.Close()
				t.Errorf("%s: the handshake came to an end", alpn)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != alpn {
			t.Errorf("negotiated %q, want %q", got, alpn)
		}
		first := make([]byte, 9) // of HTTP/2: a SETTINGS frame on stream 0
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := net.Conn(c).Read(first); err != nil || first[3] != 4 {
			t.Errorf("%s: % x, %v, want the settings of HTTP/2", alpn, first, err)
		}
		c.Close()
	}
}
