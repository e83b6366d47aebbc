package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// RoundTripper is the shared, pooling http.RoundTripper of a class of
// destinations, on the connections of a [Dialer]. It is safe for concurrent use
// and starts nothing before its first request. To end it, finish or close the
// responses and call CloseIdleConnections.
//
// Hosts of URLs are logical addresses: Config.Address maps them, and the peers
// are verified for them. Requests for plain http are refused with
// [ErrHTTPSOnly] unless HTTPConfig.AllowHTTP. No proxy of the environment is
// used. Requests that ask for an upgrade, such as exec's, go over HTTP/1.1 and
// the 101 response's Body is the stream both ways.
//
// When the roots or the client certificate change, new requests use new
// connections; the idle ones are closed and those in use end with what they
// carry.
type RoundTripper struct {
	d   *Dialer
	cfg HTTPConfig

	current atomic.Pointer[generation]

	mu      sync.Mutex // makes one new generation at a time; guards retired
	retired []*generation
}

// NewRoundTripper returns a RoundTripper that dials with d, whose NextProtos it
// replaces by those of HTTP. The error is that of a d that New has not made or of
// a bound in cfg that makes no sense.
func NewRoundTripper(d *Dialer, cfg HTTPConfig) (*RoundTripper, error) {
	if !d.made() {
		return nil, errors.New("transport: NewRoundTripper needs a Dialer that New made")
	}
	cfg, err := cfg.check()
	if err != nil {
		return nil, err
	}
	rt := &RoundTripper{d: d, cfg: cfg}
	rt.current.Store(rt.newGeneration(rt.credentials()))
	return rt, nil
}

// RoundTrip implements http.RoundTripper. Errors of a dial are
// [*dialer.Error].
func (rt *RoundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	g := rt.generation()
	if wantsUpgrade(req) {
		return g.http1.RoundTrip(req)
	}
	return g.shared.RoundTrip(req)
}

// CloseIdleConnections closes the connections that carry nothing now, also of
// those that are kept for what runs on them since before a change of the roots.
// The RoundTripper stays usable.
func (rt *RoundTripper) CloseIdleConnections() {
	for _, g := range rt.all() {
		g.closeIdle()
	}
}

// TLSClientConfig returns the configuration of a handshake that the caller runs
// on a connection from the dialer of WrappedRoundTripper: the roots of this
// moment, the client certificate, HTTP/1.1, and the rules of Config.NodeName and
// Config.ServerName. The caller owns it, fills in ServerName with the host of
// the URL, and asks again for each connection.
//
// With Config.ServerName set, the peer must be valid for both names, the host
// and what it maps to. For an IP address the rules must hold for every address
// in the peer's certificate, because TLS does not tell which one was meant.
func (rt *RoundTripper) TLSClientConfig() *tls.Config {
	return rt.d.openConfig(protosHTTP1[:])
}

// WrappedRoundTripper returns the *http.Transport that new requests use. Its
// DialContext is the dial without the handshake, of the logical address, which
// unless HTTPConfig.AllowHTTP carries nothing but TLS; its DialTLSContext is the
// verified dial. It is of this moment: ask again rather than keep it, and do not
// change it.
func (rt *RoundTripper) WrappedRoundTripper() http.RoundTripper { return rt.generation().shared }

// credentials returns what connections of this moment are made of.
func (rt *RoundTripper) credentials() (*x509.CertPool, *tls.Certificate) {
	var cert *tls.Certificate
	if c := rt.d.cfg.Certificates; c != nil {
		cert = c.Certificate()
	}
	return poolOf(rt.d.cfg.Roots), cert
}

// generation returns the one that new requests belong to.
func (rt *RoundTripper) generation() *generation {
	if g := rt.current.Load(); g.madeOf(rt.credentials()) {
		return g
	}
	g, old := rt.renew()
	if old != nil {
		// Outside the lock: saying goodbye to many peers can take a while.
		old.closeIdle()
	}
	return g
}

// renew makes a new generation, if that is still due, and returns the one that
// it retired.
func (rt *RoundTripper) renew() (current, old *generation) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	// Asked again under the lock, so that a goroutine that was held up cannot
	// bring back the roots it saw before.
	roots, cert := rt.credentials()
	old = rt.current.Load()
	if old.madeOf(roots, cert) {
		return old, nil
	}
	g := rt.newGeneration(roots, cert)
	rt.retired = append(slices.DeleteFunc(rt.retired, ended), old)
	rt.current.Store(g)
	return g, old
}

// all returns the current generation and the retired ones still in use.
func (rt *RoundTripper) all() []*generation {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.retired = slices.DeleteFunc(rt.retired, ended)
	return append(slices.Clone(rt.retired), rt.current.Load())
}

func ended(g *generation) bool { return g.open.Load() == 0 }

// wantsUpgrade reports whether req asks to switch protocols, which HTTP/2 has no
// way for.
func wantsUpgrade(req *http.Request) bool {
	if req.Header.Get("Upgrade") == "" {
		return false
	}
	for _, v := range req.Header.Values("Connection") {
		for token := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "upgrade") {
				return true
			}
		}
	}
	return false
}
