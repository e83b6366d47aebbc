// Package flagtest compares the flags of our programs with those of
// Konnectivity's.
package flagtest

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/sallyport/sallyport/cmd/internal/flags"
)

// Flag is a flag of Konnectivity's.
type Flag struct{ Name, Type, Default string }

// Random is the Default of an id that is another one each time.
const Random = "(random)"

// Read reads a list of flags, one a line.
func Read(t *testing.T, file string) (all []Flag) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := Flag{Name: fields[0], Type: fields[1]}
		if len(fields) > 2 {
			f.Default = fields[2]
		}
		all = append(all, f)
	}
	if len(all) < 40 {
		t.Fatalf("%s has %d flags; Konnectivity's programs have more", file, len(all))
	}
	return all
}

// Compare checks that fs has every flag of want, with its type and its default.
func Compare(t *testing.T, fs *pflag.FlagSet, want []Flag) {
	t.Helper()
	for _, w := range want {
		f := fs.Lookup(w.Name)
		if f == nil {
			t.Errorf("there is no --%s", w.Name)
			continue
		}
		typ := strings.Replace(f.Value.Type(), "stringSlice", "strings", 1)
		if typ = strings.Replace(typ, "uint64", "uint", 1); typ != w.Type {
			t.Errorf("--%s takes a %s, want %s", w.Name, typ, w.Type)
		}
		if f.DefValue != w.Default && w.Default != Random {
			t.Errorf("--%s has the default %q, want %q", w.Name, f.DefValue, w.Default)
		}
	}
}

// Help checks that the program prints what is in file when it is asked for help.
func Help(t *testing.T, main func(args []string, out, errOut io.Writer) int, file string) {
	t.Helper()
	for _, name := range []string{"PROXY_AGENT_ID", "PROXY_AGENT_ALLOW_CIDRS", "PROXY_SERVER_ID"} {
		t.Setenv(name, "")
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	if code := main([]string{"--help"}, &out, &errOut); code != 0 || errOut.Len() > 0 {
		t.Errorf("exit code %d, %s", code, &errOut)
	}
	if out.String() != string(want) {
		t.Errorf("the help is\n%s\nand %s is another; want them equal", &out, file)
	}
}

// Defaults is a command line with every flag of all at its default.
func Defaults(all []Flag) (args []string) {
	for _, f := range all {
		if f.Default != Random {
			args = append(args, "--"+f.Name+"="+f.Default)
		}
	}
	return args
}

// Other returns a value for f that is not its default.
func Other(t *testing.T, f *pflag.Flag) string {
	t.Helper()
	switch typ := f.Value.Type(); typ {
	case "bool":
		return fmt.Sprint(f.DefValue != "true")
	case "int", "float32":
		return "77"
	case "duration":
		return "77s"
	case "string":
		return "other"
	case "moduleSpec":
		return "server=3"
	case "traceLocation":
		return "server.go:3"
	default:
		t.Fatalf("--%s takes a %s; say what another value is", f.Name, typ)
		return ""
	}
}

// UnusedOnce checks that each of unused is accepted with another value than its
// default and then told once, and nothing is told of the defaults.
func UnusedOnce(t *testing.T, make func() *pflag.FlagSet, unused []flags.Unused, defaults []string) {
	t.Helper()
	var quiet bytes.Buffer
	fs := make()
	Parse(t, fs, defaults...)
	flags.Report(fs, unused, logger(&quiet))
	if quiet.Len() > 0 {
		t.Errorf("flags that were given with their defaults are told of:\n%s", &quiet)
	}
	for _, u := range unused {
		fs, out := make(), new(bytes.Buffer)
		Parse(t, fs, "--"+u.Name+"="+Other(t, fs.Lookup(u.Name)))
		flags.Report(fs, unused, logger(out))
		if n := strings.Count(out.String(), "flag=--"+u.Name+" "); n != 1 || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("--%s: told of %d times, want once and alone:\n%s", u.Name, n, out)
		}
	}
}

// Parse parses args, which must be right.
func Parse(t *testing.T, fs *pflag.FlagSet, args ...string) {
	t.Helper()
	if err := flags.Parse(fs, args, io.Discard, "", ""); err != nil {
		t.Fatal(err)
	}
}

func logger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
