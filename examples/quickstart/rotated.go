package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// rotation replaces the authority of the kubelets while a log stream runs.
type rotation struct {
	w      *world
	ctx    context.Context // bounds the stream
	stream *http.Response
	lines  *bufio.Reader
	who    string // who was verified when the stream began
}

// rotated are the checks of a rotation, which build on each other.
func (w *world) rotated(ctx context.Context) []check {
	r := &rotation{w: w, ctx: ctx}
	w.onClose(r.close)
	k := w.targets.kubelet
	const before, after = "system:node:node-1 (kubelet CA 1)", "system:node:node-1 (kubelet CA 2)"
	old := &refusal{"the kubelet's old certificate", isA[x509.UnknownAuthorityError]}
	health := func(ctx context.Context) (outcome, error) { return fetch(ctx, w.clients.kubelets, k.url("/healthz")) }
	return []check{
		{address: k.address, want: toKubelet, verified: before, try: r.begin},
		{address: k.address, want: toKubelet, verified: before, try: r.replaceCA},
		{address: k.address, want: toKubelet, refusal: old, try: health},
		{address: k.address, want: toKubelet, verified: after, try: r.replaceCertificate},
		{address: k.address, want: toKubelet, verified: before, try: r.goOn},
	}
}

// begin opens the stream.
func (r *rotation) begin(context.Context) (outcome, error) {
	resp, err := get(r.ctx, r.w.clients.kubelets, r.w.targets.kubelet.url(logsPath))
	if err != nil {
		return outcome{}, err
	}
	r.stream, r.lines, r.who = resp, bufio.NewReader(resp.Body), verifiedAs(resp.TLS)
	return r.next("log stream opened")
}

// replaceCA puts a new authority where the old one was. The stream must not
// mind.
func (r *rotation) replaceCA(context.Context) (outcome, error) {
	if err := r.w.pki.found(kubeletCA, "kubelet CA 2"); err != nil {
		return outcome{}, err
	}
	return r.next("CA replaced on disk, the log stream goes on")
}

// replaceCertificate gives the kubelet a certificate of the new authority, which
// it starts to show without a restart.
func (r *rotation) replaceCertificate(ctx context.Context) (outcome, error) {
	if err := r.w.pki.issue(kubeletCA, "kubelet", nodeLeaf(nodeName, nodeName)); err != nil {
		return outcome{}, err
	}
	got, err := fetch(ctx, r.w.clients.kubelets, r.w.targets.kubelet.url("/healthz"))
	got.said = "new certificate, new connection: " + got.said
	return got, err
}

// goOn reads on from the stream that is older than both.
func (r *rotation) goOn(context.Context) (outcome, error) {
	return r.next("the same log stream, still the first connection")
}

// next has the pod log a line and waits for it to arrive, so that what is read
// was not underway before.
func (r *rotation) next(said string) (outcome, error) {
	if r.stream == nil {
		return outcome{}, errors.New("there is no stream")
	}
	r.w.targets.kubelet.log.append(said)
	line, err := r.lines.ReadString('\n')
	if err != nil {
		return outcome{}, fmt.Errorf("the log stream broke: %w", err)
	}
	if line = strings.TrimSuffix(line, "\n"); line != said {
		return outcome{}, fmt.Errorf("the log stream says %q, want %q", line, said)
	}
	return outcome{verified: r.who, said: said}, nil
}

// close ends the stream, where it began.
func (r *rotation) close() {
	if r.stream != nil {
		r.stream.Body.Close()
	}
}
