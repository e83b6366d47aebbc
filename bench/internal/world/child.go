package world

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// roleVariable tells a process that it is a child, and which.
const roleVariable = "SALLYPORT_BENCH_ROLE"

// A Role is what a child does with what it was started with. It returns the
// answers to the parent's questions and runs until ctx ends.
type Role func(ctx context.Context, args []byte) (answer func(question string) (any, error), err error)

// Roles makes this process what its parent started it for, and does not return
// then. A process without a parent goes on. It comes first in main.
func Roles(more map[string]Role) {
	name := os.Getenv(roleVariable)
	if name == "" {
		return
	}
	role := more[name]
	if role == nil {
		role = map[string]Role{"target": targetRole, "agents": agentsRole, "forwarder": forwarderRole}[name]
	}
	if err := play(role); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// play answers questions, one a line, until the parent is gone: that ends its
// standard input, so a child does not outlive it.
func play(role Role) error {
	if role == nil {
		return errors.New("there is no such role")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	if !in.Scan() {
		return errors.New("no arguments came")
	}
	answer, err := role(ctx, in.Bytes())
	if err != nil {
		return err
	}
	for in.Scan() {
		v, err := answer(in.Text())
		if err != nil {
			return err
		}
		if err := out.Encode(v); err != nil {
			return err
		}
	}
	return in.Err()
}

// Child is a process that plays a role.
type Child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start starts this program once more, as role, with args.
func Start(role string, args any) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &Child{cmd: exec.Command(self)}
	c.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	c.cmd.Stderr = os.Stderr
	c.cmd.WaitDelay = time.Second
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(c.in).Encode(args); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

// Ask asks the child and puts its answer into v.
func (c *Child) Ask(question string, v any) error {
	if _, err := fmt.Fprintln(c.in, question); err != nil {
		return err
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("no answer to %q: %w", question, err)
	}
	return json.Unmarshal(line, v)
}

// Usage is the child's.
func (c *Child) Usage() (u Usage, err error) {
	err = c.Ask("usage", &u)
	return u, err
}

// Stop ends the child.
func (c *Child) Stop() {
	c.in.Close()
	ended := time.AfterFunc(5*time.Second, func() { c.cmd.Process.Kill() })
	c.cmd.Wait()
	ended.Stop()
}

// targetRole serves a target and answers "port".
func targetRole(ctx context.Context, _ []byte) (func(string) (any, error), error) {
	t, err := NewTarget(0)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, t.Close)
	return func(question string) (any, error) {
		if question == "port" {
			return t.Port, nil
		}
		return answerUsage(question)
	}, nil
}

// agentsRole runs Agents.
func agentsRole(ctx context.Context, args []byte) (func(string) (any, error), error) {
	var a Agents
	if err := json.Unmarshal(args, &a); err != nil {
		return nil, err
	}
	go func() {
		if err := a.Run(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "agents: %v\n", err)
			os.Exit(1)
		}
	}()
	return answerUsage, nil
}

func answerUsage(question string) (any, error) {
	if question != "usage" {
		return nil, fmt.Errorf("no answer to %q", question)
	}
	return ReadUsage(), nil
}
