package logs

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// open returns the logger that the flags args make, and its standard error.
func open(t *testing.T, args ...string) (*slog.Logger, *bytes.Buffer) {
	t.Helper()
	o := NewOptions()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	o.AddFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	stderr := new(bytes.Buffer)
	log, closer, err := o.Open("program", stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closer.Close() })
	return log, stderr
}

// logAll logs once at each level.
func logAll(log *slog.Logger) {
	log.Debug("a-debug")
	log.Info("a-info")
	log.Warn("a-warning")
	log.Error("an-error")
}

// levels says which of the lines of logAll are in text, by the first letters.
func levels(text string) (got string) {
	for _, m := range []string{"a-debug", "a-info", "a-warning", "an-error"} {
		if strings.Contains(text, m) {
			got += strings.SplitAfterN(m, "-", 2)[1][:1]
		}
	}
	return got
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStandardError(t *testing.T) {
	for args, want := range map[string]string{
		"":                              "iwe",
		"-v=4":                          "iwe",
		"-v=0":                          "iwe",
		"-v5":                           "diwe",
		"--v=9 --stderrthreshold=ERROR": "diwe",
		"--stderrthreshold=ERROR --legacy-stderr-threshold-behavior=false":    "e",
		"--stderrthreshold=0 -v 8 --legacy-stderr-threshold-behavior=false":   "iwe",
		"--stderrthreshold=FATAL --legacy-stderr-threshold-behavior=false":    "",
		"--stderrthreshold=warning --legacy-stderr-threshold-behavior=false ": "we",
	} {
		log, stderr := open(t, strings.Fields(args)...)
		logAll(log)
		if got := levels(stderr.String()); got != want {
			t.Errorf("%q logs %q, want %q", args, got, want)
		}
	}
}

func TestLogFile(t *testing.T) {
	for args, want := range map[string]struct{ file, stderr string }{
		"":                      {"iwe", "e"},
		"--v=5":                 {"diwe", "e"},
		"--stderrthreshold=1":   {"iwe", "we"},
		"--alsologtostderr":     {"iwe", "iwe"},
		"--alsologtostderr -v5": {"diwe", "iwe"},
		"--alsologtostderr --alsologtostderrthreshold=WARNING": {"iwe", "we"},
	} {
		path := filepath.Join(t.TempDir(), "a.log")
		log, stderr := open(t, append(strings.Fields(args), "--logtostderr=false", "--log-file="+path)...)
		logAll(log)
		if got := levels(read(t, path)); got != want.file {
			t.Errorf("%q logs %q to the file, want %q", args, got, want.file)
		}
		if got := levels(stderr.String()); got != want.stderr {
			t.Errorf("%q logs %q to standard error, want %q", args, got, want.stderr)
		}
	}
}

func TestLogDirectory(t *testing.T) {
	dir := t.TempDir()
	log, _ := open(t, "--logtostderr=false", "--log-dir="+dir)
	log.Info("here")
	if got := read(t, filepath.Join(dir, "program.log")); !strings.Contains(got, "here") {
		t.Errorf("the log is %q", got)
	}
}

func TestLogFileIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	for _, line := range []string{"first", "second"} {
		log, _ := open(t, "--logtostderr=false", "--log-file="+path, "--log-file-max-size=0")
		log.Info(line)
	}
	if got := read(t, path); !strings.Contains(got, "first") || !strings.Contains(got, "second") {
		t.Errorf("the log is %q", got)
	}
}

func TestLogFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	f, err := openFile(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range "abc" {
		if _, err := f.Write(bytes.Repeat([]byte{byte(c)}, 60)); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, path) + " " + read(t, path+".old"); got != strings.Repeat("c", 60)+" "+strings.Repeat("b", 60) {
		t.Errorf("the log and the one before: %s", got)
	}
}

func TestFormat(t *testing.T) {
	log, stderr := open(t, "--log-format=json")
	log.Info("a message", "n", 1)
	var line struct {
		Level, Msg string
		N          int
	}
	if err := json.Unmarshal(stderr.Bytes(), &line); err != nil || line.Msg != "a message" || line.Level != "INFO" || line.N != 1 {
		t.Errorf("%s: %+v, %v", stderr, line, err)
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	for want, o := range map[string]Options{
		"--log-format":   {Format: "xml", ToStderr: true},
		"--log-file":     {Format: "text"},
		"/no/such/a.log": {Format: "text", File: "/no/such/a.log"},
	} {
		if _, _, err := o.Open("program", new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want an error with %s", o, err, want)
		}
	}
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	NewOptions().AddFlags(fs)
	for _, arg := range []string{"--stderrthreshold=LOUD", "--stderrthreshold=4", "-v=much"} {
		if fs.Parse([]string{arg}) == nil {
			t.Errorf("%s is taken", arg)
		}
	}
}
