package konnectivity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/direct"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/transport"
)

// reach is how a client gets to its server's front end.
type reach struct {
	dialer           dialer.Dialer // TLS included
	network, address string
	alpn             []string // offered; none without TLS
	timeout          time.Duration
}

func newReach(cfg *ClientConfig) (*reach, error) {
	r := &reach{dialer: cfg.Dialer, network: cfg.network(), address: cfg.Address, timeout: cfg.handshakeTimeout()}
	switch {
	case r.dialer != nil:
	case r.network == "unix":
		r.dialer = dialer.Func(new(net.Dialer).DialContext)
	default:
		r.dialer = &direct.Dialer{Timeout: -1}
	}
	if r.network == "unix" || cfg.Plaintext {
		return r, nil
	}
	t := transport.Config{
		Dialer: overSocket(r.dialer), Roots: cfg.Roots, Certificates: cfg.Certificates,
		HandshakeTimeout: cfg.handshakeTimeout(), NextProtos: []string{"http/1.1"},
	}
	if cfg.Mode == ModeGRPC {
		t.NextProtos = []string{link.ALPNGRPC}
	}
	r.alpn = t.NextProtos
	if name := cfg.ServerName; name != "" {
		t.ServerName = func(string) string { return name }
	}
	d, err := transport.New(t)
	if err != nil {
		return nil, fmt.Errorf("konnectivity: ClientConfig: %w", err)
	}
	r.dialer = d
	return r, nil
}

// dial connects to the front end. Its errors are of the hop proxy: to who dials
// through it, the server is not the target, nor is its TLS the target's.
func (r *reach) dial(ctx context.Context) (net.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	conn, err := r.dialer.DialContext(bounded, r.network, r.address)
	if err == nil {
		return conn, nil
	}
	hop := dialer.HopProxy + " " + r.address
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		err = de.Err
		if de.At(dialer.HopTLS) {
			hop += " " + dialer.HopTLS
			err = noCommonProtocol(err, r.alpn, "is the front end in another mode, or is this not its port?")
		}
	}
	return nil, &dialer.Error{Hop: hop, Err: withoutRoad(err, r.address)}
}
