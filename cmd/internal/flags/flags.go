// Package flags parses the command lines of both programs. They take every flag
// that Konnectivity's programs take, and some of their own.
package flags

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/pflag"
)

// ErrDone is returned by Parse when there is nothing to run: help was asked for.
var ErrDone = errors.New("nothing to run")

// Unused is a flag that is accepted, because Konnectivity's program has it, and
// has nothing to switch here.
type Unused struct{ Name, Why string }

// New returns an empty set for the program name.
func New(name string) *pflag.FlagSet {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	return fs
}

// Parse parses args. Help goes to out, and so does the version for --version;
// then the error is ErrDone. what describes the program for the help.
func Parse(fs *pflag.FlagSet, args []string, out io.Writer, what, version string) error {
	show := fs.Bool("version", false, "print the version and exit")
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprintf(out, "%s\n\nUsage:\n  %s [flags]\n\nFlags:\n%s", what, fs.Name(), usages(fs))
	}
	err := fs.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return ErrDone
	case err != nil:
		return fmt.Errorf("%w; see %s --help", err, fs.Name())
	case *show:
		fmt.Fprintln(out, fs.Name(), version)
		return ErrDone
	}
	return nil
}

// effective is the annotation with what a flag's default comes to.
const effective = "effective-default"

// Effective makes the help of the flag name show value as its default: what its
// default, which is Konnectivity's, comes to here.
func Effective(fs *pflag.FlagSet, name, value string) {
	f := fs.Lookup(name)
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[effective] = []string{value}
}

// usages describes the flags of fs with their effective defaults.
func usages(fs *pflag.FlagSet) string {
	shown := pflag.NewFlagSet(fs.Name(), pflag.ContinueOnError)
	fs.VisitAll(func(f *pflag.Flag) {
		c := *f
		if e := f.Annotations[effective]; len(e) > 0 {
			c.DefValue = e[0]
		}
		shown.AddFlag(&c)
	})
	return shown.FlagUsages()
}

// Report says once, for each flag of unused that was given another value than
// its default, that it does nothing here; and for each argument that is no flag.
func Report(fs *pflag.FlagSet, unused []Unused, log *slog.Logger) {
	for _, u := range unused {
		if f := fs.Lookup(u.Name); f != nil && f.Changed && f.Value.String() != f.DefValue {
			log.Warn("flag without effect", "flag", "--"+u.Name, "value", f.Value.String(), "why", u.Why)
		}
	}
	for _, arg := range fs.Args() {
		log.Warn("argument without effect: it is no flag; a switch takes its value as in --flag=false", "argument", arg)
	}
}

// List returns the elements of a list flag that say something. Empty lists are
// also written [].
func List(values []string) []string {
	var out []string
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" && v != "[]" {
			out = append(out, v)
		}
	}
	return out
}
