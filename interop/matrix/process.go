package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"
)

// programs are the binaries under test.
type programs struct{ ours, upstream pair }

// pair is a server and an agent with what they need beside the common flags.
type pair struct {
	server, agent         string
	serverArgs, agentArgs []string
}

func (p programs) of(s side) pair {
	if s == ours {
		return p.ours
	}
	return p.upstream
}

// process is a program that runs.
type process struct {
	cmd  *exec.Cmd
	said output
}

// output collects what a program prints, from its two streams.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// maxOutput bounds what is kept of a talkative program.
const maxOutput = 1 << 20

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.b.Len() < maxOutput {
		o.b.Write(p)
	}
	return len(p), nil
}

func start(path string, args []string) (*process, error) {
	p := &process{cmd: exec.Command(path, args...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return p, nil
}

// stop ends the process at once: upstream's wait for a second signal.
func (p *process) stop() {
	p.cmd.Process.Signal(os.Kill)
	p.cmd.Wait()
}

func (p *process) output() string {
	p.said.mu.Lock()
	defer p.said.mu.Unlock()
	return p.said.b.String()
}

// ports are those that one mix listens on.
type ports struct{ front, agent, serverHealth, serverAdmin, agentHealth, agentAdmin int }

// freePorts finds ports in the range that upstream's flags accept.
func freePorts() (p ports, err error) {
	next := portBase
	find := func() int {
		for ; next < portLimit; next++ {
			ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", next))
			if err == nil {
				ln.Close()
				next++
				return next - 1
			}
		}
		return 0
	}
	p = ports{find(), find(), find(), find(), find(), find()}
	if p.agentAdmin == 0 {
		return p, fmt.Errorf("no free ports from %d to %d", portBase, portLimit)
	}
	return p, nil
}

const portBase, portLimit = 21000, 22000

func healthURL(port int, path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", port, path) }

// waitReady waits until url answers 200.
func waitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if get(ctx, url) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", url, ctx.Err())
		case <-tick.C:
		}
	}
}

func get(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
