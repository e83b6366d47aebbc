package agent

import (
	"context"
	"io"
	"log/slog"
	"runtime"

	"github.com/sallyport/sallyport/cmd/internal/program"
	"github.com/sallyport/sallyport/cmd/internal/web"
)

// Main runs the program with the command line args and returns its exit code.
func Main(args []string, out, errOut io.Writer) int {
	o := NewOptions()
	return program.Program{
		What:  "konnectivity-agent keeps tunnels to servers and connects to targets for them.",
		Flags: o.Flags(), Unused: unused(), Log: o.Log, Validate: o.Validate, Run: o.Run,
	}.Main(args, out, errOut)
}

// Run keeps the tunnels until ctx ends, and then drains.
func (o *Options) Run(ctx context.Context, log *slog.Logger) error {
	p, err := o.assemble(log)
	if err != nil {
		return err
	}
	admin, err := program.Listen("admin-server-port", o.AdminBindAddress, o.AdminPort)
	if err != nil {
		return err
	}
	health, err := program.Listen("health-server-port", o.HealthHost, o.HealthPort)
	if err != nil {
		admin.Close()
		return err
	}
	if o.Contention {
		runtime.SetBlockProfileRate(1)
	}
	g := program.NewGroup()
	defer g.Stop()
	g.Go("admin port", func(ctx context.Context) error { return web.Serve(ctx, admin, p.admin, log) })
	g.Go("health port", func(ctx context.Context) error { return web.Serve(ctx, health, p.health, log) })
	log.Info("serving", "health", health.Addr().String(), "admin", admin.Addr().String())

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
