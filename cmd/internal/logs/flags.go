// Package logs turns the log flags of both programs into a slog.Logger. The
// flags are those of klog, which Konnectivity's programs have, and --log-format.
package logs

import (
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/sallyport/sallyport/cmd/internal/flags"
)

// Options are the values of the log flags. Use NewOptions for the defaults.
type Options struct {
	Format    string
	Verbosity int

	ToStderr, AlsoToStderr bool
	// LegacyThreshold makes StderrThreshold mean nothing while ToStderr is set.
	LegacyThreshold                 bool
	StderrThreshold, AlsoThreshold  Severity
	Dir, File                       string
	MaxSizeMB                       uint64
	addDirHeader, skipHeaders       bool
	skipLogHeaders, oneOutput       bool
	traceLocation, modulesVerbosity string
}

// NewOptions returns the defaults.
func NewOptions() *Options {
	return &Options{
		Format: "text", Verbosity: 4, ToStderr: true, LegacyThreshold: true,
		StderrThreshold: Severity(2), MaxSizeMB: 1800, traceLocation: ":0",
	}
}

// AddFlags adds the flags to fs, with o's values as defaults.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Format, "log-format", o.Format, "form of the log lines: text or json")
	fs.VarP((*level)(&o.Verbosity), "v", "v", "verbosity: below 5 logs what an operator should see, 5 and more also what helps to find a fault")
	fs.BoolVar(&o.ToStderr, "logtostderr", o.ToStderr, "log to standard error; with false, to --log-file or into --log-dir")
	fs.BoolVar(&o.AlsoToStderr, "alsologtostderr", o.AlsoToStderr, "with --logtostderr=false: log to standard error as well")
	fs.Var(&o.AlsoThreshold, "alsologtostderrthreshold", "with --alsologtostderr: the least severity that goes to standard error")
	fs.Var(&o.StderrThreshold, "stderrthreshold", "with --logtostderr=false: the least severity that goes to standard error all the same")
	fs.BoolVar(&o.LegacyThreshold, "legacy-stderr-threshold-behavior", o.LegacyThreshold, "with --logtostderr: log everything; with false, only from --stderrthreshold on")
	fs.StringVar(&o.Dir, "log-dir", o.Dir, "with --logtostderr=false and no --log-file: the directory of the log file, which has the program's name")
	fs.StringVar(&o.File, "log-file", o.File, "with --logtostderr=false: the log file; it is appended to")
	fs.Uint64Var(&o.MaxSizeMB, "log-file-max-size", o.MaxSizeMB, "megabytes of a log file before it is renamed to end in .old, replacing an earlier one; 0 is no limit")

	fs.BoolVar(&o.addDirHeader, "add-dir-header", o.addDirHeader, "accepted, no effect")
	fs.BoolVar(&o.skipHeaders, "skip-headers", o.skipHeaders, "accepted, no effect")
	fs.BoolVar(&o.skipLogHeaders, "skip-log-headers", o.skipLogHeaders, "accepted, no effect")
	fs.BoolVar(&o.oneOutput, "one-output", o.oneOutput, "accepted, no effect")
	fs.Var((*traceLocation)(&o.traceLocation), "log-backtrace-at", "accepted, no effect")
	fs.Var((*moduleSpec)(&o.modulesVerbosity), "vmodule", "accepted, no effect")
}

// Unused lists the log flags that have nothing to switch here.
func Unused() []flags.Unused {
	const header = "log lines have the form that --log-format names"
	return []flags.Unused{
		{Name: "add-dir-header", Why: header},
		{Name: "skip-headers", Why: header},
		{Name: "skip-log-headers", Why: "log files begin without a header"},
		{Name: "one-output", Why: "there is one log file for all severities"},
		{Name: "log-backtrace-at", Why: "log lines carry no stack traces"},
		{Name: "vmodule", Why: "verbosity is set for the whole program, with -v"},
	}
}

// debugVerbosity is the least -v that logs what is for finding faults. It lies
// above the default, which is as talkative as an operator wants it.
const debugVerbosity = 5

func (o *Options) level() slog.Level {
	if o.Verbosity >= debugVerbosity {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
