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

// listeners are what the program listens on.
type listeners struct{ agents, front, health, admin net.Listener }

// listen makes the listeners, that of the health port after those it speaks for:
// who gets an answer from it can connect to them.
func (o *Options) listen() (l listeners, err error) {
	steps := []struct {
		into *net.Listener
		make func() (net.Listener, error)
	}{
		{&l.agents, func() (net.Listener, error) {
			return program.Listen("agent-port", o.AgentBindAddress, o.AgentPort)
		}},
		{&l.front, o.listenFront},
		{&l.admin, func() (net.Listener, error) {
			return program.Listen("admin-port", cmp.Or(o.AdminBindAddress, "127.0.0.1"), o.AdminPort)
		}},
		{&l.health, func() (net.Listener, error) {
			return program.Listen("health-port", o.HealthBindAddress, o.HealthPort)
		}},
	}
	for i, s := range steps {
		if *s.into, err = s.make(); err != nil {
			for _, made := range steps[:i] {
				(*made.into).Close()
			}
			return l, err
		}
	}
	return l, nil
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
