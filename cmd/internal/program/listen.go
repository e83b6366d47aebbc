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
