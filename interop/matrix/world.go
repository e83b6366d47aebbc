package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/internal/testpki"
)

// world is what all mixes share: certificates on disk and the targets.
type world struct {
	dir     string
	targets *targets
}

func newWorld() (*world, error) {
	dir, err := os.MkdirTemp("", "matrix")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir}
	if err := w.issue(); err != nil {
		w.close()
		return nil, err
	}
	w.targets, err = listenTargets()
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) close() {
	if w.targets != nil {
		w.targets.close()
	}
	os.RemoveAll(w.dir)
}

// issue writes one authority and a certificate for each part.
func (w *world) issue() error {
	ca, err := testpki.NewCA("matrix")
	if err != nil {
		return err
	}
	if err := testpki.WriteFile(w.file("ca.crt"), ca.PEM()); err != nil {
		return err
	}
	for _, name := range []string{"server", "agent", "client"} {
		p, err := ca.Issue(testpki.Leaf{CommonName: name, Names: []string{"127.0.0.1"}})
		if err != nil {
			return err
		}
		if _, _, err := p.Write(w.dir, name); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

// address is where a front listens.
type address struct{ network, address string }

// serverArgs returns a server's flags, the same for ours and upstream's.
func (w *world) serverArgs(f front, p ports) (args []string, at address) {
	args = []string{
		"--mode=" + string(f.mode),
		"--cluster-cert=" + w.file("server.crt"), "--cluster-key=" + w.file("server.key"), "--cluster-ca-cert=" + w.file("ca.crt"),
		"--agent-bind-address=127.0.0.1", "--server-bind-address=127.0.0.1",
		"--health-bind-address=127.0.0.1", "--admin-bind-address=127.0.0.1",
		fmt.Sprintf("--agent-port=%d", p.agent), fmt.Sprintf("--health-port=%d", p.serverHealth), fmt.Sprintf("--admin-port=%d", p.serverAdmin),
	}
	if f.unix {
		at = address{"unix", w.file("front.sock")}
		return append(args, "--server-port=0", "--uds-name="+at.address, "--delete-existing-uds-file"), at
	}
	at = address{"tcp", fmt.Sprintf("127.0.0.1:%d", p.front)}
	return append(args,
		fmt.Sprintf("--server-port=%d", p.front),
		"--server-cert="+w.file("server.crt"), "--server-key="+w.file("server.key"), "--server-ca-cert="+w.file("ca.crt"),
	), at
}

// agentArgs returns an agent's flags, the same for ours and upstream's.
func (w *world) agentArgs(p ports) []string {
	return []string{
		"--proxy-server-host=127.0.0.1", fmt.Sprintf("--proxy-server-port=%d", p.agent),
		"--ca-cert=" + w.file("ca.crt"), "--agent-cert=" + w.file("agent.crt"), "--agent-key=" + w.file("agent.key"),
		"--health-server-host=127.0.0.1", "--admin-bind-address=127.0.0.1",
		fmt.Sprintf("--health-server-port=%d", p.agentHealth), fmt.Sprintf("--admin-server-port=%d", p.agentAdmin),
	}
}
