package konnectivity_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/direct"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/transport"
)

// A front end for a kube-apiserver on the same machine, over the unix socket that
// its EgressSelectorConfiguration names, and a client on the other side of it.
// The Dialer is mostly a [konnectivity.Server]; any other will do.
func ExampleNewFrontend() {
	dir := must(os.MkdirTemp("", "sallyport-example-"))
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "konnectivity-server.socket")

	frontend := must(konnectivity.NewFrontend(konnectivity.FrontendConfig{
		Mode:   konnectivity.ModeGRPC,
		Dialer: &direct.Dialer{},
	}))
	listener := must(konnectivity.ListenUnix(socket, konnectivity.UnixOptions{Mode: 0o660}))
	served := make(chan error, 1)
	go func() { served <- frontend.Serve(context.Background(), listener) }()

	client := must(konnectivity.NewClient(konnectivity.ClientConfig{
		Mode:    konnectivity.ModeGRPC,
		Network: "unix", Address: socket,
	}))
	conn := must(client.DialContext(context.Background(), "tcp", greeter()))
	fmt.Printf("%s", must(io.ReadAll(conn)))
	conn.Close()

	_, err := client.DialContext(context.Background(), "tcp", "127.0.0.1:1")
	fmt.Println(errors.Is(err, dialer.ErrRefused))
	client.Close()

	// Shutdown waits for the open connections; the context of Serve would cut them.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(frontend.Shutdown(ctx), errors.Is(<-served, konnectivity.ErrFrontendClosed))
	// Output:
	// hello from the target
	// true
	// <nil> true
}

// greeter is a target that greets once, and its address.
func greeter() string {
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	go func() {
		defer ln.Close()
		if c, err := ln.Accept(); err == nil {
			fmt.Fprintln(c, "hello from the target")
			c.Close()
		}
	}()
	return ln.Addr().String()
}

// HTTP CONNECT over TCP, where both sides show certificates that reload.
func ExampleNewFrontend_httpConnect() {
	const pki = "/etc/sallyport"
	files := transport.FileOptions{Log: slog.Default()}
	frontend := must(konnectivity.NewFrontend(konnectivity.FrontendConfig{
		Mode:   konnectivity.ModeHTTPConnect,
		Dialer: &direct.Dialer{},
		TLS: must(transport.ServerConfig(transport.ServerOptions{
			Certificates: must(transport.NewKeyPair(pki+"/server.crt", pki+"/server.key", files)),
			ClientRoots:  must(transport.NewCAFile(pki+"/apiserver-ca.crt", files)),
		})),
		MaxConns: 10_000,
		Log:      slog.Default(),
	}))
	listener := must(net.Listen("tcp", ":8090"))
	fmt.Println(frontend.Serve(context.Background(), listener))
}

// A control plane whose proxy server runs elsewhere, ours or upstream's.
func ExampleNewClient() {
	const pki = "/etc/sallyport"
	files := transport.FileOptions{Log: slog.Default()}
	client := must(konnectivity.NewClient(konnectivity.ClientConfig{
		Mode:         konnectivity.ModeHTTPConnect,
		Address:      "proxy.example:8090",
		Roots:        must(transport.NewCAFile(pki+"/proxy-ca.crt", files)),
		Certificates: must(transport.NewKeyPair(pki+"/apiserver.crt", pki+"/apiserver.key", files)),
	}))
	defer client.Close()
	conn, err := client.DialContext(context.Background(), "tcp", "node-1:10250")
	switch {
	case errors.Is(err, dialer.ErrNoRoute):
		fmt.Println("no agent reaches node-1:", err)
	case err != nil:
		fmt.Println(err)
	default:
		conn.Close()
	}
}
