package grpc

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/dialer/dialertest"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/link"
)

// dialThrough gives Open's errors the form that the server gives them.
func dialThrough(tu *tunnel) dialer.Func {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := tu.session.Open(ctx, network, address)
		if err == nil {
			return c, nil
		}
		if r, ok := errors.AsType[*link.Refusal](err); ok {
			return nil, &dialer.Error{Hop: r.Hop, Network: network, Address: address, Err: r.Remote}
		}
		return nil, dialer.Wrap(err, dialer.HopAgent, network, address)
	}
}

func TestConformanceOfStreams(t *testing.T) {
	leak.Check(t)
	dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
		return dialertest.Fixture{Dialer: dialThrough(loopback(t))}
	})
}

func TestConformanceOfPackets(t *testing.T) {
	leak.Check(t)
	dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
		return dialertest.Fixture{Dialer: dialThrough(loopback(t, packetsOnly))}
	})
}

func TestConformanceOfUpstreamsProtocol(t *testing.T) {
	leak.Check(t)
	dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
		return dialertest.Fixture{Dialer: dialThrough(loopback(t, plainPackets)), NoHalfClose: true}
	})
}
