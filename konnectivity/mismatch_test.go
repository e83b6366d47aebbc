package konnectivity

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// A client in the wrong mode learns what the other end seems to speak, and the
// front end's log says so too where it can.
func TestWrongMode(t *testing.T) {
	for _, c := range []struct {
		mode Mode // of the client
		road string
		say  string
		log  string
	}{
		{ModeGRPC, overUnix, "is it in mode http-connect?", "needs a front end in mode grpc"},
		{ModeGRPC, overTLS13, `we offer ["h2"]; is the front end in another mode`, "h2"},
		{ModeHTTPConnect, overUnix, "does it speak gRPC?", ""},
		{ModeHTTPConnect, overPlain, "does it speak gRPC?", ""},
		{ModeHTTPConnect, overTLS13, "does it speak gRPC?", "is it in mode http-connect?"},
	} {
		t.Run(string(c.mode)+" over "+c.road, func(t *testing.T) {
			leak.Check(t)
			there := ModeGRPC
			if c.mode == ModeGRPC {
				there = ModeHTTPConnect
			}
			l := new(logs)
			fr := newFront(t, there, c.road, func(cfg *FrontendConfig) { cfg.Log = l.Logger() })
			_, err := fr.client(func(cfg *ClientConfig) { cfg.Mode = c.mode }).DialContext(t.Context(), "tcp", "node-1:1")
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "the server speak", "it speak"), c.say) {
				t.Errorf("%v, want %q in it", err, c.say)
			}
			eventually(t, "the front end's log to say "+c.log, func() bool { return strings.Contains(l.String(), c.log) })
		})
	}
}

// attempted waits for an agent's attempt to come to nothing and returns why it did.
func attempted(t testing.TB, a *Agent) (err error) {
	t.Helper()
	eventually(t, "an attempt", func() bool {
		err = a.Tunnels()[0].Err
		return err != nil
	})
	return err
}

// An agent at the wrong port, or pinned to what the other end does not speak,
// learns that.
func TestAgentAtTheWrongPort(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, func(c *ServerConfig) { c.Protocols = []Protocol{ProtocolYamux} })
	grpc := newFront(t, ModeGRPC, overTLS13, nil)
	connect := newFront(t, ModeHTTPConnect, overTLS13, nil)
	plain := target(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n"); io.Copy(io.Discard, c) })
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	const none = "no protocol in common: we offer "
	for name, c := range map[string]struct {
		address string
		front   *front
		speaks  Protocol
		want    []string
	}{
		"a gRPC front end":    {grpc.address(), grpc, "", []string{"a front end's port, not the agents'"}},
		"a CONNECT front end": {connect.address(), connect, "", []string{none, "is this not the agents' port?"}},
		"pinned":              {w.addr, nil, ProtocolGRPC, []string{none + `["sallyport-h2/1" "h2"]`, "is one end pinned"}},
		"no TLS":              {plain, nil, "", []string{"not a TLS port"}},
		"nobody":              {nobody.Addr().String(), nil, "", []string{"dial tcp " + nobody.Addr().String() + ": proxy: connect: "}},
	} {
		cfg := w.agentConfig("edge", everywhere)
		cfg.Servers = []string{c.address}
		if c.front != nil {
			cc := c.front.clientConfig()
			cfg.Roots, cfg.Certificates = cc.Roots, cc.Certificates
		}
		if c.speaks != "" {
			cfg.Protocols = []Protocol{c.speaks}
		}
		a, stop := w.start(cfg)
		err := attempted(t, a)
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q in it", name, err, want)
			}
		}
		if name == "nobody" && (dialer.KindOf(err) != dialer.Refused || strings.Count(err.Error(), c.address) != 1) {
			t.Errorf("%s: %v: %v", name, dialer.KindOf(err), err)
		}
		stop()
	}
}

// A client whose server is not there names its address once.
func TestClientWithoutAServer(t *testing.T) {
	for _, mode := range []Mode{ModeGRPC, ModeHTTPConnect} {
		fr := newFront(t, mode, overTLS13, nil)
		address, client := fr.address(), fr.client(nil)
		fr.f.Close()
		<-fr.done
		_, err := client.DialContext(t.Context(), "tcp", "node-1:1")
		if dialer.KindOf(err) != dialer.Refused || strings.Count(err.Error(), address) != 1 {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
