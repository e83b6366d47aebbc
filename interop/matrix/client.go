package main

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/server/egressselector"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/pkg/client"

	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/transport"
)

// dialFunc connects through a mix.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// client returns the mix's client and what ends it.
func (w *world) client(m mix, at address) (dial dialFunc, done func(), err error) {
	switch {
	case m.client == ours:
		return w.ourClient(m.front, at)
	case m.front.mode == konnectivity.ModeGRPC && !m.front.unix:
		return w.upstreamLibrary(at)
	}
	return w.egressSelector(m.front, at)
}

func (w *world) ourClient(f front, at address) (dialFunc, func(), error) {
	cfg := konnectivity.ClientConfig{Mode: f.mode, Network: at.network, Address: at.address}
	if !f.unix {
		roots, err := transport.NewCAFile(w.file("ca.crt"), transport.FileOptions{})
		if err != nil {
			return nil, nil, err
		}
		pair, err := transport.NewKeyPair(w.file("client.crt"), w.file("client.key"), transport.FileOptions{})
		if err != nil {
			return nil, nil, err
		}
		cfg.Roots, cfg.Certificates = roots, pair
	}
	c, err := konnectivity.NewClient(cfg)
	if err != nil {
		return nil, nil, err
	}
	return c.DialContext, func() { c.Close() }, nil
}

// egressSelector is kube-apiserver's client, configured as its file would.
func (w *world) egressSelector(f front, at address) (dialFunc, func(), error) {
	conn := apiserver.Connection{ProxyProtocol: apiserver.ProtocolHTTPConnect}
	if f.mode == konnectivity.ModeGRPC {
		conn.ProxyProtocol = apiserver.ProtocolGRPC
	}
	if f.unix {
		conn.Transport = &apiserver.Transport{UDS: &apiserver.UDSTransport{UDSName: at.address}}
	} else {
		conn.Transport = &apiserver.Transport{TCP: &apiserver.TCPTransport{
			URL: "https://" + at.address,
			TLSConfig: &apiserver.TLSConfig{
				CABundle: w.file("ca.crt"), ClientCert: w.file("client.crt"), ClientKey: w.file("client.key"),
			},
		}}
	}
	es, err := egressselector.NewEgressSelector(&apiserver.EgressSelectorConfiguration{
		EgressSelections: []apiserver.EgressSelection{{Name: "cluster", Connection: conn}},
	})
	if err != nil {
		return nil, nil, err
	}
	dial, err := es.Lookup(egressselector.Cluster.AsNetworkContext())
	if err != nil {
		return nil, nil, fmt.Errorf("egress selector: %w", err)
	}
	return dialFunc(dial), func() {}, nil
}

// upstreamLibrary is upstream's client, one tunnel for each dial.
func (w *world) upstreamLibrary(at address) (dialFunc, func(), error) {
	cfg, err := w.clientTLS()
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		tunnel, err := client.CreateSingleUseGrpcTunnelWithContext(ctx, context.Background(), at.address,
			grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
		if err != nil {
			return nil, err
		}
		return tunnel.DialContext(ctx, network, address)
	}, func() {}, nil
}
