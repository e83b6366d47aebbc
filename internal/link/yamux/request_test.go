package yamux

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/mux"
)

// refused wants err to say that the other end never took the stream.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	if !mux.Refused(err) {
		t.Errorf("%s: %v, want a refusal", what, err)
	}
}

// TestSilentStream: a stream on which nothing is asked does not hold its place
// for ever, nor does one whose request stops in the middle.
func TestSilentStream(t *testing.T) {
	whole := message.Append(nil, &message.Request{Network: "tcp", Address: "10.0.0.1:80"})
	for name, said := range map[string][]byte{"nothing": nil, "half a request": whole[:len(whole)/2]} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &Agent{Dial: func(context.Context, string, string) (net.Conn, error) {
					t.Error("dialed what was never asked for")
					return nil, errors.New("no")
				}}
				f := attach(a)
				f.welcome(t)
				start := time.Now()
				st := f.open(t)
				st.Write(said)
				synctest.Wait()
				if n := a.Serving(); n != 1 {
					t.Errorf("serves %d", n)
				}
				st.SetReadDeadline(time.Now().Add(tooLong))
				_, err := st.Read(make([]byte, 1))
				re, ok := errors.AsType[*mux.ResetError](err)
				if took := time.Since(start); took != requestTimeout || !ok || re.Reason != mux.ReasonProtocol {
					t.Errorf("after %v: %v, want a reset after %v", took, err, requestTimeout)
				}
				st.Close()
				synctest.Wait()
				if n := a.Serving(); n != 0 {
					t.Errorf("still serves %d", n)
				}
				f.stop()
			})
		})
	}
}

// TestDialTimeout: the agent's bound caps the one in the request, the request's
// the agent's, and a request without one has the agent's.
func TestDialTimeout(t *testing.T) {
	const agents = 5 * time.Second
	for _, c := range []struct{ request, want time.Duration }{
		{time.Hour, agents}, {time.Second, time.Second}, {0, agents},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &Agent{DialTimeout: agents, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				select {
				case <-ctx.Done():
				case <-time.After(tooLong):
				}
				return nil, &dialer.Error{Hop: dialer.HopTarget, Network: network, Address: address, Err: dialer.ErrTimeout}
			}}
			f := attach(a)
			f.welcome(t)
			start := time.Now()
			st := f.open(t)
			st.SetReadDeadline(start.Add(2 * tooLong))
			message.Write(st, &message.Request{Network: "tcp", Address: "10.0.0.1:80", Timeout: c.request})
			var answer message.Answer
			err := message.Read(st, &answer)
			took := time.Since(start)
			if err != nil || took != c.want || !answer.Failed || answer.Kind != dialer.Timeout || answer.Hop != dialer.HopTarget {
				t.Errorf("request with %v: %+v, %v after %v, want a timeout after %v", c.request, answer, err, took, c.want)
			}
			st.Close()
			f.stop()
		})
	}
}

// TestRequestTimeoutIsForTheRequest: a connection may be silent for longer.
func TestRequestTimeoutIsForTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, target := net.Pipe()
		a := &Agent{DialTimeout: time.Second, Dial: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
		f := attach(a)
		f.welcome(t)
		st := f.open(t)
		message.Write(st, &message.Request{Network: "tcp", Address: "10.0.0.1:80"})
		var answer message.Answer
		if err := message.Read(st, &answer); err != nil || answer.Failed {
			t.Fatalf("%+v, %v", answer, err)
		}
		time.Sleep(10 * requestTimeout)
		go st.Write([]byte("late"))
		if n, err := target.Read(make([]byte, 8)); n != 4 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
		st.Close()
		target.Close()
		synctest.Wait()
		f.stop()
	})
}

// TestTunnelEndCancelsDials: an agent that has lost its server dials no more for
// it, whether the dial obeys in time or not.
func TestTunnelEndCancelsDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		canceled := make(chan error, 1)
		a := &Agent{DialTimeout: time.Hour, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case <-ctx.Done():
			case <-time.After(tooLong):
			}
			canceled <- ctx.Err()
			return nil, context.Canceled
		}}
		f := attach(a)
		f.welcome(t)
		message.Write(f.open(t), &message.Request{Network: "tcp", Address: "10.0.0.1:80"})
		synctest.Wait()
		f.stop()
		if err := <-canceled; !errors.Is(err, context.Canceled) {
			t.Errorf("the dial's context: %v", err)
		}
	})
}
