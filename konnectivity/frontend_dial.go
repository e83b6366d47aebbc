package konnectivity

import (
	"context"
	"net"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// dial makes the connection a client asked for. ctx ends when the client goes.
func (f *Frontend) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if f.cfg.DialTimeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, positiveOr(f.cfg.DialTimeout, dialer.DefaultTimeout))
		defer cancel()
	}
	begin := time.Now()
	c, err := f.cfg.Dialer.DialContext(ctx, network, address)
	// A Dialer of somebody else's may return errors of its own kind.
	err = dialer.Wrap(err, dialer.HopTarget, network, address)
	f.cfg.Trace.dialDone(address, time.Since(begin), err)
	if err != nil {
		f.log.Info("dial failed", "address", address, "err", err)
		return nil, err
	}
	return c, nil
}
