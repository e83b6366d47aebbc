// Command konnectivity-agent is a drop-in replacement for the proxy-agent of
// Kubernetes' Konnectivity.
package main

import (
	"os"

	"github.com/sallyport/sallyport/cmd/internal/agent"
)

func main() { os.Exit(agent.Main(os.Args[1:], os.Stdout, os.Stderr)) }
