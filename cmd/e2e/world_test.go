package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/transport"
)

// world is what the programs of one test have in common.
type world struct {
	t      *testing.T
	dir    string
	ca     *testpki.CA
	socket string // of the front end
	ports  struct{ front, agents, serverHealth, serverAdmin, agentHealth, agentAdmin int }
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), ca: testpki.MustCA(t, "ca")}
	w.socket = filepath.Join(w.dir, "front.sock")
	p := freePorts(t, 6)
	w.ports.front, w.ports.agents, w.ports.serverHealth, w.ports.serverAdmin, w.ports.agentHealth, w.ports.agentAdmin = p[0], p[1], p[2], p[3], p[4], p[5]
	w.write("ca.crt", w.ca.PEM())
	w.issue("server", testpki.Leaf{CommonName: "server", Names: []string{"127.0.0.1", "localhost"}})
	w.issue("agent", testpki.Leaf{CommonName: "system:node:node-1", Groups: []string{"system:nodes"}})
	return w
}

func (w *world) write(name string, data []byte) {
	w.t.Helper()
	if err := testpki.WriteFile(w.path(name), data); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) issue(name string, l testpki.Leaf) {
	w.t.Helper()
	if _, _, err := w.ca.MustIssue(w.t, l).Write(w.dir, name); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// server starts a server whose front end is a unix socket, or with tcp a port.
func (w *world) server(tcp bool, more ...string) *process {
	w.t.Helper()
	args := []string{
		"--cluster-cert=" + w.path("server.crt"), "--cluster-key=" + w.path("server.key"), "--cluster-ca-cert=" + w.path("ca.crt"),
		"--agent-bind-address=127.0.0.1", "--health-bind-address=127.0.0.1", "--server-bind-address=127.0.0.1",
		"--agent-port=" + portOf(w.ports.agents), "--health-port=" + portOf(w.ports.serverHealth), "--admin-port=" + portOf(w.ports.serverAdmin),
	}
	if tcp {
		args = append(args, "--server-cert="+w.path("server.crt"), "--server-key="+w.path("server.key"), "--server-ca-cert="+w.path("ca.crt"),
			"--server-port="+portOf(w.ports.front))
	} else {
		args = append(args, "--uds-name="+w.socket, "--server-port=0")
	}
	return start(w.t, "konnectivity-server", append(args, more...)...)
}

// agent starts an agent that may connect to loopback.
func (w *world) agent(more ...string) *process {
	w.t.Helper()
	return start(w.t, "konnectivity-agent", append([]string{
		"--ca-cert=" + w.path("ca.crt"), "--agent-cert=" + w.path("agent.crt"), "--agent-key=" + w.path("agent.key"),
		"--proxy-server-host=127.0.0.1", "--proxy-server-port=" + portOf(w.ports.agents), "--agent-id=node-1",
		"--health-server-host=127.0.0.1", "--health-server-port=" + portOf(w.ports.agentHealth), "--admin-server-port=" + portOf(w.ports.agentAdmin),
		"--allow-cidrs=127.0.0.0/8",
	}, more...)...)
}

func portOf(n int) string { return strconv.Itoa(n) }

// client is a client of the front end.
func (w *world) client(mode konnectivity.Mode, tcp bool) dialer.Dialer {
	w.t.Helper()
	cfg := konnectivity.ClientConfig{Mode: mode, Network: "unix", Address: w.socket}
	if tcp {
		cfg.Network, cfg.Address = "tcp", fmt.Sprintf("127.0.0.1:%d", w.ports.front)
		cfg.Roots = transport.StaticRoots(w.ca.Pool())
		cfg.Certificates = transport.StaticCertificate(w.ca.MustPair(w.t, testpki.Leaf{CommonName: "apiserver"}))
	}
	c, err := konnectivity.NewClient(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// up waits until the server is alive and the agent is connected to it.
func (w *world) up() {
	w.t.Helper()
	eventually(w.t, "the server is alive", func() bool { return w.code(w.ports.serverHealth, "/healthz") == 200 })
	eventually(w.t, "the server is ready", func() bool { return w.code(w.ports.serverHealth, "/readyz") == 200 })
	eventually(w.t, "the agent is ready", func() bool { return w.code(w.ports.agentHealth, "/readyz") == 200 })
}

// get asks a port of the programs; 0 is no answer.
func (w *world) get(port int, path string) (code int, body string) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(b)
}

func (w *world) code(port int, path string) int {
	code, _ := w.get(port, path)
	return code
}

// hasMetric reports whether the metrics at port have this line.
func (w *world) hasMetric(port int, line string) bool {
	_, body := w.get(port, "/metrics")
	return strings.Contains("\n"+body, "\n"+line+"\n")
}

// echo is a target that sends back what it gets until its connection ends.
func echo(t *testing.T) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

// nobody is an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func dial(t *testing.T, d dialer.Dialer, address string) (net.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", address)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func mustDial(t *testing.T, d dialer.Dialer, address string) net.Conn {
	t.Helper()
	c, err := dial(t, d, address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// talk sends msg and wants it back.
func talk(t *testing.T, c net.Conn, msg string) {
	t.Helper()
	if _, err := io.WriteString(c, msg); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(msg))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != msg {
		t.Fatalf("echo of %q: %q, %v", msg, got, err)
	}
}
