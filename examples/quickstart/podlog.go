package main

import (
	"context"
	"io"
	"net/http"
	"sync"
)

// podLog is the log of a pod: lines are appended and many may follow it.
type podLog struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed when there is another line
}

func newPodLog() *podLog { return &podLog{more: make(chan struct{})} }

// append adds a line and wakes those who follow.
func (l *podLog) append(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	close(l.more)
	l.more = make(chan struct{})
}

// from returns the lines from the one numbered i on, and what is closed when
// there are more.
func (l *podLog) from(i int) ([]string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[i:], l.more
}

// follow writes all lines, those there are and those to come, until ctx ends or
// writing fails.
func (l *podLog) follow(ctx context.Context, w io.Writer, flush func() error) error {
	for i := 0; ; {
		lines, more := l.from(i)
		for _, line := range lines {
			if _, err := io.WriteString(w, line+"\n"); err != nil {
				return err
			}
		}
		i += len(lines)
		if err := flush(); err != nil {
			return err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ServeHTTP lets the client follow the log.
func (l *podLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The client sees the end of the stream, whatever the reason.
	_ = l.follow(r.Context(), w, http.NewResponseController(w).Flush)
}
