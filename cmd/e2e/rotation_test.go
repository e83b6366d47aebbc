package e2e

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/konnectivity"
)

// Certificates are replaced while the programs run, and connections stay.
func TestRotation(t *testing.T) {
	w := newWorld(t)
	w.server(false, "--mode=http-connect", "--agent-identity=any")
	agent := w.agent()
	w.up()
	c := mustDial(t, w.client(konnectivity.ModeHTTPConnect, false), echo(t))
	talk(t, c, "before")

	before := w.serial()
	w.issue("server", testpki.Leaf{CommonName: "server", Names: []string{"127.0.0.1"}})
	eventually(t, "the server shows its new certificate", func() bool { return w.serial() != before })

	// A further authority for the agents: who has a certificate of it is taken.
	old := w.ca
	w.ca = testpki.MustCA(t, "ca")
	w.write("ca.crt", append(old.PEM(), w.ca.PEM()...))
	w.issue("agent", testpki.Leaf{CommonName: "agent-of-the-new-ca"})
	second := newAgent(w, "--agent-id=node-2")
	eventually(t, "an agent of the new authority is taken", func() bool {
		return w.hasMetric(w.ports.serverHealth, `konnectivity_network_proxy_server_ready_backends{proxy_strategy="default"} 2`)
	})
	talk(t, c, "after")
	for _, p := range []*process{agent, second} {
		if strings.Contains(p.output.String(), "tunnel lost") {
			t.Error("a tunnel was lost over it")
		}
	}
}

// newAgent starts a further agent on ports of its own.
func newAgent(w *world, more ...string) *process {
	w.t.Helper()
	p := freePorts(w.t, 2)
	return w.agent(append([]string{fmt.Sprintf("--health-server-port=%d", p[0]), fmt.Sprintf("--admin-server-port=%d", p[1])}, more...)...)
}

// serial is that of the certificate that agents are shown.
func (w *world) serial() string {
	w.t.Helper()
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", w.ports.agents), &tls.Config{
		RootCAs: w.ca.Pool(), ServerName: "127.0.0.1", NextProtos: []string{"h2"},
		Certificates: []tls.Certificate{w.ca.MustPair(w.t, testpki.Leaf{CommonName: "looker-on"})},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}
