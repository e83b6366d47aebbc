package transport

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/sallyport/sallyport/dialer"
)

// Dialer dials through another dialer and ends each dial with a verified TLS
// handshake. It is a [dialer.Dialer] and safe for concurrent use. It keeps no
// connections and needs no Close.
type Dialer struct {
	cfg Config
}

// New returns a Dialer. It dials and starts nothing. The error says which part
// of cfg is missing or cannot be used.
func New(cfg Config) (*Dialer, error) {
	cfg, err := cfg.check()
	if err != nil {
		return nil, err
	}
	return &Dialer{cfg: cfg}, nil
}

// DialContext connects to the logical address, host and port, and returns the
// verified connection, a [*tls.Conn] which the caller owns. ctx bounds the dial
// and the handshake; once DialContext has returned it has no effect.
//
// Errors are [*dialer.Error]. Those of the underlying dialer keep their hop, one
// of Config.Address has [dialer.HopResolve], and a failed handshake or
// verification has [dialer.HopTLS]; a peer that is not the node meant is a
// [*NodeError] within. After an error no connection is left open.
//
// With TLS 1.3 a peer that refuses our certificate says so at the first Read,
// not here.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.dial(ctx, network, address, d.cfg.NextProtos, nil)
	if err != nil {
		return nil, err // not c: a nil *tls.Conn is no nil net.Conn
	}
	return c, nil
}

// Ready asks the underlying dialer.
func (d *Dialer) Ready() error { return dialer.Ready(d.cfg.Dialer) }

// dial is DialContext with the ALPN protocols to offer and, unless nil, with a
// layer to put between the connection and the TLS.
func (d *Dialer) dial(ctx context.Context, network, address string, protos []string, layer func(net.Conn) net.Conn) (*tls.Conn, error) {
	t, err := d.target(address)
	if err != nil {
		return nil, dialer.Wrap(err, dialer.HopTLS, network, address)
	}
	raw, err := d.plain(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if layer != nil {
		raw = layer(raw)
	}
	// The configuration is made after the dial, so that the roots are those of
	// the handshake.
	c, err := d.handshake(ctx, raw, d.config(t, protos))
	if err != nil {
		raw.Close()
		return nil, &dialer.Error{Hop: dialer.HopTLS, Network: network, Address: address, Err: err}
	}
	return c, nil
}

// plain dials what the logical address maps to, without TLS.
func (d *Dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	mapped := address
	if d.cfg.Address != nil {
		var err error
		if mapped, err = d.cfg.Address(ctx, address); err != nil {
			return nil, dialer.Wrap(err, dialer.HopResolve, network, address)
		}
	}
	c, err := d.cfg.Dialer.DialContext(ctx, network, mapped)
	if err != nil {
		return nil, dialer.Wrap(err, dialer.HopTarget, network, mapped)
	}
	return c, nil
}
