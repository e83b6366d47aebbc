package main

import (
	"crypto/tls"
	"fmt"
	"net"
)

// listen opens a port on a loopback address. The port is any free one, so that
// two runs, or a machine with a kubelet of its own, do not meet.
func listen(ip string) (net.Listener, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return nil, fmt.Errorf("%w (all of 127.0.0.0/8 has to be local, as on Linux; elsewhere add %s as an alias of the loopback interface)", err, ip)
	}
	return ln, nil
}

// listenTLS is listen with TLS.
func listenTLS(ip string, cfg *tls.Config) (net.Listener, error) {
	ln, err := listen(ip)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(ln, cfg), nil
}

// portOf returns the port of ln.
func portOf(ln net.Listener) string {
	_, port, _ := net.SplitHostPort(ln.Addr().String()) // an address of a listener has one
	return port
}

// named returns the address of ln under a name.
func named(name string, ln net.Listener) string { return net.JoinHostPort(name, portOf(ln)) }
