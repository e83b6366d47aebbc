package logs

import (
	"errors"
	"log/slog"
	"strconv"
	"strings"
)

// Severity is one of klog's: 0 is INFO, 1 WARNING, 2 ERROR, 3 FATAL.
type Severity int

// Level returns the level from which on records have severity s.
func (s Severity) Level() slog.Level {
	switch s {
	case 0:
		return slog.LevelInfo
	case 1:
		return slog.LevelWarn
	case 2:
		return slog.LevelError
	}
	return slog.LevelError + 1 // nothing is fatal here
}

// String implements pflag.Value.
func (s *Severity) String() string { return strconv.Itoa(int(*s)) }

// Set implements pflag.Value. It takes the number or the name.
func (s *Severity) Set(v string) error {
	for i, name := range []string{"INFO", "WARNING", "ERROR", "FATAL"} {
		if strings.EqualFold(v, name) || v == strconv.Itoa(i) {
			*s = Severity(i)
			return nil
		}
	}
	return errors.New("want INFO, WARNING, ERROR or FATAL, or 0 to 3")
}

// Type implements pflag.Value.
func (*Severity) Type() string { return "severity" }

type level int

func (l *level) String() string { return strconv.Itoa(int(*l)) }

func (l *level) Set(v string) error {
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return errors.New("want a number such as 4")
	}
	*l = level(n)
	return nil
}

func (*level) Type() string { return "Level" }

type traceLocation string

func (t *traceLocation) String() string     { return string(*t) }
func (t *traceLocation) Set(v string) error { *t = traceLocation(v); return nil }
func (*traceLocation) Type() string         { return "traceLocation" }

type moduleSpec string

func (m *moduleSpec) String() string     { return string(*m) }
func (m *moduleSpec) Set(v string) error { *m = moduleSpec(v); return nil }
func (*moduleSpec) Type() string         { return "moduleSpec" }
