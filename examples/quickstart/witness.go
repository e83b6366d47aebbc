package main

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

// way is how a connection went: what the selector chose, and which agent or SSH
// server dialed. Empty fields are steps that were not taken.
type way struct{ class, route, via string }

// witness hears of every dial through the trace hooks of the selector and of the
// agents and from the SSH server, so that the table tells what happened and not what was meant to.
type witness struct {
	mu   sync.Mutex
	seen map[string]way // by address
}

func newWitness() *witness { return &witness{seen: map[string]way{}} }

// of returns the way of the last dial of address.
func (w *witness) of(address string) way {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[address]
}

func (w *witness) note(address string, change func(*way)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.seen[address]
	change(&v)
	w.seen[address] = v
}

// selectorTrace notes class and route.
func (w *witness) selectorTrace() *dialer.Trace {
	return &dialer.Trace{DialDone: func(_ context.Context, a dialer.Attempt, _ time.Duration, _ error) {
		w.note(a.Address, func(v *way) { v.class, v.route = a.Class, a.Route })
	}}
}

// agentTrace notes that the agent dialed.
func (w *witness) agentTrace(id string) *konnectivity.AgentTrace {
	return &konnectivity.AgentTrace{DialDone: func(_, address string, _ time.Duration, _ error) {
		w.note(address, func(v *way) { v.via = id })
	}}
}

// forwarded notes that the SSH server of a site dialed.
func (w *witness) forwarded(site string) func(address string) {
	return func(address string) { w.note(address, func(v *way) { v.via = site }) }
}
