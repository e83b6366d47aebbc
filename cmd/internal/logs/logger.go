package logs

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
)

// Open returns the logger that o describes. program names a log file that has no
// name of its own. The closer ends the log file, if there is one.
func (o *Options) Open(program string, stderr io.Writer) (*slog.Logger, io.Closer, error) {
	if o.Format != "text" && o.Format != "json" {
		return nil, nil, fmt.Errorf("--log-format is %q; want text or json", o.Format)
	}
	if o.ToStderr {
		least := o.level()
		if !o.LegacyThreshold {
			least = max(least, o.StderrThreshold.Level())
		}
		return slog.New(o.handler(stderr, least)), io.NopCloser(nil), nil
	}
	path := o.File
	if path == "" && o.Dir != "" {
		path = filepath.Join(o.Dir, program+".log")
	}
	if path == "" {
		return nil, nil, fmt.Errorf("--logtostderr=false without --log-file and --log-dir: say where to log to")
	}
	file, err := openFile(path, int64(o.MaxSizeMB)<<20)
	if err != nil {
		return nil, nil, fmt.Errorf("log file: %w", err)
	}
	least := o.StderrThreshold.Level()
	if o.AlsoToStderr {
		least = min(least, o.AlsoThreshold.Level())
	}
	both := slog.NewMultiHandler(o.handler(file, o.level()), o.handler(stderr, max(least, o.level())))
	return slog.New(both), file, nil
}

func (o *Options) handler(w io.Writer, least slog.Level) slog.Handler {
	h := &slog.HandlerOptions{Level: least}
	if o.Format == "json" {
		return slog.NewJSONHandler(w, h)
	}
	return slog.NewTextHandler(w, h)
}
