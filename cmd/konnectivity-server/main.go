// Command konnectivity-server is a drop-in replacement for the proxy-server of
// Kubernetes' Konnectivity.
package main

import (
	"os"

	"github.com/sallyport/sallyport/cmd/internal/server"
)

func main() { os.Exit(server.Main(os.Args[1:], os.Stdout, os.Stderr)) }
