package flags

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args, out string
		done      bool
	}{
		{"--help", "what it is", true},
		{"-h", "--some-flag", true},
		{"--version", "prog v1", true},
		{"--some_flag=x", "", false},
	} {
		fs, out := New("prog"), new(bytes.Buffer)
		fs.String("some-flag", "", "what it does")
		err := Parse(fs, strings.Fields(c.args), out, "what it is", "v1")
		if errors.Is(err, ErrDone) != c.done || !c.done && err != nil {
			t.Errorf("%s: %v", c.args, err)
		}
		if !strings.Contains(out.String(), c.out) {
			t.Errorf("%s prints %q, want %q in it", c.args, out, c.out)
		}
	}
	fs := New("prog")
	if err := Parse(fs, []string{"--no-such"}, new(bytes.Buffer), "", ""); err == nil || !strings.Contains(err.Error(), "no-such") {
		t.Errorf("unknown flag: %v", err)
	}
}

// The help shows what holds, and the flag keeps the default it is compared with.
func TestEffectiveDefault(t *testing.T) {
	fs, out := New("prog"), new(bytes.Buffer)
	fs.Duration("time", time.Hour, "a time")
	Effective(fs, "time", "4s")
	if err := Parse(fs, []string{"--help"}, out, "", ""); !errors.Is(err, ErrDone) {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "a time (default 4s)") || strings.Contains(got, "1h0m0s") {
		t.Errorf("the help is %s", got)
	}
	if def := fs.Lookup("time").DefValue; def != "1h0m0s" {
		t.Errorf("the default has become %s", def)
	}
}

func TestReport(t *testing.T) {
	fs, out := New("prog"), new(bytes.Buffer)
	fs.Bool("switch", true, "")
	fs.Int("size", 10, "")
	fs.Int("other", 10, "")
	if err := Parse(fs, []string{"--size=11", "--other=10", "--switch", "false"}, new(bytes.Buffer), "", ""); err != nil {
		t.Fatal(err)
	}
	Report(fs, []Unused{{"size", "too small"}, {"other", "no"}, {"switch", "no"}, {"absent", "no"}}, slog.New(slog.NewTextHandler(out, nil)))
	got := out.String()
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, "flag=--size value=11") || !strings.Contains(got, "too small") || !strings.Contains(got, "argument=false") {
		t.Errorf("told:\n%s", got)
	}
}

func TestList(t *testing.T) {
	if got := List([]string{"a", "", "[]", " b "}); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q, want a and b", got)
	}
}
