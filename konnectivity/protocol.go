package konnectivity

import (
	"crypto/tls"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/internal/link"
)

// Protocol is what a tunnel speaks inside of TLS. ALPN settles it per tunnel.
type Protocol string

const (
	// ProtocolYamux is our own: ALPN "sallyport/1", TLS 1.3 only.
	ProtocolYamux Protocol = "yamux"
	// ProtocolGRPC is Konnectivity's. Between our own ends each connection has
	// windows of its own, by ALPN "sallyport-h2/1"; with upstream's agents and servers
	// none has, by "h2".
	ProtocolGRPC Protocol = "grpc"
	// ProtocolPackets is ProtocolGRPC without windows between our own ends too.
	// Half-close and the kinds of errors they keep. It is enough that one end says so.
	ProtocolPackets Protocol = "konnectivity"
)

// protocols is the set of protocols one end speaks, and the ALPN values that
// choose them.
type protocols struct {
	speaks []Protocol
	grpc   Protocol // what is spoken where ALPN says gRPC; empty: it is not spoken
	extra  []string // ALPN values that mean gRPC besides h2
}

// newProtocols checks what a configuration says. None means both, ours first.
// The error says what is wrong without naming the field.
func newProtocols(speaks []Protocol, extra []string) (p protocols, field string, err error) {
	if len(speaks) == 0 {
		speaks = []Protocol{ProtocolYamux, ProtocolGRPC}
	}
	for i, s := range speaks {
		switch {
		case s != ProtocolYamux && s != ProtocolGRPC && s != ProtocolPackets:
			return p, "Protocols", fmt.Errorf("%q is none; want %q, %q or %q", s, ProtocolYamux, ProtocolGRPC, ProtocolPackets)
		case slices.Contains(speaks[:i], s):
			return p, "Protocols", fmt.Errorf("%q twice; say it once", s)
		case s != ProtocolYamux && p.grpc != "":
			return p, "Protocols", fmt.Errorf("%q and %q are both gRPC; say one of them", p.grpc, s)
		case s != ProtocolYamux:
			p.grpc = s
		}
	}
	p.speaks, p.extra = slices.Clone(speaks), slices.Clone(extra)
	return p, "ALPN", p.checkExtra()
}

// maxALPN bounds an ALPN value: its length has one byte on the wire.
const maxALPN = 255

func (p protocols) checkExtra() error {
	if len(p.extra) > 0 && p.grpc == "" {
		return fmt.Errorf("%q would mean gRPC, which Protocols leaves out", p.extra[0])
	}
	for _, e := range p.extra {
		switch {
		case e == "" || len(e) > maxALPN:
			return fmt.Errorf("%.40q is no ALPN value: want 1 to %d bytes", e, maxALPN)
		case e == link.ALPNYamux || e == link.ALPNWindows || e == link.ALPNGRPC:
			return fmt.Errorf("%q has a meaning of its own; say it with Protocols", e)
		}
	}
	return nil
}

// alpn returns the ALPN values, the most wanted first. With extraFirst those of
// the caller come before our own.
func (p protocols) alpn(extraFirst bool) (values []string) {
	if extraFirst {
		values = append(values, p.extra...)
	}
	for _, s := range p.speaks {
		if s == ProtocolYamux {
			values = append(values, link.ALPNYamux)
			continue
		}
		if s == ProtocolGRPC {
			values = append(values, link.ALPNWindows)
		}
		values = append(values, link.ALPNGRPC)
	}
	if !extraFirst {
		values = append(values, p.extra...)
	}
	return values
}

// chosen returns the protocol that a finished handshake has settled on, or an
// error that says what was wanted of the peer. ProtocolGRPC means that the peer is
// one of ours.
func (p protocols) chosen(state tls.ConnectionState) (Protocol, error) {
	alpn, least := state.NegotiatedProtocol, uint16(tls.VersionTLS12)
	chosen := ProtocolPackets
	switch {
	case alpn == "" || !slices.Contains(p.alpn(false), alpn):
		return "", fmt.Errorf("no protocol in common: ALPN chose %.40q and we speak %q; %s", alpn, p.alpn(false), wrongPort)
	case alpn == link.ALPNYamux:
		chosen, least = ProtocolYamux, tls.VersionTLS13
	case alpn == link.ALPNWindows:
		chosen = ProtocolGRPC
	}
	if state.Version < least {
		return "", fmt.Errorf("%s was negotiated; want %s or later", tls.VersionName(state.Version), tls.VersionName(least))
	}
	return chosen, nil
}
