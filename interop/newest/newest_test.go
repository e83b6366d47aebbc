package newest_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"google.golang.org/grpc"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/pkg/client"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/interop/suite"
)

func TestWire(t *testing.T) { suite.Wire(t) }

func TestInterop(t *testing.T) { suite.Run(t, suite.SingleUse) }

// TestReusableTunnel has all dials of a test share one connection, with a stream
// for each.
func TestReusableTunnel(t *testing.T) { suite.Clients(t, reusable) }

func reusable(t testing.TB, address string, opts ...grpc.DialOption) dialer.Dialer {
	tunnel, err := client.CreateGRPCTunnel(context.Background(), address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tunnel.Close() })
	return dialer.Func(func(ctx context.Context, network, target string) (net.Conn, error) {
		c, err := tunnel.DialContext(ctx, network, target)
		if err != nil {
			return nil, fmt.Errorf("dialing %s: %w", target, err)
		}
		return c, nil
	})
}
