package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// Dialing kubelets: the address comes from somewhere, the identity from the
// name that was asked for.
func ExampleNew() {
	ca, err := testpki.NewCA("cluster")
	if err != nil {
		log.Fatal(err)
	}
	// This kubelet is node-2, whatever else its certificate is valid for.
	issued, err := ca.Issue(testpki.Leaf{
		CommonName: "system:node:node-2", Groups: []string{"system:nodes"}, Names: []string{"node-1", "node-2"},
	})
	if err != nil {
		log.Fatal(err)
	}
	pair, err := issued.Pair()
	if err != nil {
		log.Fatal(err)
	}
	kubelet := httptest.NewUnstartedServer(http.NotFoundHandler())
	kubelet.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	kubelet.Config.ErrorLog = log.New(discard{}, "", 0)
	kubelet.StartTLS()
	defer kubelet.Close()

	d, err := transport.New(transport.Config{
		Dialer:   new(net.Dialer),
		Roots:    transport.StaticRoots(ca.Pool()),
		NodeName: transport.HostAsNode,
		Address: func(ctx context.Context, address string) (string, error) {
			return kubelet.Listener.Addr().String(), nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, address := range []string{"node-2:10250", "node-1:10250"} {
		conn, err := d.DialContext(context.Background(), "tcp", address)
		if err != nil {
			fmt.Println(address, "denied:", errors.Is(err, dialer.ErrDenied))
			continue
		}
		fmt.Println(address, "connected")
		conn.Close()
	}
	// Output:
	// node-2:10250 connected
	// node-1:10250 denied: true
}

// discard drops what a test server logs of refused handshakes.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// Following files: certificates and authorities rotate without a restart.
func ExampleNewRoundTripper() {
	opts := transport.FileOptions{
		Log: slog.Default(),
		Trace: &transport.FileTrace{
			ReloadFailed: func(file string, err error) { /* count it */ },
		},
	}
	roots, err := transport.NewCAFile("/etc/kubernetes/kubelet-ca.crt", opts)
	if err != nil {
		fmt.Println("no CA, no transport:", err != nil)
		return
	}
	pair, err := transport.NewKeyPair("/etc/kubernetes/kubelet-client.crt", "/etc/kubernetes/kubelet-client.key", opts)
	if err != nil {
		log.Fatal(err)
	}
	kubelets, err := transport.New(transport.Config{
		Dialer:       new(net.Dialer), // or a tunnel
		Roots:        roots,
		Certificates: pair,
		NodeName:     transport.HostAsNode,
	})
	if err != nil {
		log.Fatal(err)
	}
	rt, err := transport.NewRoundTripper(kubelets, transport.HTTPConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.CloseIdleConnections()
	client := &http.Client{Transport: rt}
	resp, err := client.Get("https://node-1:10250/healthz")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	// Output:
	// no CA, no transport: true
}

// A listener that only clients with a certificate of the agents' authority can
// use.
func ExampleServerConfig() {
	agents, err := testpki.NewCA("agents")
	if err != nil {
		log.Fatal(err)
	}
	issued, err := agents.Issue(testpki.Leaf{Names: []string{"tunnel.example.com"}})
	if err != nil {
		log.Fatal(err)
	}
	pair, err := issued.Pair()
	if err != nil {
		log.Fatal(err)
	}
	config, err := transport.ServerConfig(transport.ServerOptions{
		Certificates: transport.StaticCertificate(pair),
		ClientRoots:  transport.StaticRoots(agents.Pool()),
		NextProtos:   []string{"sallyport/1", "h2"},
	})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	fmt.Println(config.ClientAuth, tls.VersionName(config.MinVersion))
	// Output:
	// RequireAndVerifyClientCert TLS 1.3
}
