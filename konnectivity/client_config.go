package konnectivity

import (
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/transport"
)

// ClientConfig configures a [Client]. It is read once; the caller may reuse it.
type ClientConfig struct {
	// Mode is what the server speaks to its clients; required.
	Mode Mode
	// Network is "tcp" or "unix"; empty means "tcp". Address is the server's front
	// end, host:port or the path of its socket; required.
	Network, Address string

	// Roots verify the server. Required for tcp, unless Plaintext is set; not for
	// unix, which is plaintext.
	Roots transport.Roots
	// Certificates is what the client shows the server. Nil shows none, which no
	// front end of this package takes over tcp.
	Certificates transport.Certificates
	// ServerName is what the server's certificate must be valid for. Empty means
	// the host of Address.
	ServerName string
	// Plaintext leaves out TLS. It is for HTTP CONNECT over tcp alone, and for
	// networks where nobody else can listen or answer.
	Plaintext bool

	// Dialer reaches the server. Nil means direct. For Network "unix" it must be
	// one that dials unix sockets.
	Dialer dialer.Dialer

	// DialTimeout bounds each dial from first to last. Zero means
	// dialer.DefaultTimeout, negative no bound but the caller's context.
	DialTimeout time.Duration
	// HandshakeTimeout bounds reaching the server, TLS included. Zero means 10 s.
	// It cannot be switched off.
	HandshakeTimeout time.Duration
	// KeepAlive is after how much silence a gRPC server is pinged while there are
	// connections; one that does not answer within 20 s is dead. Zero or negative
	// sends none, and less than 10 s is taken for 10 s. Upstream's servers throw
	// out who pings more often than every five minutes.
	KeepAlive time.Duration

	// Log gets the connection to a gRPC server coming and going. Nil is silent.
	Log *slog.Logger
	// Trace is told of dials; nil of its hooks or nil altogether is fine.
	Trace *ClientTrace
}

// ClientTrace is a set of hooks, any of which may be nil. They are called on the
// goroutines that dial, read and write, and must not block.
type ClientTrace struct {
	// DialDone is called after each dial, nil for a success.
	DialDone func(address string, took time.Duration, err error)
	// Packet is called for each packet in gRPC mode, with "from_client" or
	// "to_client" and the packet's type in upstream's words, such as "DIAL_REQ".
	Packet func(segment, packetType string)
	// PacketError is called for each packet that could not be sent or received.
	// packetType is empty when it is not known.
	PacketError func(segment, packetType string, err error)
}
