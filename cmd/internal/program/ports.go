package program

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"github.com/sallyport/sallyport/cmd/internal/web"
)

// Ports are the two ports of HTTP that both programs have. Each has its listener,
// and its handler.
type Ports struct {
	Health, Admin               net.Listener
	HealthHandler, AdminHandler http.Handler
}

// Serve serves both as parts of g.
func (p Ports) Serve(g *Group, log *slog.Logger) {
	g.Go("admin port", func(ctx context.Context) error { return web.Serve(ctx, p.Admin, p.AdminHandler, log) })
	g.Go("health port", func(ctx context.Context) error { return web.Serve(ctx, p.Health, p.HealthHandler, log) })
}
