package konnectivity

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// openTarget makes the connection a client asked for, if there is a place for it. ctx
// ends when the client goes; the end of cuts cuts the connection. done has to be
// called when the connection has ended.
func (f *Frontend) openTarget(ctx context.Context, cuts *cuts, network, address string) (c net.Conn, done func(), err error) {
	if err := checkTarget(network, address); err != nil {
		return nil, nil, &dialer.Error{Hop: dialer.HopProxy, Network: network, Err: err}
	}
	if err := f.enter(); err != nil {
		return nil, nil, &dialer.Error{Hop: dialer.HopProxy, Network: network, Address: address, Err: err}
	}
	c, err = f.dial(ctx, network, address)
	if err != nil {
		f.leave()
		return nil, nil, err
	}
	cut := cuts.add(c)
	return c, func() { cuts.remove(cut); f.leave() }, nil
}

// maxTarget bounds an address that is looked at, in bytes: more than any name and
// port have.
const maxTarget = 512

// checkTarget refuses what no Dialer could dial, in bounded words.
func checkTarget(network, address string) error {
	if len(address) > maxTarget {
		return fmt.Errorf("an address of %d bytes: want host:port", len(address))
	}
	_, err := checkDestination(network, address)
	return err
}

// dial makes the connection a client asked for. ctx ends when the client goes.
func (f *Frontend) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if f.cfg.DialTimeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, positiveOr(f.cfg.DialTimeout, dialer.DefaultTimeout))
		defer cancel()
	}
	begin := time.Now()
	c, err := f.cfg.Dialer.DialContext(ctx, network, address)
	if c == nil && err == nil {
		err = fmt.Errorf("the %T returned neither a connection nor an error", f.cfg.Dialer)
	}
	// A Dialer of somebody else's may return errors of its own kind.
	err = dialer.Wrap(err, dialer.HopTarget, network, address)
	f.cfg.Trace.dialDone(address, time.Since(begin), err)
	if err != nil {
		f.log.Info("dial failed", "address", address, "err", err)
		return nil, err
	}
	return c, nil
}
