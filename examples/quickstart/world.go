package main

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// world is all there is in a run: the files, the targets, the control plane, its
// agents, and the site that takes SSH.
type world struct {
	pki     *pki
	names   hosts
	witness *witness
	targets targets
	edge    edge
	plane   *controlPlane
	clients clients
	stops   []func() // how to end what was started, in the order it was
}

// newWorld starts everything and waits until both agents are connected.
func newWorld(ctx context.Context) (*world, error) {
	w := &world{names: newHosts(), witness: newWitness()}
	for _, step := range []struct {
		what  string
		start func(context.Context) error
	}{
		{"certificates", w.makePKI},
		{"targets", w.startTargets},
		{"edge site", w.startEdge},
		{"control plane", w.startControlPlane},
		{"agents", w.startAgents},
		{"clients", w.makeClients},
	} {
		if err := step.start(ctx); err != nil {
			w.close()
			return nil, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return w, nil
}

// onClose registers what close has to do; the last one registered goes first.
func (w *world) onClose(stop func()) { w.stops = append(w.stops, stop) }

// close ends everything, waits for it, and removes the files.
func (w *world) close() {
	for _, stop := range slices.Backward(w.stops) {
		stop()
	}
	w.stops = nil
}

// makePKI lays the certificates out as files, as a control plane finds them.
func (w *world) makePKI(context.Context) error {
	dir, err := os.MkdirTemp("", "sallyport-quickstart-")
	if err != nil {
		return err
	}
	w.onClose(func() { os.RemoveAll(dir) })
	w.pki, err = newPKI(dir)
	return err
}

// checks are all the checks of the run, in order. ctx bounds what outlives a
// single check, such as a log stream.
func (w *world) checks(ctx context.Context) []check {
	return slices.Concat(w.reached(), w.refused(), w.rotated(ctx))
}
