package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport/sallyport/cmd/internal/program"
)

// Main runs the program with the command line args and returns its exit code.
func Main(args []string, out, errOut io.Writer) int {
	o := NewOptions()
	return program.Program{
		What:  "konnectivity-server takes the tunnels of agents and connects clients, such as a kube-apiserver, through them.",
		Flags: o.Flags(), Unused: o.unused(), Log: o.Log, Validate: o.Validate, Run: o.Run,
	}.Main(args, out, errOut)
}

// Run serves until ctx ends, and then drains.
func (o *Options) Run(ctx context.Context, log *slog.Logger) error {
	p, err := o.assemble(log)
	if err != nil {
		return err
	}
	if err := o.listen(p); err != nil {
		return err
	}
	o.Profile()
	g := program.NewGroup()
	defer g.Stop()
	g.Go("agents", func(ctx context.Context) error { return p.agents.Serve(ctx, p.agentPort) })
	g.Go("clients", func(ctx context.Context) error { return p.front.Serve(ctx, p.frontPort) })
	p.Ports.Serve(g, log)
	log.Info("serving", "id", p.agents.ID(), "agents", p.agentPort.Addr().String(), "clients", p.frontPort.Addr().String(), "mode", o.Mode,
		"health", p.Health.Addr().String(), "admin", p.Admin.Addr().String())
	if err := g.Wait(ctx); err != nil {
		return err
	}
	p.drain(o.drain(), log)
	return nil
}

// drain lets open connections go on for at most patience. Agents are told at
// once, so that they need not find out.
func (p *parts) drain(patience time.Duration, log *slog.Logger) {
	if patience <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var ends sync.WaitGroup
	var front, agents error
	ends.Go(func() { front = p.front.Shutdown(ctx) })
	ends.Go(func() { agents = p.agents.Shutdown(ctx) })
	ends.Wait()
	if err := errors.Join(front, agents); err != nil {
		log.Warn("connections were left at the end of the drain and are cut", "after", patience, "err", err)
	}
}
