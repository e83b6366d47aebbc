package server

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/cmd/internal/program"
	"github.com/sallyport/sallyport/konnectivity"
)

// listen makes p's listeners, that of the health port after those it speaks for:
// who gets an answer from it can connect to them.
func (o *Options) listen(p *parts) error {
	return program.ListenAll(
		program.Port(&p.agentPort, "agent-port", o.AgentBindAddress, o.AgentPort),
		program.Place{Into: &p.frontPort, Make: o.listenFront},
		program.Port(&p.Admin, "admin-port", cmp.Or(o.AdminBindAddress, "127.0.0.1"), o.AdminPort),
		program.Port(&p.Health, "health-port", o.HealthBindAddress, o.HealthPort),
	)
}

func (o *Options) listenFront() (net.Listener, error) {
	if o.UDSName == "" {
		return program.Listen("server-port", o.ServerBindAddress, o.ServerPort)
	}
	mode, err := o.socketMode()
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(o.UDSName)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--uds-name is %q: the directory %s does not exist; make it first, so that only the server and its clients may enter it", o.UDSName, dir)
	}
	ln, err := konnectivity.ListenUnix(o.UDSName, konnectivity.UnixOptions{Mode: mode, RemoveExisting: o.DeleteExistingUDS})
	if err != nil {
		return nil, fmt.Errorf("--uds-name: %w", err)
	}
	return ln, nil
}
