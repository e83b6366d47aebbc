// Package program is what both programs have in common from their command line
// to their exit code.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"

	"github.com/spf13/pflag"

	"github.com/sallyport/sallyport/cmd/internal/flags"
	"github.com/sallyport/sallyport/cmd/internal/logs"
)

// Program is one of the programs.
type Program struct {
	What     string // for the help
	Flags    *pflag.FlagSet
	Unused   []flags.Unused
	Log      *logs.Options
	Validate func() error
	// Run runs until ctx ends and then drains. It returns nil when it ended because
	// of that, and otherwise why it could not go on.
	Run func(ctx context.Context, log *slog.Logger) error
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
)

// Main runs p with the command line args and returns the exit code: 0 after a
// drain that SIGTERM or SIGINT asked for, also one that ran into its deadline. A
// second signal ends the process at once with 1.
func (p Program) Main(args []string, out, errOut io.Writer) int {
	err := p.main(args, out, errOut)
	switch {
	case err == nil, errors.Is(err, flags.ErrDone):
		return exitOK
	}
	fmt.Fprintf(errOut, "%s: %v\n", p.Flags.Name(), err)
	return exitFailed
}

func (p Program) main(args []string, out, errOut io.Writer) error {
	if err := flags.Parse(p.Flags, args, out, p.What, version()); err != nil {
		return err
	}
	if err := p.Validate(); err != nil {
		return err
	}
	log, file, err := p.Log.Open(p.Flags.Name(), errOut)
	if err != nil {
		return err
	}
	defer file.Close()
	log.Info("starting", "program", p.Flags.Name(), "version", version(), "flags", given(p.Flags))
	flags.Report(p.Flags, p.Unused, log)

	ctx, stop := untilSignal(log)
	defer stop()
	if err := p.Run(ctx, log); err != nil {
		log.Error("ended", "err", err)
		return err
	}
	log.Info("ended")
	return nil
}

// given lists the flags of the command line, none of which holds a secret.
func given(fs *pflag.FlagSet) (all []string) {
	fs.Visit(func(f *pflag.Flag) { all = append(all, "--"+f.Name+"="+f.Value.String()) })
	return all
}

// version returns the version of the module the program was built from, or the
// revision of the repository.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
