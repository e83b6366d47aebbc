package konnectivity

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
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
	// Trace is told of dials and connections; nil of its hooks or nil altogether is
	// fine.
	Trace *ClientTrace
}

func (c *ClientConfig) check() error {
	if err := c.Mode.check("ClientConfig.Mode"); err != nil {
		return err
	}
	switch c.Network {
	case "", "tcp":
		return c.checkTCP()
	case "unix":
		return c.checkUnix()
	}
	return fmt.Errorf("konnectivity: ClientConfig.Network is %q: want \"tcp\" or \"unix\"", c.Network)
}

func (c *ClientConfig) checkTCP() error {
	if _, err := checkDestination("tcp", c.Address); err != nil {
		return fmt.Errorf("konnectivity: ClientConfig.Address: %w", err)
	}
	switch {
	case !c.Plaintext && c.Roots == nil:
		return errors.New("konnectivity: ClientConfig.Roots is required: a server is never trusted unseen")
	case c.Plaintext && c.Mode != ModeHTTPConnect:
		return fmt.Errorf("konnectivity: ClientConfig.Plaintext is for mode %q alone", ModeHTTPConnect)
	case c.Plaintext && c.secured():
		return errors.New("konnectivity: ClientConfig.Plaintext leaves out TLS, and Roots, Certificates and ServerName belong to it: set the one or the others")
	}
	return nil
}

func (c *ClientConfig) checkUnix() error {
	switch {
	case c.Address == "":
		return errors.New("konnectivity: ClientConfig.Address is empty: want the path of a socket")
	case strings.HasPrefix(c.Address, "unix:"):
		return fmt.Errorf("konnectivity: ClientConfig.Address is %q: want a path, not a URL", c.Address)
	case c.Plaintext || c.secured():
		return errors.New("konnectivity: ClientConfig.Network is unix, which is plaintext: Roots, Certificates, ServerName and Plaintext are for tcp")
	}
	return nil
}

// secured reports whether anything of TLS is set.
func (c *ClientConfig) secured() bool {
	return c.Roots != nil || c.Certificates != nil || c.ServerName != ""
}

func (c *ClientConfig) network() string {
	if c.Network == "" {
		return "tcp"
	}
	return c.Network
}

func (c *ClientConfig) handshakeTimeout() time.Duration {
	return positiveOr(c.HandshakeTimeout, 10*time.Second)
}
