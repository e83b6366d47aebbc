package program

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// untilSignal returns a context that ends with the first SIGTERM or SIGINT. The
// second ends the process, for whoever cannot wait for the drain. stop ends the
// watch.
func untilSignal(log *slog.Logger) (ctx context.Context, stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	ctx, cancel := context.WithCancel(context.Background())
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for n := 0; ; n++ {
			select {
			case s := <-signals:
				if n > 0 {
					log.Warn("second signal, ending at once", "signal", s.String())
					os.Exit(exitFailed)
				}
				log.Info("signal, draining; a second one ends at once", "signal", s.String())
				cancel()
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		<-watched
		cancel()
	}
}
