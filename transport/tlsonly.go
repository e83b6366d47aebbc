package transport

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/sallyport/sallyport/dialer"
)

// ErrHTTPSOnly is the cause of the error for plain http where
// [HTTPConfig.AllowHTTP] is not set. The error around it is a denial.
var ErrHTTPSOnly = errors.New("https only: plain http is not allowed here")

// refuseHTTP is the error for plain http by a way and to its address.
func refuseHTTP(way dialer.Attempt) error {
	return &dialer.Error{
		Class: way.Class, Route: way.Route,
		Hop: dialer.HopPolicy, Network: way.Network, Address: way.Address,
		Err: fmt.Errorf("%w: %w", dialer.ErrDenied, ErrHTTPSOnly),
	}
}

// httpsOnly is the http.RoundTripper that refuses what it is given.
type httpsOnly struct{ d *Dialer }

func (h httpsOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close() // a RoundTripper owes that, also when it fails
	}
	return nil, refuseHTTP(h.d.Describe(req.Context(), "tcp", req.URL.Host))
}

// recordHandshake is the first byte of a TLS handshake record, with which every
// client begins.
const recordHandshake = 0x16

// tlsOnlyConn refuses to carry anything but TLS. The plain dial is handed out
// for upgrades, and who asks does not say whether TLS will follow: for an http
// URL it would not.
type tlsOnlyConn struct {
	net.Conn
	way   dialer.Attempt // by which it came
	begun atomic.Bool    // a handshake has been begun
}

func (c *tlsOnlyConn) Write(p []byte) (int, error) {
	if !c.begun.Load() && len(p) > 0 {
		if p[0] != recordHandshake {
			return 0, refuseHTTP(c.way)
		}
		c.begun.Store(true)
	}
	return c.Conn.Write(p)
}
