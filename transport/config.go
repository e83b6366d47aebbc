package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// DefaultHandshakeTimeout bounds a TLS handshake where nobody chose a bound.
const DefaultHandshakeTimeout = 10 * time.Second

// Config says what [New] makes. Its functions are called by many goroutines at
// once.
type Config struct {
	// Dialer makes the connection below the TLS. Required. Dials are bounded by
	// the caller's context and by what this Dialer bounds itself.
	Dialer dialer.Dialer
	// Roots verifies the peers. Required, and not empty: there is no unverified
	// mode, and the roots of the system are used only where they were passed in.
	Roots Roots
	// Certificates presents this side to a peer that asks for a certificate.
	// Nil means none is presented.
	Certificates Certificates

	// Address maps the logical address of a dial, such as "node-1:10250", to the
	// one that Dialer dials, such as "10.0.0.5:10250". Nil maps each to itself.
	// The mapping has no part in verification. An error of it fails the dial.
	Address func(ctx context.Context, address string) (string, error)
	// ServerName maps the host of the logical address to the DNS name or IP
	// address that the peer's certificate must be valid for. Nil maps each to
	// itself. An empty answer fails the dial.
	//
	// It takes a host, not an address, so that the upgrade path of a
	// RoundTripper, which knows no more, can demand the same name.
	ServerName func(host string) string
	// NodeName, if set, demands that the peer is a Kubernetes node: it maps the
	// host of the logical address to the name of the node meant, and the peer's
	// own certificate must carry the common name "system:node:NAME" and the
	// organization "system:nodes". An empty answer fails the dial. Use
	// [HostAsNode] where nodes are addressed by their names. Nil demands nothing
	// beyond what TLS does.
	NodeName func(host string) string

	// HandshakeTimeout bounds the TLS handshake. Zero means
	// DefaultHandshakeTimeout, negative no bound but the caller's context.
	HandshakeTimeout time.Duration
	// MinVersion is the lowest TLS version spoken: tls.VersionTLS12 or
	// tls.VersionTLS13. Zero means the former, as kubelets are often configured
	// for it.
	MinVersion uint16
	// NextProtos is offered to the peer by ALPN, most wanted first. Empty means
	// no ALPN. A RoundTripper brings its own.
	NextProtos []string
}

// check returns a copy of c with its defaults filled in.
func (c Config) check() (Config, error) {
	if isNil(c.Dialer) {
		return c, errors.New("transport: Config.Dialer is required: it makes the connection below the TLS")
	}
	if err := checkRoots(c.Roots, "Config.Roots", "; there is no unverified mode"); err != nil {
		return c, err
	}
	if c.Certificates != nil && c.Certificates.Certificate() == nil {
		return c, errors.New("transport: Config.Certificates has no certificate; leave it nil to present none")
	}
	var err error
	if c.MinVersion, err = minVersion(c.MinVersion, tls.VersionTLS12); err != nil {
		return c, err
	}
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, DefaultHandshakeTimeout)
	c.NextProtos = slices.Clone(c.NextProtos)
	return c, nil
}

// isNil also sees the nil pointer and the nil func inside an interface, which
// would be found only by the first dial, and as a panic.
func isNil(d dialer.Dialer) bool {
	if d == nil {
		return true
	}
	switch v := reflect.ValueOf(d); v.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Chan, reflect.Slice:
		return v.IsNil()
	}
	return false
}
