package agent

import (
	"context"
	"io"
	"log/slog"

	"github.com/sallyport/sallyport/cmd/internal/program"
)

// Main runs the program with the command line args and returns its exit code.
func Main(args []string, out, errOut io.Writer) int {
	o := NewOptions()
	return program.Program{
		What:  "konnectivity-agent keeps tunnels to servers and connects to targets for them.",
		Flags: o.Flags(), Unused: o.unused(), Log: o.Log, Validate: o.Validate, Run: o.Run,
	}.Main(args, out, errOut)
}

// Run keeps the tunnels until ctx ends, and then drains.
func (o *Options) Run(ctx context.Context, log *slog.Logger) error {
	p, err := o.assemble(log)
	if err != nil {
		return err
	}
	if err := program.ListenAll(
		program.Port(&p.Admin, "admin-server-port", o.AdminBindAddress, o.AdminPort),
		program.Port(&p.Health, "health-server-port", o.HealthHost, o.HealthPort),
	); err != nil {
		return err
	}
	o.Profile()
	g := program.NewGroup()
	defer g.Stop()
	p.Ports.Serve(g, log)
	log.Info("serving", "health", p.Health.Addr().String(), "admin", p.Admin.Addr().String())

	running, cancel := context.WithCancel(ctx)
	defer cancel()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		p.agent.Run(running) // ends with running, and only then
	}()
	err = g.Wait(ctx)
	cancel()
	<-drained
	return err
}
