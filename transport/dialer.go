package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/sallyport/sallyport/dialer"
)

// Dialer dials through another dialer and ends each dial with a verified TLS
// handshake. It is a [dialer.Dialer] and safe for concurrent use. It keeps no
// connections and needs no Close. [New] makes one; the zero Dialer fails every
// dial.
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
// [*NodeError] within. They name the class and the route where the underlying
// dialer is a [dialer.Describer], as those of a selector are. After an error no
// connection is left open.
//
// With TLS 1.3 a peer that refuses our certificate says so at the first Read,
// not here.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !d.made() {
		return nil, dialer.Wrap(errNotMade, dialer.HopTLS, network, address)
	}
	c, err := d.dial(ctx, network, address, d.cfg.NextProtos, nil)
	if err != nil {
		return nil, err // not c: a nil *tls.Conn is no nil net.Conn
	}
	return c, nil
}

// errNotMade is for a Dialer that New has not seen: without roots and a dialer
// below there is nothing it could do.
var errNotMade = errors.New("transport: this Dialer was not made by New")

// made reports whether New made d.
func (d *Dialer) made() bool { return d != nil && d.cfg.Dialer != nil }

// Ready asks the underlying dialer.
func (d *Dialer) Ready() error {
	if !d.made() {
		return errNotMade
	}
	return dialer.Ready(d.cfg.Dialer)
}

// Describe asks the underlying dialer for the class and the route of a dial to
// the logical address. It does not map the address, which may take its time.
func (d *Dialer) Describe(ctx context.Context, network, address string) dialer.Attempt {
	if !d.made() {
		return dialer.Attempt{Network: network, Address: address}
	}
	return dialer.Describe(ctx, d.cfg.Dialer, network, address)
}

// failure is an error of this layer, which the layer below never sees: so it is
// named here after the class and the route of the dial below, to mapped.
func (d *Dialer) failure(ctx context.Context, err error, hop, network, address, mapped string) error {
	way := d.Describe(ctx, network, mapped)
	return dialer.Annotate(dialer.Wrap(err, hop, network, address), way.Class, way.Route, network, address)
}

// dial is DialContext with the ALPN protocols to offer and, unless nil, with a
// layer to put between the connection and the TLS.
func (d *Dialer) dial(ctx context.Context, network, address string, protos []string, layer func(net.Conn) net.Conn) (*tls.Conn, error) {
	t, err := d.target(address)
	if err != nil {
		return nil, d.failure(ctx, err, dialer.HopTLS, network, address, address)
	}
	raw, mapped, err := d.below(ctx, network, address)
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
		err = &dialer.Error{Hop: dialer.HopTLS, Network: network, Address: address, Err: &handshakeError{err}}
		return nil, d.failure(ctx, err, dialer.HopTLS, network, address, mapped)
	}
	return c, nil
}

// plain dials what the logical address maps to, without TLS.
func (d *Dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	c, _, err := d.below(ctx, network, address)
	return c, err
}

// below is plain that also returns what the address maps to.
func (d *Dialer) below(ctx context.Context, network, address string) (c net.Conn, mapped string, err error) {
	mapped = address
	if d.cfg.Address != nil {
		if mapped, err = d.cfg.Address(ctx, address); err != nil {
			return nil, "", d.failure(ctx, err, dialer.HopResolve, network, address, address)
		}
	}
	c, err = d.cfg.Dialer.DialContext(ctx, network, mapped)
	if err != nil {
		return nil, "", dialer.Wrap(err, dialer.HopTarget, network, mapped)
	}
	return c, mapped, nil
}
