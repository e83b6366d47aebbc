package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/konnectivity"
)

// front is how clients reach a server.
type front struct {
	mode konnectivity.Mode
	unix bool
}

func (f front) String() string {
	name := map[konnectivity.Mode]string{konnectivity.ModeGRPC: "GRPC", konnectivity.ModeHTTPConnect: "CONNECT"}[f.mode]
	if f.unix {
		return name + "-UDS"
	}
	return name + "-mTLS"
}

// side says whose a part is.
type side bool

const (
	ours     side = true
	upstream side = false
)

func (s side) String() string {
	if s == ours {
		return "ours"
	}
	return "upstream"
}

// mix is one cell of the matrix.
type mix struct {
	client, server, agent side
	front                 front
}

func (m mix) String() string {
	return fmt.Sprintf("client %s, server %s %s, agent %s", m.client, m.server, m.front, m.agent)
}

// has reports whether the mix's name contains every part of only.
func (m mix) has(only string) bool {
	for part := range strings.SplitSeq(only, ";") {
		if !strings.Contains(m.String(), strings.TrimSpace(part)) {
			return false
		}
	}
	return true
}

// mixes returns all of them, those with a server in common together.
func mixes() (all []mix) {
	for _, server := range []side{ours, upstream} {
		for _, f := range []front{
			{konnectivity.ModeGRPC, true}, {konnectivity.ModeGRPC, false},
			{konnectivity.ModeHTTPConnect, true}, {konnectivity.ModeHTTPConnect, false},
		} {
			for _, agent := range []side{ours, upstream} {
				for _, client := range []side{ours, upstream} {
					all = append(all, mix{client, server, agent, f})
				}
			}
		}
	}
	return all
}

// checkTime bounds one check.
const checkTime = 40 * time.Second

// bounded runs a check and gives up on it when it does not notice that its time
// is over: a Read of upstream's client may never return, not even by Close.
func bounded(ctx context.Context, c check, w *world, dial dialFunc) result {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	done := make(chan result, 1)
	go func() { done <- c.do(ctx, w, dial) }()
	select {
	case r := <-done:
		return r
	case <-time.After(checkTime + 15*time.Second):
		return fail("hangs")
	}
}

// run starts the mix's programs and runs every check through them. logs is what
// the programs said.
func (m mix) run(ctx context.Context, w *world, p programs) (results []result, logs string, err error) {
	ports, err := freePorts()
	if err != nil {
		return nil, "", err
	}
	serverArgs, at := w.serverArgs(m.front, ports)
	server, err := start(p.of(m.server).server, append(serverArgs, p.of(m.server).serverArgs...))
	if err != nil {
		return nil, "", err
	}
	defer server.stop()
	agent, err := start(p.of(m.agent).agent, append(w.agentArgs(ports), p.of(m.agent).agentArgs...))
	if err != nil {
		return nil, server.output(), err
	}
	defer agent.stop()
	said := func() string {
		return fmt.Sprintf("-- server\n%s-- agent\n%s", server.output(), agent.output())
	}
	for _, url := range []string{healthURL(ports.serverHealth, "/readyz"), healthURL(ports.agentHealth, "/readyz")} {
		if err := waitReady(ctx, url); err != nil {
			return nil, said(), err
		}
	}
	dial, done, err := w.client(m, at)
	if err != nil {
		return nil, said(), err
	}
	defer done()
	for _, c := range checks {
		results = append(results, bounded(ctx, c, w, dial))
	}
	return results, said(), nil
}
