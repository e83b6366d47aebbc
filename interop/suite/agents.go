package suite

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

// Agents tests our server against an agent of Konnectivity's.
func Agents(t *testing.T) {
	cases(t, map[string]func(*testing.T){
		"hello":            serverHello,
		"bad hello":        serverBadHello,
		"false identity":   serverFalseIdentity,
		"token":            serverToken,
		"dial":             serverDial,
		"dial failures":    serverDialFailures,
		"bulk":             serverBulk,
		"agent closes":     serverAgentCloses,
		"we close":         serverCloses,
		"mute agent":       serverMuteAgent,
		"mute agent lost":  serverMuteAgentLost,
		"foreign ids":      serverForeignIDs,
		"foreign randoms":  serverForeignRandoms,
		"malformed":        serverMalformed,
		"unknown types":    serverUnknownTypes,
		"drain":            serverDrain,
		"stuck reader":     serverStuckReader,
		"duplicate ids":    serverDuplicateIDs,
		"id given twice":   serverIDGivenTwice,
		"unknown id":       serverUnknownID,
		"agent gives up":   serverAgentGivesUp,
		"server lost":      serverLostToAgent,
		"no second stream": serverNoSecondStream,
	})
}

const everywhere = "default-route=true"

// pending begins a dial through w and returns the agent's DIAL_REQ.
func (a *theirAgent) pending(w *world, ctx context.Context, address string) (*client.DialRequest, <-chan dialed) {
	a.t.Helper()
	done := make(chan dialed, 1)
	go func() {
		c, err := w.server.DialContext(ctx, "tcp", address)
		done <- dialed{c, err}
	}()
	return a.next(client.PacketType_DIAL_REQ).GetDialRequest(), done
}

// dialed is how a dial ended.
type dialed struct {
	conn net.Conn
	err  error
}

// connect gives w a connection of the given id.
func (a *theirAgent) connect(w *world, id int64) net.Conn {
	a.t.Helper()
	req, done := a.pending(w, context.Background(), "target.test:443")
	a.send(dialRsp(req.Random, id, ""))
	d := a.outcome(done)
	if d.err != nil {
		a.t.Fatal(d.err)
	}
	a.t.Cleanup(func() { d.conn.Close() })
	return d.conn
}

func (a *theirAgent) outcome(done <-chan dialed) dialed {
	a.t.Helper()
	select {
	case d := <-done:
		return d
	case <-time.After(patience):
		a.t.Fatal("the dial did not end")
		return dialed{}
	}
}

// reads wants c to give exactly want.
func reads(t *testing.T, c net.Conn, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	c.SetReadDeadline(time.Now().Add(patience))
	if n, err := io.ReadFull(c, got); err != nil || !slices.Equal(got, want) {
		t.Fatalf("read %d bytes, %v, want the %d sent", n, err, len(want))
	}
}

func serverHello(t *testing.T) {
	w := newWorld(t, func(c *konnectivity.ServerConfig) { c.ServerCount = 3 })
	a := w.theirAgent("edge", "host=node-1&ipv4=10.0.0.1&unheard-of=x")
	for key, want := range map[string]string{"serverID": "srv", "serverCount": "3"} {
		if got := a.header.Get(key); !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	info := w.server.Agents()[0]
	if info.Protocol != konnectivity.ProtocolPackets || info.Identifiers.String() != "host=node-1&ipv4=10.0.0.1" {
		t.Errorf("the server knows the agent as %+v", info)
	}
	// An agent may claim nothing, and leave that out.
	b := callConnect(t, w.ca, w.addr, "bare", "agentID", "bare")
	if len(b.header.Get("serverID")) != 1 {
		t.Errorf("an agent without agentIdentifiers: %v", b.end())
	}
}

// serverBadHello: refusals are statuses with words.
func serverBadHello(t *testing.T) {
	w := newWorld(t, nil)
	for name, md := range map[string][]string{
		"no id":             {"agentIdentifiers", everywhere},
		"two ids":           {"agentID", "a", "agentID", "b"},
		"two claims":        {"agentID", "a", "agentIdentifiers", "host=a", "agentIdentifiers", "host=b"},
		"malformed query":   {"agentID", "a", "agentIdentifiers", "host=%zz"},
		"malformed address": {"agentID", "a", "agentIdentifiers", "ipv4=10.0.0"},
	} {
		a := callConnect(t, w.ca, w.addr, "edge", md...)
		if st := a.end(); st.Code() != codes.InvalidArgument || st.Message() == "" {
			t.Errorf("%s: %v, want an invalid argument with words", name, st)
		}
	}
	if n := len(w.server.Agents()); n != 0 {
		t.Errorf("%d agents are connected", n)
	}
}

// serverFalseIdentity: who holds the certificate of one node cannot be another,
// nor attract what is another's.
func serverFalseIdentity(t *testing.T) {
	w := newWorld(t, func(c *konnectivity.ServerConfig) {
		var err error
		c.Identity, err = konnectivity.NewIdentity(konnectivity.IdentityRule{
			CommonName: "node:*", AgentIDs: []string{"{name}"}, Hosts: []string{"{name}"}, CIDRs: []string{"10.1.0.0/16"},
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	for _, tt := range []struct {
		id, claim string
		taken     bool
	}{
		{"edge-1", "host=edge-1&ipv4=10.1.2.3&cidr=10.1.0.0/24", true},
		{"edge-2", "", false},
		{"edge-1", "host=edge-2", false},
		{"edge-1", "host=edge-1&host=edge-2", false},
		{"edge-1", "ipv4=10.2.0.1", false},
		{"edge-1", "cidr=10.0.0.0/8", false},
		{"edge-1", everywhere, false},
	} {
		a := callConnect(t, w.ca, w.addr, "node:edge-1", "agentID", tt.id, "agentIdentifiers", tt.claim)
		taken := len(a.header.Get("serverID")) == 1
		if taken != tt.taken {
			t.Errorf("%s with %s: taken %v, want %v", tt.id, tt.claim, taken, tt.taken)
		}
		if !tt.taken {
			if st := a.end(); st.Code() != codes.PermissionDenied {
				t.Errorf("%s with %s: %v, want permission denied", tt.id, tt.claim, st)
			}
		}
	}
}

// serverToken: agents by token, as Konnectivity's send it.
func serverToken(t *testing.T) {
	w := newWorld(t, func(c *konnectivity.ServerConfig) {
		c.TLS.ClientAuth = tls.VerifyClientCertIfGiven
		c.Tokens = konnectivity.TokenAuthenticatorFunc(func(_ context.Context, token string) (konnectivity.User, error) {
			if token != "good" {
				return konnectivity.User{}, dialer.ErrDenied
			}
			return konnectivity.User{Name: "system:serviceaccount:kube-system:konnectivity-agent"}, nil
		})
	})
	cfg := &tls.Config{RootCAs: w.ca.Pool(), ServerName: "127.0.0.1"}
	for header, want := range map[string]codes.Code{
		"Bearer good": codes.OK, "Bearer bad": codes.PermissionDenied, "": codes.Unauthenticated, "good": codes.InvalidArgument,
	} {
		md := []string{"agentID", "edge"}
		if header != "" {
			md = append(md, "authorization", header)
		}
		a := callConnectWith(t, cfg, w.addr, md...)
		if want == codes.OK {
			if len(a.header.Get("serverID")) != 1 {
				t.Errorf("%q: %v, want the agent to be taken", header, a.end())
			}
			continue
		}
		if st := a.end(); st.Code() != want && !(want == codes.PermissionDenied && st.Code() == codes.Unauthenticated) {
			t.Errorf("%q: %v, want %v", header, st, want)
		}
	}
}

func serverDial(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	seen := map[int64]bool{}
	for id := range int64(50) {
		req, done := a.pending(w, context.Background(), "target.test:443")
		if req.Protocol != "tcp" || req.Address != "target.test:443" || req.Random <= 0 || seen[req.Random] {
			t.Fatalf("asked for %v, want target.test:443 over tcp with a new random number", req)
		}
		seen[req.Random] = true
		a.send(dialRsp(req.Random, id+1, ""))
		a.send(dataOf(id+1, []byte("right behind the answer")))
		d := a.outcome(done)
		if d.err != nil {
			t.Fatal(d.err)
		}
		reads(t, d.conn, []byte("right behind the answer"))
		io.WriteString(d.conn, "hello")
		a.data(id+1, 5, 5)
		if _, half := d.conn.(dialer.CloseWriter); half {
			t.Error("the conn promises a half-close, which this agent does not know")
		}
		go d.conn.Close()
		if got := a.next(client.PacketType_CLOSE_REQ).GetCloseRequest().ConnectID; got != id+1 {
			t.Fatalf("closed %d, want %d", got, id+1)
		}
		a.send(closeRsp(id+1, ""))
	}
}

// serverDialFailures: what the agent says is in the error, and of a kind.
func serverDialFailures(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	for text, want := range map[string]error{
		"dial tcp 10.0.0.1:1: connect: connection refused":            dialer.ErrRefused,
		"dial tcp: lookup x on 10.0.0.10:53: no such host":            dialer.ErrNoSuchHost,
		"dial tcp 10.0.0.1:1: i/o timeout":                            dialer.ErrTimeout,
		"dial tcp 10.0.0.1:1: connect: no route to host":              dialer.ErrUnreachable,
		"dial tcp 10.0.0.1:1: connect: network is unreachable":        dialer.ErrUnreachable,
		"dial tcp 127.0.0.1:1: socket: something never heard of here": nil,
	} {
		req, done := a.pending(w, context.Background(), "target.test:443")
		a.send(dialRsp(req.Random, 0, text))
		d := a.outcome(done)
		if d.err == nil || !strings.Contains(d.err.Error(), text) || want != nil && !errors.Is(d.err, want) {
			t.Errorf("%q became %v, want %v", text, d.err, want)
		}
	}
}

// serverBulk: 20 MiB each way, in packets as Konnectivity's agent sends them and
// in the largest there are.
func serverBulk(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	data := random(20 << 20)
	for i, size := range []int{4 << 10, 4<<20 - 64} {
		id := int64(i + 1)
		c := a.connect(w, id)
		go func() {
			for part := range slices.Chunk(data, size) {
				if a.stream.SendMsg(dataOf(id, part)) != nil {
					return
				}
			}
		}()
		reads(t, c, data)
		go c.Write(data)
		if got := a.data(id, len(data), 32<<10); !slices.Equal(got, data) {
			t.Error("other bytes arrived than were written")
		}
	}
}

// serverAgentCloses: all that came before is read, then the end.
func serverAgentCloses(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	for id, size := range map[int64]int{1: 5, 2: 64 << 10, 3: 200 << 10} {
		want := random(size)
		c := a.connect(w, id)
		for part := range slices.Chunk(want, 4<<10) {
			a.send(dataOf(id, part))
		}
		a.send(closeRsp(id, ""))
		c.SetReadDeadline(time.Now().Add(patience))
		if got, err := io.ReadAll(c); err != nil || !slices.Equal(got, want) {
			t.Errorf("read %d bytes, %v, want all of %d", len(got), err, size)
		}
		c.SetWriteDeadline(time.Now().Add(patience))
		if _, err := c.Write([]byte("x")); err == nil {
			t.Error("wrote to a connection that is closed")
		}
	}
	// An error in it is one of the connection.
	c := a.connect(w, 9)
	a.send(closeRsp(9, "read: connection reset by peer"))
	c.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, dialer.ErrReset) {
		t.Errorf("of a reset target: %v, want %v", err, dialer.ErrReset)
	}
}

// serverCloses: CLOSE_REQ comes behind what was written.
func serverCloses(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	for id, size := range map[int64]int{1: 5, 2: 64 << 10, 3: 1 << 20} {
		want := random(size)
		c := a.connect(w, id)
		go func() { c.Write(want); c.Close() }()
		if got := a.data(id, size, 32<<10); !slices.Equal(got, want) {
			t.Errorf("other bytes arrived than the %d written", size)
		}
		if got := a.next(client.PacketType_CLOSE_REQ).GetCloseRequest().ConnectID; got != id {
			t.Errorf("closed %d, want %d", got, id)
		}
		a.send(dataOf(id, []byte("too late, and no reason for anything")))
		a.send(closeRsp(id, ""))
	}
	a.connect(w, 10)
}
