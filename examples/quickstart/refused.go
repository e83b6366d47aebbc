package main

import (
	"context"
	"crypto/x509"
	"strings"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/sshtunnel"
	"github.com/sallyport/sallyport/transport"
)

// nowhere is an address that no rule gives a class. It is reserved for
// documentation, and nothing is ever sent to it.
const nowhere = "203.0.113.9:443"

// refused are the checks of what must not work.
func (w *world) refused() []check {
	t, c := &w.targets, &w.clients
	foreign := w.web(t.foreign.address, toKubelet, "", c.kubelets, t.foreign.url("/healthz"))
	foreign.refusal = &refusal{"a foreign CA", isA[x509.UnknownAuthorityError]}
	other := w.web(t.other.address, toKubelet, "", c.kubelets, t.other.url("/healthz"))
	other.refusal = &refusal{"node-2 in place of node-1", isA[*transport.NodeError]}
	debug := w.web(t.debug, toPod, "", c.plain, "http://"+t.debug+"/")
	debug.refusal = &refusal{"outside the agent's policy", is(dialer.ErrDenied)}
	unknown := w.web(nowhere, way{}, "", c.plain, "http://"+nowhere+"/")
	unknown.refusal = &refusal{"no class", is(dialer.ErrNoRoute)}
	stranger := check{address: t.kubelet.address, want: toKubelet, try: w.visitAsStranger}
	stranger.refusal = &refusal{"we show no certificate", wantsCertificate}
	rogue := check{address: w.plane.address, want: way{via: nodeName}, try: w.claimTooMuch}
	rogue.refusal = &refusal{"an agent claims another's host", is(dialer.ErrDenied)}
	posed := w.web(w.edge.posed, toNobody, "", c.plain, "http://"+w.edge.posed+"/")
	posed.refusal = &refusal{"site-1 in place of site-2", isA[*sshtunnel.HostKeyError]}
	lost := w.web(w.edge.lost, toNobody, "", c.plain, "http://"+w.edge.lost+"/")
	lost.refusal = &refusal{"on no node", is(dialer.ErrNoRoute)}
	return []check{foreign, other, stranger, debug, unknown, rogue, posed, lost}
}

// visitAsStranger goes to the kubelet without a certificate.
func (w *world) visitAsStranger(ctx context.Context) (outcome, error) {
	conn, err := w.clients.anonymous.DialContext(ctx, "tcp", w.targets.kubelet.address)
	if err != nil {
		return outcome{}, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	// In TLS 1.3 the client is done before the server has looked at its
	// certificate, so the refusal arrives with the first Read.
	_, err = conn.Read(make([]byte, 1))
	return outcome{}, err
}

// wantsCertificate recognises the alert of a server that wants a certificate;
// crypto/tls gives it no type.
func wantsCertificate(err error) bool { return strings.Contains(err.Error(), "certificate required") }

// claimTooMuch has an agent with node-1's certificate claim the traffic of
// node-2, and returns what it is told.
func (w *world) claimTooMuch(ctx context.Context) (outcome, error) {
	cfg, err := w.nodeAgent()
	if err != nil {
		return outcome{}, err
	}
	told := make(chan error, 1)
	cfg.Identifiers = konnectivity.Identifiers{Hosts: []string{"node-2"}}
	cfg.Trace = &konnectivity.AgentTrace{
		TunnelUp: func(string, string) { offer(told, nil) },
		ConnectFailed: func(_ string, err error) {
			w.witness.note(w.plane.address, func(v *way) { v.via = cfg.ID })
			offer(told, err)
		},
	}
	stop, err := runAgent(cfg)
	if err != nil {
		return outcome{}, err
	}
	defer stop()
	select {
	case err := <-told:
		return outcome{}, err
	case <-ctx.Done():
		return outcome{}, context.Cause(ctx)
	}
}

// offer sends err unless something was sent before: the first news counts, and
// an agent that is refused tries again.
func offer(to chan<- error, err error) {
	select {
	case to <- err:
	default:
	}
}
