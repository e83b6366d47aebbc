package dialertest_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

// conns makes a dialer whose only fault is that of its conns.
func conns(breakConn func(*net.TCPConn) net.Conn) func(testing.TB) dialer.Dialer {
	return func(testing.TB) dialer.Dialer {
		return around(func(c net.Conn) net.Conn { return breakConn(c.(*net.TCPConn)) })
	}
}

func around(wrap func(net.Conn) net.Conn) dialer.Dialer {
	return dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := plain().DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wrap(c), nil
	})
}

func ignoresContext(t testing.TB) dialer.Dialer {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return dialer.Func(func(_ context.Context, network, address string) (net.Conn, error) {
		return plain().DialContext(ctx, network, address)
	})
}

func tiedToContext(testing.TB) dialer.Dialer {
	return dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := plain().DialContext(ctx, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { c.Close() })
		}
		return c, err
	})
}

func leavesDeadline(testing.TB) dialer.Dialer {
	return dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := plain().DialContext(ctx, network, address)
		if at, ok := ctx.Deadline(); ok && err == nil {
			c.SetDeadline(at)
		}
		return c, err
	})
}

func sharesOneConn(t testing.TB) dialer.Dialer {
	var once sync.Once
	var c net.Conn
	var err error
	t.Cleanup(func() {
		if c != nil {
			c.Close()
		}
	})
	return dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
		once.Do(func() { c, err = plain().DialContext(ctx, network, address) })
		return c, err
	})
}

// mangled passes errors on as mangle makes them.
func mangled(mangle func(error) error) dialer.Dialer {
	return dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := plain().DialContext(ctx, network, address)
		if err != nil {
			return nil, mangle(err)
		}
		return c, nil
	})
}

func returnsBareErrors(testing.TB) dialer.Dialer { return mangled(errors.Unwrap) }

func namesNoHop(testing.TB) dialer.Dialer {
	return mangled(func(err error) error { return &dialer.Error{Err: err} })
}

func blamesNobody(testing.TB) dialer.Dialer {
	return mangled(func(err error) error {
		return &dialer.Error{Hop: dialer.HopTarget, Err: errors.New("it did not work")}
	})
}

type ownWords struct{}

func (ownWords) Error() string   { return "out of patience" }
func (ownWords) Timeout() bool   { return true }
func (ownWords) Temporary() bool { return true }

func timesOutInItsOwnWords(testing.TB) dialer.Dialer {
	return mangled(func(err error) error { return &dialer.Error{Hop: dialer.HopTarget, Err: ownWords{}} })
}

func returnsConnAndError(testing.TB) dialer.Dialer {
	return dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := plain().DialContext(ctx, network, address)
		if err != nil {
			a, b := net.Pipe()
			b.Close()
			return a, err
		}
		return c, nil
	})
}

func anyNetworkIsTCP(testing.TB) dialer.Dialer {
	return dialer.Func(func(ctx context.Context, _, address string) (net.Conn, error) {
		return plain().DialContext(ctx, "tcp", address)
	})
}

func anyAddressWorks(testing.TB) dialer.Dialer {
	return dialer.Func(func(context.Context, string, string) (net.Conn, error) {
		a, b := net.Pipe()
		b.Close()
		return a, nil
	})
}

func leaksGoroutines(t testing.TB) dialer.Dialer {
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	return around(func(c net.Conn) net.Conn {
		go func() { <-end }()
		return c
	})
}

// sharesWriteLock is a tunnel with one writer for all of its conns.
func sharesWriteLock(testing.TB) dialer.Dialer {
	var mu sync.Mutex
	return around(func(c net.Conn) net.Conn { return &lockedWriter{c.(*net.TCPConn), &mu} })
}

type lockedWriter struct {
	*net.TCPConn
	mu *sync.Mutex
}

func (c *lockedWriter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.TCPConn.Write(p)
}
