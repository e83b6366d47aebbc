package grpc

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"
)

// anOwnAgent is the metadata of an agent of ours.
var anOwnAgent = metadata.Join(anAgent, metadata.Pairs(keyFeatures, "windows,half-close"))

// ownSession runs a Server against a test's own agent of our kind.
func ownSession(t testing.TB, tune func(*Server)) (*Session, *rawAgent) {
	t.Helper()
	return rawSessionOf(t, anOwnAgent, tune)
}

// The agent of ours resets a target for which nobody waits any more.
func TestUnwantedTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		tu, targets := inMemory(t, func(l *Server, a *Agent) {
			dial := a.Dial
			a.Dial = func(context.Context, string, string) (net.Conn, error) {
				<-release // and it does not heed its context
				return dial(context.Background(), "", "")
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		ch := openLater(ctx, tu.session, "x:1")
		synctest.Wait()
		cancel()
		<-ch
		close(release)
		target := <-targets.conns
		if _, err := target.Read(make([]byte, 1)); err == nil {
			t.Error("the target is still connected")
		}
		time.Sleep(time.Minute)
		if tu.session.Load() != 0 || tu.agent.Serving() != 0 {
			t.Errorf("%d and %d are open", tu.session.Load(), tu.agent.Serving())
		}
		tu.stop()
	})
}

// A reset gets through though the way is full, and frees both ends.
func TestResetOfAStalledStream(t *testing.T) {
	for _, up := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			tu, targets := inMemory(t)
			conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
			if err != nil {
				t.Fatal(err)
			}
			target := <-targets.conns
			from := conn
			if !up {
				from = target
			}
			go from.Write(make([]byte, 10<<20))
			time.Sleep(time.Minute)
			reset(conn, errors.New("enough"))
			time.Sleep(time.Second)
			if tu.session.Load() != 0 || tu.agent.Serving() != 0 {
				t.Errorf("up %v: %d and %d are open", up, tu.session.Load(), tu.agent.Serving())
			}
			tu.stop()
			target.Close()
		})
	}
}

// A connection that stalls holds up no other, for any length of time.
func TestStalledStreamsHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tu, targets := inMemory(t)
		var stalled []net.Conn
		for i := range 40 {
			conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
			if err != nil {
				t.Fatal(err)
			}
			target := <-targets.conns
			stalled = append(stalled, conn, target)
			go stalled[2*i+i%2].Write(make([]byte, 10<<20))
		}
		time.Sleep(time.Hour)
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		begin := time.Now()
		for range 100 {
			conn.Write([]byte("there"))
			readString(t, target, 5)
			target.Write([]byte("back"))
			readString(t, conn, 4)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("100 echoes beside stalled connections took %v", took)
		}
		if n := tu.session.Load(); n != 41 {
			t.Errorf("%d connections are left of 41", n)
		}
		conn.Close()
		target.Close()
		for _, c := range stalled {
			c.Close()
		}
		tu.stop()
	})
}
