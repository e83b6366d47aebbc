package program

import (
	"fmt"
	"net"
	"strconv"
)

// Listen listens on a TCP port. flag names the port's flag in the error. An empty
// host is every address.
func Listen(flag, host string, port int) (net.Listener, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("--%s %d: %w", flag, port, err)
	}
	return ln, nil
}

// Place is one of the places that a program listens on.
type Place struct {
	Into *net.Listener
	Make func() (net.Listener, error)
}

// ListenAll makes the listeners of all places, in their order. When one cannot be
// made, it closes those that were.
func ListenAll(places ...Place) error {
	for i, p := range places {
		ln, err := p.Make()
		if err != nil {
			for _, made := range places[:i] {
				(*made.Into).Close()
			}
			return err
		}
		*p.Into = ln
	}
	return nil
}

// Port is a Place on a TCP port, as Listen takes it.
func Port(into *net.Listener, flag, host string, port int) Place {
	return Place{into, func() (net.Listener, error) { return Listen(flag, host, port) }}
}
