package grpc

import (
	"errors"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/upstream"
	"github.com/sallyport/sallyport/internal/wire"
)

// answer is the DIAL_RSP for a dial that failed. The words go too: an agent's
// operator and its server's are on the same side.
func answer(random int64, err error) *wire.Packet {
	p := &wire.Packet{
		Type: wire.DialRsp, Random: random,
		Kind: uint8(dialer.KindOf(err)), Hop: dialer.HopTarget, Error: err.Error(),
	}
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		p.Hop, p.Error = de.Hop, de.Err.Error()
	}
	if p.Error = short(p.Error); p.Error == "" {
		p.Error = "the dial failed" // no words would mean success
	}
	return p
}

// failed reports whether a DIAL_RSP is about a failure.
func failed(p *wire.Packet) bool { return p.Error != "" || p.Kind != 0 }

// refusal is an agent's failure to dial.
func refusal(p *wire.Packet) error {
	kind, hop := dialer.Kind(p.Kind), p.Hop
	if hop == "" {
		hop = dialer.HopTarget
		if kind == dialer.Other {
			kind, _ = upstream.Failure(p.Error)
		}
	}
	const maxHop = 64
	return &link.Refusal{
		Hop:    hop[:min(len(hop), maxHop)],
		Remote: &dialer.RemoteError{Kind: kind, Text: short(p.Error)},
	}
}
