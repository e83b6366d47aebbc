package program

import (
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/cmd/internal/flags"
	"github.com/sallyport/sallyport/konnectivity"
)

// DefaultProtocols are both, the preferred one first.
func DefaultProtocols() []string { return []string{"yamux", "grpc"} }

// Protocols returns what the list flag with the name flag says that tunnels may
// speak.
func Protocols(flag string, list []string) ([]konnectivity.Protocol, error) {
	var want []konnectivity.Protocol
	for _, p := range flags.List(list) {
		if !slices.Contains(DefaultProtocols(), p) {
			return nil, fmt.Errorf("--%s has %q; want yamux, grpc or both", flag, p)
		}
		want = append(want, konnectivity.Protocol(p))
	}
	if len(want) == 0 {
		return nil, fmt.Errorf("--%s is empty; want yamux, grpc or both", flag)
	}
	return want, nil
}
