package grpc

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/wire"
)

// jam makes an agent's end stop taking packets from the Connect stream: its
// window is full. It returns the connection whose data fills it.
func jam(t *testing.T, s *Session, r *rawAgent) (end func()) {
	t.Helper()
	conn := openVia(t, s, r, 1)
	go conn.Write(make([]byte, 1<<20))
	synctest.Wait()
	return func() { conn.Close() }
}

// Whoever dials and gives up, over and over, while the agent does not read, ends
// nothing for the others.
func TestGivenUpDialsEndNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := rawSession(t)
		neighbour := openVia(t, s, r, 2)
		defer jam(t, s, r)()
		for range 20_000 {
			ctx, cancel := context.WithCancel(t.Context())
			stop := time.AfterFunc(time.Millisecond, cancel)
			if _, err := s.Open(ctx, "tcp", "x:1"); !errors.Is(err, context.Canceled) {
				t.Fatalf("Open: %v", err)
			}
			stop.Stop()
		}
		if s.Load() != 2 || s.dials.len()+s.dials.abandoned() > 8 {
			t.Errorf("load %d, and %d dials are owed", s.Load(), s.dials.len()+s.dials.abandoned())
		}
		send(t, r.stream, dataOf(2, "still here"))
		if got := readString(t, neighbour, 10); got != "still here" {
			t.Errorf("the neighbour read %q", got)
		}
		neighbour.Close()
	})
}

// Dials that wait behind an agent that does not read are bounded. Those beyond
// fail, and nothing else does.
func TestDialsOfAJammedTunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := rawSession(t)
		defer jam(t, s, r)()
		ctx, cancel := context.WithCancel(t.Context())
		const dials = 3000
		results := make(chan error, dials)
		for range dials {
			go func() {
				_, err := s.Open(ctx, "tcp", "x:1")
				results <- err
			}()
		}
		synctest.Wait()
		busy := len(results)
		for range busy {
			if err := <-results; !errors.Is(err, packet.ErrBusy) {
				t.Fatalf("Open: %v", err)
			}
		}
		// 1,024 wait here, and beside the data gRPC holds as many as 64 KiB take.
		if waiting := dials - busy; waiting < 1000 || waiting > 2400 || s.dials.len() != waiting {
			t.Errorf("%d dials wait, and %d are known", waiting, s.dials.len())
		}
		cancel()
		for range dials - busy {
			if err := <-results; !errors.Is(err, context.Canceled) {
				t.Fatalf("Open: %v", err)
			}
		}
		select {
		case <-s.Done():
			t.Errorf("the tunnel ended: %v", s.why())
		default:
		}
	})
}

// A dial whose time was up before it began is not sent.
func TestDialThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := rawSession(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 1000 { // it could be withdrawn in time by luck
			if _, err := s.Open(ctx, "tcp", "x:1"); !errors.Is(err, context.Canceled) {
				t.Fatalf("Open: %v", err)
			}
		}
		if n := s.dials.len() + s.dials.abandoned(); n != 0 {
			t.Errorf("%d dials are owed", n)
		}
		openVia(t, s, r, 1).Close() // its DIAL_REQ is the next packet
	})
}

// Dials that were given up take the place of connections for as long as the
// agent is at them: until it answers, or for a while if it never does.
func TestGivenUpDialsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := rawSession(t, func(l *Server) { l.MaxConns = 2 })
		var randoms []int64
		for range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			ch := openLater(ctx, s, "x:1")
			randoms = append(randoms, expect(t, r.stream, wire.DialReq).Random)
			cancel()
			<-ch
			expect(t, r.stream, wire.DialCls)
		}
		full := func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := s.Open(ctx, "tcp", "x:1")
			return err != nil && strings.Contains(err.Error(), "as many connections as it may")
		}
		if !full() {
			t.Error("a dial beyond MaxConns")
		}
		send(t, r.stream, &wire.Packet{Type: wire.DialRsp, Random: randoms[0], Error: "given up"})
		synctest.Wait()
		conn := openVia(t, s, r, 1)
		if !full() {
			t.Error("a dial beyond MaxConns, with one answered")
		}
		time.Sleep(abandonedTime)
		openVia(t, s, r, 2).Close()
		conn.Close()
	})
}
