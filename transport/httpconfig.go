package transport

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// HTTPConfig bounds a [RoundTripper]. The zero value is ready to use.
type HTTPConfig struct {
	// MaxIdleConns is how many idle connections are kept in all, and
	// MaxIdleConnsPerHost how many for one host. Zero means 1000 and 25;
	// negative means no bound for the former, and none kept for the latter.
	// They count HTTP/1.1 connections: of HTTP/2 there is mostly one a host.
	MaxIdleConns, MaxIdleConnsPerHost int
	// MaxConnsPerHost bounds the connections to one host, idle or not; requests
	// beyond it wait. Zero and negative mean no bound, so that no number of log
	// streams held open keeps the next request waiting.
	MaxConnsPerHost int
	// IdleConnTimeout is how long an idle connection is kept. Zero means 90
	// seconds. Negative is an error: what outlived a change of the roots is
	// closed by this bound in the end.
	IdleConnTimeout time.Duration

	// DialTimeout bounds each dial with its handshake. Zero means
	// dialer.DefaultTimeout, negative no bound but those below. A request's own
	// context does not bound a dial, because other requests may wait for it too.
	DialTimeout time.Duration
	// ResponseHeaderTimeout bounds the wait for the response's header after the
	// request was written. Zero and negative mean no bound but the request's
	// context: a log that says nothing yet is no failure.
	ResponseHeaderTimeout time.Duration
	// MaxResponseHeaderBytes bounds the size of a response's header. Zero means
	// 1 MiB; negative is an error.
	MaxResponseHeaderBytes int64

	// PingAfter is how long an HTTP/2 connection may be silent before a ping
	// asks whether the peer is there; PingTimeout is how long the answer may
	// take before the connection is given up with all that runs on it. Zero
	// means 30 and 15 seconds; a negative PingAfter means no pings, and a
	// negative PingTimeout is an error.
	PingAfter, PingTimeout time.Duration

	// AllowHTTP lets requests for plain http URLs out, unverified and
	// unencrypted. Without it they are refused, on the upgrade path too.
	AllowHTTP bool
}

// check returns a copy of c with its defaults filled in.
func (c HTTPConfig) check() (HTTPConfig, error) {
	switch {
	case c.IdleConnTimeout < 0:
		return c, errors.New("transport: HTTPConfig.IdleConnTimeout is negative")
	case c.MaxResponseHeaderBytes < 0:
		return c, errors.New("transport: HTTPConfig.MaxResponseHeaderBytes is negative")
	case c.PingTimeout < 0:
		return c, errors.New("transport: HTTPConfig.PingTimeout is negative")
	}
	c.MaxIdleConns = max(cmp.Or(c.MaxIdleConns, 1000), 0) // zero is net/http's "no bound"
	c.MaxIdleConnsPerHost = cmp.Or(c.MaxIdleConnsPerHost, 25)
	c.MaxConnsPerHost = max(c.MaxConnsPerHost, 0)
	c.IdleConnTimeout = cmp.Or(c.IdleConnTimeout, 90*time.Second)
	c.DialTimeout = cmp.Or(c.DialTimeout, dialer.DefaultTimeout)
	c.ResponseHeaderTimeout = max(c.ResponseHeaderTimeout, 0)
	c.MaxResponseHeaderBytes = cmp.Or(c.MaxResponseHeaderBytes, 1<<20)
	c.PingAfter = max(cmp.Or(c.PingAfter, 30*time.Second), 0) // zero is net/http's "never"
	c.PingTimeout = cmp.Or(c.PingTimeout, 15*time.Second)
	return c, nil
}

// transport returns an http.Transport with the bounds of c and no way to dial.
// It has no proxy: an environment that names one must not divert traffic for
// nodes and pods.
func (c HTTPConfig) transport() *http.Transport {
	return &http.Transport{
		MaxIdleConns:           c.MaxIdleConns,
		MaxIdleConnsPerHost:    c.MaxIdleConnsPerHost,
		MaxConnsPerHost:        c.MaxConnsPerHost,
		IdleConnTimeout:        c.IdleConnTimeout,
		ResponseHeaderTimeout:  c.ResponseHeaderTimeout,
		MaxResponseHeaderBytes: c.MaxResponseHeaderBytes,
		ExpectContinueTimeout:  time.Second,
		// What a proxy passes on must be what was sent; net/http would ask for
		// gzip of its own accord and unpack it.
		DisableCompression: true,
		HTTP2:              &http.HTTP2Config{SendPingTimeout: c.PingAfter, PingTimeout: c.PingTimeout},
	}
}
