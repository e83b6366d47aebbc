package konnectivity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
)

// minShare is the least time worth giving to an agent while another is left.
const minShare = 2 * time.Second

// DialContext connects to address through an agent. Unless Strategies say
// otherwise that is one that claims the host, else the one with the longest
// network around it, else one with a default route; the least loaded of equals.
// When an agent fails before it has connected, the next one is tried; when the
// target answered, it is not.
//
// Names are resolved by the agent. The conn's RemoteAddr is the address the
// agent connected to.
func (s *Server) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, err := checkDestination(network, address)
	if err != nil {
		return nil, &dialer.Error{Hop: dialer.HopSelect, Network: brief(network), Address: brief(address), Err: err}
	}
	if s.closing() {
		return nil, &dialer.Error{Hop: dialer.HopAgent, Network: network, Address: address, Err: ErrServerClosed}
	}
	candidates := s.picker.candidates(host, 0)
	if len(candidates) == 0 {
		err := &dialer.Error{Hop: dialer.HopAgent, Network: network, Address: address, Err: s.picker.noRoute(host)}
		info := DialInfo{Network: network, Address: address}
		s.cfg.Trace.done(info, s.cfg.Trace.start(info), nil, err)
		return nil, err
	}
	if s.cfg.DialTimeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = bounded(ctx, positiveOr(s.cfg.DialTimeout, dialer.DefaultTimeout))
		defer cancel()
	}
	return s.dialFirst(ctx, candidates, network, address)
}

// dialFirst tries the candidates in order. The first error is the one to
// report: it is about the agent that should have done it.
func (s *Server) dialFirst(ctx context.Context, candidates []*agentSession, network, address string) (net.Conn, error) {
	var first error
	for i, a := range candidates {
		c, err := a.dial(ctx, len(candidates)-i, network, address)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil || !dialer.Retryable(err) {
			if i > 0 && !dialer.Retryable(err) {
				return nil, err // this agent reached the target, which answered
			}
			return nil, first
		}
	}
	return nil, first
}

// dial opens one connection through a. left is how many agents, a included, may
// still be tried in what remains of ctx.
func (a *agentSession) dial(ctx context.Context, left int, network, address string) (c net.Conn, err error) {
	trace, info := a.server.cfg.Trace, DialInfo{AgentID: a.id, Network: network, Address: address}
	begin := trace.start(info)
	defer func() { c = trace.done(info, begin, c, err) }()
	share, cancel := shareOf(ctx, left)
	defer cancel()
	if c, err = a.tunnel.Open(share, network, address); err == nil {
		return c, nil
	}
	hop := dialer.HopAgent + " " + a.id
	if refusal, ok := errors.AsType[*link.Refusal](err); ok {
		if refusal.Hop != "" {
			hop = refusal.Hop + " via " + hop
		}
		err = refusal.Remote
	}
	return nil, &dialer.Error{Hop: hop, Network: network, Address: address, Err: err}
}

// shareOf gives one of left attempts its part of what remains of ctx, so that an
// agent that does not answer leaves time for another.
func shareOf(ctx context.Context, left int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || left <= 1 {
		return ctx, func() {}
	}
	remaining := time.Until(deadline)
	return context.WithTimeout(ctx, max(remaining/time.Duration(left), min(minShare, remaining)))
}

// bounded bounds ctx by timeout. One that ends sooner anyway is left as it is: a
// front end has bounded it already, most often.
func bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeout)
}

// checkDestination refuses what no agent could dial. Its errors are short,
// whatever it is given.
func checkDestination(network, address string) (host string, err error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return "", fmt.Errorf("network %q: want tcp, tcp4 or tcp6", brief(network))
	}
	if len(address) > link.MaxAddress {
		return "", fmt.Errorf("address of %d bytes: want at most %d", len(address), link.MaxAddress)
	}
	if strings.Contains(address, "://") {
		return "", fmt.Errorf("address %q: want host:port, not a URL", address)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if host == "" {
		return "", fmt.Errorf("address %q has no host: it would mean the agent's own", address)
	}
	if strings.ContainsAny(host, " \t\r\n\x00/@") {
		return "", fmt.Errorf("address %q: not a host name or an address", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("address %q: port %q is not a number from 1 to 65535", address, port)
	}
	return host, nil
}

// brief bounds what a caller has made up, for errors and logs.
func brief(s string) string { return s[:min(len(s), link.MaxAddress)] }

func portOf(address string) uint16 {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.ParseUint(port, 10, 16)
	return uint16(n)
}
