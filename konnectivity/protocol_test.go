package konnectivity

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testpki"
)

func TestProtocols(t *testing.T) {
	for name, c := range map[string]struct {
		speaks         []Protocol
		extra          []string
		server, agent  []string // ALPN values
		field, problem string
	}{
		"default":          {nil, nil, []string{"sallyport/1", "sallyport-h2/1", "h2"}, []string{"sallyport/1", "sallyport-h2/1", "h2"}, "", ""},
		"gRPC first":       {[]Protocol{ProtocolGRPC, ProtocolYamux}, nil, []string{"sallyport-h2/1", "h2", "sallyport/1"}, []string{"sallyport-h2/1", "h2", "sallyport/1"}, "", ""},
		"yamux":            {[]Protocol{ProtocolYamux}, nil, []string{"sallyport/1"}, []string{"sallyport/1"}, "", ""},
		"gRPC":             {[]Protocol{ProtocolGRPC}, []string{"a", "b"}, []string{"sallyport-h2/1", "h2", "a", "b"}, []string{"a", "b", "sallyport-h2/1", "h2"}, "", ""},
		"extra":            {nil, []string{"konnectivity"}, []string{"sallyport/1", "sallyport-h2/1", "h2", "konnectivity"}, []string{"konnectivity", "sallyport/1", "sallyport-h2/1", "h2"}, "", ""},
		"unknown":          {speaks: []Protocol{"http"}, field: "Protocols", problem: `"http" is none; want "yamux", "grpc" or "konnectivity"`},
		"twice":            {speaks: []Protocol{ProtocolGRPC, ProtocolGRPC}, field: "Protocols", problem: `"grpc" twice`},
		"packets":          {[]Protocol{ProtocolPackets}, []string{"a"}, []string{"h2", "a"}, []string{"a", "h2"}, "", ""},
		"two of gRPC":      {speaks: []Protocol{ProtocolGRPC, ProtocolYamux, ProtocolPackets}, field: "Protocols", problem: "are both gRPC"},
		"extra for nobody": {speaks: []Protocol{ProtocolYamux}, extra: []string{"a"}, field: "ALPN", problem: "would mean gRPC"},
		"empty extra":      {extra: []string{""}, field: "ALPN", problem: "is no ALPN value"},
		"long extra":       {extra: []string{strings.Repeat("x", 256)}, field: "ALPN", problem: "is no ALPN value"},
		"our own as extra": {extra: []string{"sallyport/1"}, field: "ALPN", problem: "has a meaning of its own"},
		"streams as extra": {extra: []string{"sallyport-h2/1"}, field: "ALPN", problem: "has a meaning of its own"},
	} {
		p, field, err := newProtocols(c.speaks, c.extra)
		if c.problem != "" {
			if err == nil || field != c.field || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: %s: %v", name, field, err)
			}
			continue
		}
		if err != nil || !slices.Equal(p.alpn(false), c.server) || !slices.Equal(p.alpn(true), c.agent) {
			t.Errorf("%s: %v: %q and %q", name, err, p.alpn(false), p.alpn(true))
		}
	}
}

func TestChosenProtocol(t *testing.T) {
	p, _, err := newProtocols(nil, []string{"extra"})
	if err != nil {
		t.Fatal(err)
	}
	packets, _, err := newProtocols([]Protocol{ProtocolPackets}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := packets.chosen(tls.ConnectionState{NegotiatedProtocol: "h2", Version: tls.VersionTLS13}); got != ProtocolPackets {
		t.Errorf("pinned to packets: %q, %v", got, err)
	}
	for _, c := range []struct {
		alpn    string
		version uint16
		want    Protocol
	}{
		{"sallyport/1", tls.VersionTLS13, ProtocolYamux},
		{"sallyport/1", tls.VersionTLS12, ""},
		{"sallyport-h2/1", tls.VersionTLS13, ProtocolGRPC},
		{"sallyport-h2/1", tls.VersionTLS11, ""},
		{"h2", tls.VersionTLS13, ProtocolPackets},
		{"h2", tls.VersionTLS12, ProtocolPackets},
		{"h2", tls.VersionTLS11, ""},
		{"extra", tls.VersionTLS13, ProtocolPackets},
		{"other", tls.VersionTLS13, ""},
		{"", tls.VersionTLS13, ""},
	} {
		got, err := p.chosen(tls.ConnectionState{NegotiatedProtocol: c.alpn, Version: c.version})
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q, %s: %q, %v", c.alpn, tls.VersionName(c.version), got, err)
		}
	}
}

// What the fields of this file and its neighbours refuse, with the words by which
// it can be mended.
func TestConfigErrorsNameTheField(t *testing.T) {
	ca := testpki.MustCA(t, "tunnel")
	for want, spoil := range map[string]func(*ServerConfig){
		`ServerConfig.Protocols: "x" is none`:                       func(c *ServerConfig) { c.Protocols = []Protocol{"x"} },
		`ServerConfig.ALPN: "h2" has a meaning`:                     func(c *ServerConfig) { c.ALPN = []string{"h2"} },
		`ServerConfig.Strategies: "x" is none`:                      func(c *ServerConfig) { c.Strategies = []Strategy{"x"} },
		`ServerConfig.ServerCount is -1`:                            func(c *ServerConfig) { c.ServerCount = -1 },
		`ServerConfig.ServerCount is 65536`:                         func(c *ServerConfig) { c.ServerCount = 65536 },
		"VerifyClientCertIfGiven and Tokens is nil: set Tokens":     func(c *ServerConfig) { c.TLS.ClientAuth = tls.VerifyClientCertIfGiven },
		"ClientAuth is RequireAnyClientCert: want RequireAndVerify": func(c *ServerConfig) { c.TLS.ClientAuth, c.Tokens = tls.RequireAnyClientCert, tokens{} },
		"ClientAuth is RequestClientCert: want RequireAndVerify":    func(c *ServerConfig) { c.TLS.ClientAuth, c.Tokens = tls.RequestClientCert, tokens{} },
		"or leave out transport.ServerOptions.ClientsOptional":      func(c *ServerConfig) { c.TLS = optionalTLS(t, ca) },
		"ClientCAs is nil": func(c *ServerConfig) {
			c.TLS.ClientAuth, c.TLS.ClientCAs, c.Tokens = tls.VerifyClientCertIfGiven, nil, tokens{}
		},
	} {
		cfg := ServerConfig{TLS: serverTLS(t, ca), Identity: anyClaim}
		spoil(&cfg)
		if _, err := NewServer(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	w := &world{t: t, ca: ca, addr: "127.0.0.1:1", logs: new(logs), agentLogs: new(logs)}
	for want, spoil := range map[string]func(*AgentConfig){
		`AgentConfig.Protocols: "x" is none`:    func(c *AgentConfig) { c.Protocols = []Protocol{"x"} },
		`AgentConfig.ALPN: "" is no ALPN`:       func(c *AgentConfig) { c.ALPN = []string{""} },
		`AgentConfig.MaxServers: -1; want 1 or`: func(c *AgentConfig) { c.MaxServers = -1 },
	} {
		cfg := w.agentConfig("edge", everywhere)
		spoil(&cfg)
		if _, err := NewAgent(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
