package grpc

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/wire"
)

func TestHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := message.Hello{
			Version: 1, AgentID: "edge", Instance: "i1", Identifiers: "host=a&ipv4=10.0.0.1", Software: "sallyport",
			Token: "s3cret", Draining: true, Features: []string{"x", featureHalfClose, featureWindows},
		}
		var reply message.Reply
		tu, _ := inMemory(t, func(l *Server, a *Agent) {
			a.Hello = want
			a.Hello.Features = []string{"x"}
			up := a.Up
			a.Up = func(r message.Reply) {
				reply = r
				up(r)
			}
		})
		if d := cmp.Diff(want, tu.hello); d != "" {
			t.Error(d)
		}
		wantReply := message.Reply{Version: 1, ServerID: "srv", ServerCount: 2, Features: []string{featureWindows, featureHalfClose}}
		if d := cmp.Diff(wantReply, reply); d != "" {
			t.Error(d)
		}
		if !tu.session.Draining() {
			t.Error("the agent said that it leaves, and the session does not")
		}
		for _, got := range []string{tu.session.Protocol(), tu.agent.Protocol()} {
			if got != link.ProtocolWindows {
				t.Errorf("Protocol: %s", got)
			}
		}
		tu.stop()
	})
}

func TestChoiceOfProtocol(t *testing.T) {
	for name, c := range map[string]struct {
		opt  options
		want string
	}{
		"both can":               {func(*Server, *Agent) {}, link.ProtocolWindows},
		"without windows":        {packetsOnly, link.ProtocolPackets},
		"the agent keeps to old": {plainPackets, link.ProtocolPackets},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tu, targets := inMemory(t, c.opt)
				if tu.session.Protocol() != c.want || tu.agent.Protocol() != c.want {
					t.Errorf("%s and %s, want %s", tu.session.Protocol(), tu.agent.Protocol(), c.want)
				}
				conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
				if err != nil {
					t.Fatal(err)
				}
				_, half := conn.(dialer.CloseWriter)
				if half == tu.agent.Plain {
					t.Errorf("half-close: %v", half)
				}
				if conn.LocalAddr() == nil || conn.RemoteAddr() == nil {
					t.Error("an address is nil")
				}
				target := <-targets.conns
				conn.Close()
				target.Close()
				tu.stop()
			})
		})
	}
}

// What an agent says has to make sense, and it is told what does not.
func TestHelloThatMakesNoSense(t *testing.T) {
	for name, c := range map[string]struct {
		md   metadata.MD
		word string
	}{
		"no id":              {metadata.Pairs("agentIdentifiers", "host=a"), "agentid"},
		"an empty id":        {metadata.Pairs("agentID", ""), "agentid"},
		"two ids":            {metadata.Pairs("agentID", "a", "agentID", "b"), "2 values of agentid"},
		"two identifiers":    {metadata.Pairs("agentID", "a", "agentIdentifiers", "", "agentIdentifiers", ""), "agentidentifiers"},
		"two tokens":         {metadata.Pairs("agentID", "a", "authorization", "Bearer s3cret", "authorization", "Bearer s3cret"), "authorization"},
		"not a bearer token": {metadata.Pairs("agentID", "a", "authorization", "Basic s3cret"), "Bearer"},
		"a bare token":       {metadata.Pairs("agentID", "a", "authorization", "s3cret"), "Bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				far, near := net.Pipe()
				l := Server{Authorize: allow, HelloTimeout: time.Second, KeepAlive: -1}
				served := make(chan error, 1)
				go func() { served <- l.Serve(context.Background(), far) }()
				r := newRawAgent(t, near, c.md)
				err := r.stream.RecvMsg(new(wire.Packet))
				if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), c.word) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("the agent is told: %v", err)
				}
				r.client.Close()
				err = <-served
				if re, ok := errors.AsType[*link.RefusedError](err); !ok || re.Reply.Status != message.Invalid {
					t.Errorf("Serve: %v", err)
				}
			})
		})
	}
}

// An agent without identifiers, and with what it cannot know to be ours, is fine.
func TestLiberalHello(t *testing.T) {
	h, err := readHello(metadata.Pairs("agentID", "a", "authorization", "bearer t", "x-unknown", "1", keyFeatures, " streams , , odd"))
	if err != nil {
		t.Fatal(err)
	}
	want := message.Hello{Version: 1, AgentID: "a", Token: "t", Features: []string{"streams", "odd"}}
	if d := cmp.Diff(want, h); d != "" {
		t.Error(d)
	}
}

// Every refusal reaches the agent as what it is, in the server's words.
func TestRefusedAgent(t *testing.T) {
	for st, code := range refusals {
		synctest.Test(t, func(t *testing.T) {
			far, near := net.Pipe()
			l := Server{HelloTimeout: 5 * time.Second, KeepAlive: -1}
			l.Authorize = func(context.Context, message.Hello) message.Reply {
				return message.Reply{Status: st, Text: "because of the weather"}
			}
			l.Up = func(*Session, message.Hello) { t.Error("Up") }
			l.Down = func(*Session, error) { t.Error("Down") }
			served := make(chan error, 1)
			go func() { served <- l.Serve(context.Background(), far) }()
			a := Agent{Hello: message.Hello{AgentID: "edge", Token: "s3cret"}, HelloTimeout: 5 * time.Second}
			a.Up = func(message.Reply) { t.Error("the agent's Up") }
			a.Start(near)
			begin := time.Now()
			err := a.Run(context.Background())
			a.Finish(context.Background())
			for _, err := range []error{err, <-served} {
				re, ok := errors.AsType[*link.RefusedError](err)
				if !ok || re.Reply.Status != st || re.Reply.Text != "because of the weather" {
					t.Errorf("%v as %v: %v", st, code, err)
				}
			}
			if took := time.Since(begin); took > 0 {
				t.Errorf("that took %v", took)
			}
		})
	}
}

// A server of upstream's refuses with an error in words alone, and some that are
// no Konnectivity servers say nothing of use.
func TestOtherRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		header  metadata.MD
		refusal error
		refused bool
		word    string
	}{
		"in words":    {nil, errors.New("failed to validate the token"), true, "failed to validate the token"},
		"unavailable": {nil, status.Error(codes.Unavailable, "come back later"), false, "come back later"},
		"unknown":     {nil, status.Error(codes.Unimplemented, "no such method"), false, "no such method"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRawServer(t, c.header, c.refusal)
				err := <-r.ran
				r.ran <- nil
				_, refused := errors.AsType[*link.RefusedError](err)
				if refused != c.refused || !strings.Contains(err.Error(), c.word) || strings.Contains(err.Error(), "server ID") {
					t.Errorf("Run: %v", err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRawServer(t, metadata.Pairs("hello", "there"), nil)
		time.Sleep(10 * time.Second) // the header has no id, and nothing follows it
		if err := <-r.ran; err == nil || !strings.Contains(err.Error(), "in time") {
			t.Errorf("Run: %v", err)
		}
		r.ran <- nil
	})
}

// What upstream's server says is understood, and what it leaves out forgiven.
func TestUpstreamsHeader(t *testing.T) {
	for name, c := range map[string]struct {
		md    metadata.MD
		ok    bool
		count uint64
	}{
		"as upstream has it":   {metadata.Pairs("serverID", "s", "serverCount", "3"), true, 3},
		"no count":             {metadata.Pairs("serverID", "s"), true, 0},
		"a count out of range": {metadata.Pairs("serverID", "s", "serverCount", "-1"), true, 0},
		"no id":                {metadata.Pairs("serverCount", "3"), false, 0},
		"two ids":              {metadata.Pairs("serverID", "s", "serverID", "t"), false, 0},
	} {
		r, ok := readReply(c.md)
		if ok != c.ok || r.ServerCount != c.count {
			t.Errorf("%s: %+v, %v", name, r, ok)
		}
	}
}

// An end that never says hello is given up on.
func TestMutePeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, near := net.Pipe()
		l := Server{Authorize: allow, HelloTimeout: 3 * time.Second}
		begin := time.Now()
		go func() {
			for b := make([]byte, 1000); ; {
				if _, err := near.Read(b); err != nil {
					return
				}
			}
		}()
		if err := l.Serve(context.Background(), far); err == nil || time.Since(begin) > 6*time.Second {
			t.Errorf("Serve: %v after %v", err, time.Since(begin))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		far, near := net.Pipe()
		go func() {
			for b := make([]byte, 1000); ; {
				if _, err := far.Read(b); err != nil {
					return
				}
			}
		}()
		a := Agent{Hello: message.Hello{AgentID: "edge"}, HelloTimeout: 3 * time.Second}
		a.Start(near)
		begin := time.Now()
		if err := a.Run(context.Background()); !errors.Is(err, errSlowHello) || time.Since(begin) > 6*time.Second {
			t.Errorf("Run: %v after %v", err, time.Since(begin))
		}
		a.Finish(context.Background())
	})
}

// Authorize may ask somebody slow. Its context ends with the agent.
func TestAuthorizeEndsWithTheAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, near := net.Pipe()
		asked := make(chan struct{})
		l := Server{HelloTimeout: time.Hour, KeepAlive: -1}
		l.Authorize = func(ctx context.Context, _ message.Hello) message.Reply {
			close(asked)
			<-ctx.Done()
			return message.Reply{Status: message.Denied}
		}
		served := make(chan error, 1)
		go func() { served <- l.Serve(context.Background(), far) }()
		a := Agent{Hello: message.Hello{AgentID: "edge"}, HelloTimeout: time.Hour}
		a.Start(near)
		ran := make(chan error, 1)
		go func() { ran <- a.Run(context.Background()) }()
		<-asked
		begin := time.Now()
		a.Close()
		<-ran
		<-served
		a.Finish(context.Background())
		if took := time.Since(begin); took > time.Second {
			t.Errorf("that took %v", took)
		}
	})
}

// One Connect call per connection: a second identity over one is refused, and
// harms nobody.
func TestSecondConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := rawSession(t)
		second := r.open(methodConnect, metadata.Pairs("agentID", "other"))
		if err := second.RecvMsg(new(wire.Packet)); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("a second Connect: %v", err)
		}
		openVia(t, s, r, 1).Close()
	})
}
