package yamux

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link/message"
)

// TestMuteAgent: whatever an agent leaves unsaid, the server waits for it no
// longer than for a hello.
func TestMuteAgent(t *testing.T) {
	whole := message.Append(nil, &message.Hello{Version: message.Version, AgentID: "edge"})
	for name, act := range map[string]func(t *testing.T, f *far){
		"opens no stream":     func(*testing.T, *far) {},
		"says nothing on one": func(t *testing.T, f *far) { f.open(t) },
		"stops in the middle": func(t *testing.T, f *far) { f.open(t).Write(whole[:len(whole)/2]) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				l, up := taker()
				f := serve(l)
				act(t, f)
				end := f.outcome(t)
				if took := end.at.Sub(start); took != helloTimeout || dialer.KindOf(end.err) != dialer.Timeout {
					t.Errorf("ended after %v with %v, want a timeout after %v", took, end.err, helloTimeout)
				}
				if len(up) != 0 {
					t.Error("an agent without a hello came up")
				}
				f.close()
			})
		})
	}
}

// TestMuteServer: an agent waits for its welcome no longer than for a hello.
func TestMuteServer(t *testing.T) {
	whole := message.Append(nil, &message.Reply{Version: message.Version, ServerID: "srv"})
	for name, act := range map[string]func(f *far){
		"says nothing":        func(*far) {},
		"stops in the middle": func(f *far) { (<-f.accepted).Write(whole[:len(whole)/2]) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				f := attach(&Agent{Up: func(message.Reply) { t.Error("came up without a welcome") }})
				act(f)
				end := f.outcome(t)
				if took := end.at.Sub(start); took != helloTimeout || dialer.KindOf(end.err) != dialer.Timeout {
					t.Errorf("ended after %v with %v, want a timeout after %v", took, end.err, helloTimeout)
				}
				f.close()
			})
		})
	}
	// A server that does not even read is held to the same.
	t.Run("reads nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			near, other := net.Pipe()
			time.AfterFunc(tooLong, func() { other.Close() })
			a := &Agent{HelloTimeout: helloTimeout}
			a.Start(near)
			err := a.Run(context.Background())
			if took := time.Since(start); took != helloTimeout || err == nil {
				t.Errorf("ended after %v with %v", took, err)
			}
			a.Finish(context.Background())
			other.Close()
		})
	})
}

// TestHelloTimeoutIsForTheHello: once it is said, both ends may be silent on the
// control stream for as long as they like.
func TestHelloTimeoutIsForTheHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, up := taker()
		f := serve(l)
		control := f.hello(t)
		s := <-up
		time.Sleep(10 * helloTimeout)
		if err := message.Write(control, &message.Control{Op: message.Drain}); err != nil {
			t.Errorf("the agent's control stream: %v", err)
		}
		synctest.Wait()
		if !s.Draining() {
			t.Error("the server missed a drain")
		}
		f.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		told := 0
		f := attach(&Agent{ServerDraining: func() { told++ }})
		control := f.welcome(t)
		time.Sleep(10 * helloTimeout)
		if err := message.Write(control, &message.Control{Op: message.Drain}); err != nil {
			t.Errorf("the server's control stream: %v", err)
		}
		synctest.Wait()
		if told != 1 {
			t.Errorf("the agent was told %d times", told)
		}
		f.stop()
	})
}

// TestRefusedAgentLingers: a refused agent that does not hang up is hung up on,
// and not before it had the time to read why.
func TestRefusedAgentLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l, _ := taker()
		l.Authorize = func(context.Context, message.Hello) message.Reply {
			return message.Reply{Status: message.Denied, Text: "not you"}
		}
		f := serve(l)
		st := f.open(t)
		message.Write(st, &message.Hello{Version: message.Version, AgentID: "edge"})
		time.Sleep(helloTimeout / 2)
		var r message.Reply
		if err := message.Read(st, &r); err != nil || r.Text != "not you" {
			t.Errorf("the refusal: %+v, %v", r, err)
		}
		end := f.outcome(t)
		if took := end.at.Sub(start); took != helloTimeout || !errors.Is(end.err, dialer.ErrDenied) {
			t.Errorf("ended after %v with %v", took, end.err)
		}
		f.close()
	})
}

// TestAuthorizeEndsWithItsAgent: nobody is asked about an agent that has left,
// nor for longer than a hello may take.
func TestAuthorizeEndsWithItsAgent(t *testing.T) {
	for name, want := range map[string]time.Duration{"hangs up": 2 * time.Second, "stays": helloTimeout} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				l, up := taker()
				l.Authorize = func(ctx context.Context, _ message.Hello) message.Reply {
					select {
					case <-ctx.Done():
					case <-time.After(tooLong):
					}
					if took := time.Since(start); took != want {
						t.Errorf("its context ended after %v, want %v", took, want)
					}
					time.Sleep(time.Millisecond) // then its yes comes too late
					return message.Reply{}
				}
				f := serve(l)
				message.Write(f.open(t), &message.Hello{Version: message.Version, AgentID: "edge"})
				if name == "hangs up" {
					time.Sleep(want)
					f.Close()
				}
				if end := f.outcome(t); end.err == nil || end.err == io.EOF {
					t.Errorf("ended with %v", end.err)
				}
				if len(up) != 0 {
					t.Error("an agent that had left came up")
				}
				f.close()
			})
		})
	}
}

// TestAgentOpensOneStream: every further one is refused, and costs the tunnel
// nothing else.
func TestAgentOpensOneStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, up := taker()
		f := serve(l)
		f.hello(t)
		s := <-up
		for range 3 {
			second := f.open(t)
			second.SetReadDeadline(time.Now().Add(tooLong))
			_, err := second.Read(make([]byte, 1))
			refused(t, "a second stream", err)
			second.Close()
		}
		synctest.Wait()
		if n := s.Load(); n != 0 {
			t.Errorf("refused streams count as %d connections", n)
		}
		select {
		case end := <-f.over:
			t.Errorf("the tunnel ended: %v", end.err)
		default:
		}
		f.stop()
	})
}
