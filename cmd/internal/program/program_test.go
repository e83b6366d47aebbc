package program

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/cmd/internal/flags"
	"github.com/sallyport/sallyport/cmd/internal/logs"
	"github.com/sallyport/sallyport/internal/leak"
)

// program is one whose Run is run.
func program(run func(context.Context, *slog.Logger) error) Program {
	fs, log := flags.New("prog"), logs.NewOptions()
	log.AddFlags(fs)
	fs.String("secretless", "", "")
	return Program{What: "what it is", Flags: fs, Log: log, Validate: func() error { return nil }, Run: run}
}

func TestExitCodes(t *testing.T) {
	fine := func(context.Context, *slog.Logger) error { return nil }
	wrong := program(fine)
	wrong.Validate = func() error { return errors.New("--a is wrong") }
	for name, c := range map[string]struct {
		p              Program
		arg            string
		code           int
		stdout, stderr string
	}{
		"runs":           {program(fine), "--secretless=x", 0, "", "--secretless=x"},
		"help":           {program(fine), "--help", 0, "what it is", ""},
		"version":        {program(fine), "--version", 0, "prog ", ""},
		"unknown flag":   {program(fine), "--no-such", 1, "", "prog: unknown flag: --no-such; see prog --help\n"},
		"wrong value":    {wrong, "-v=4", 1, "", "prog: --a is wrong\n"},
		"wrong log flag": {program(fine), "--log-format=xml", 1, "", "--log-format"},
		"fails":          {program(func(context.Context, *slog.Logger) error { return errors.New("no luck") }), "-v=4", 1, "", "prog: no luck\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			if code := c.p.Main([]string{c.arg}, &out, &errOut); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if !strings.Contains(out.String(), c.stdout) || !strings.Contains(errOut.String(), c.stderr) {
				t.Errorf("printed %q and %q, want %q and %q in them", &out, &errOut, c.stdout, c.stderr)
			}
		})
	}
}

func TestSignalEndsTheContext(t *testing.T) {
	leak.Check(t)
	p := program(func(ctx context.Context, _ *slog.Logger) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
	var out, errOut bytes.Buffer
	if code := p.Main(nil, &out, &errOut); code != 0 {
		t.Errorf("exit code %d: %s", code, &errOut)
	}
	if !strings.Contains(errOut.String(), "signal=terminated") {
		t.Errorf("the log does not tell of the signal: %s", &errOut)
	}
}

func TestGroup(t *testing.T) {
	leak.Check(t)
	t.Run("asked to end", func(t *testing.T) {
		g := NewGroup()
		g.Go("part", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		asked, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.Wait(asked); err != nil {
			t.Error(err)
		}
		g.Stop()
	})
	t.Run("a part fails", func(t *testing.T) {
		g, alive := NewGroup(), false
		g.Go("lasting", func(ctx context.Context) error {
			<-ctx.Done()
			alive = true // until Stop
			return ctx.Err()
		})
		failed := errors.New("failed")
		g.Go("failing", func(context.Context) error { return failed })
		if err := g.Wait(t.Context()); !errors.Is(err, failed) || !strings.HasPrefix(err.Error(), "failing: ") {
			t.Errorf("%v, want that the part failed", err)
		}
		g.Stop()
		if !alive {
			t.Error("the other part was not waited for")
		}
	})
}

func TestListenNamesTheFlag(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	if _, err := Listen("some-port", "127.0.0.1", port); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "--some-port") {
		t.Errorf("%v, want that the port of the flag is taken", err)
	}
}

func TestListenAllOrNothing(t *testing.T) {
	var first, second net.Listener
	taken := errors.New("taken")
	err := ListenAll(
		Place{&first, func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }},
		Place{&second, func() (net.Listener, error) { return nil, taken }},
	)
	if !errors.Is(err, taken) || second != nil {
		t.Errorf("%v, %v, want the error of the second and no listener", err, second)
	}
	if _, err := first.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the first listener: %v, want it closed", err)
	}
}
