package world

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/konnectivity"
)

func TestMain(m *testing.M) {
	Roles(nil)
	os.Exit(m.Run())
}

// start starts a child that ends with the test.
func start(t *testing.T, role string, args any) *Child {
	t.Helper()
	c, err := Start(role, args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c
}

// Everything the programs do, once with a handful of connections by each protocol.
func TestLoadThroughProcesses(t *testing.T) {
	for _, protocol := range []konnectivity.Protocol{konnectivity.ProtocolYamux, konnectivity.ProtocolGRPC} {
		t.Run(string(protocol), func(t *testing.T) {
			pki, err := NewPKI()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { pki.Remove() })
			server, err := NewServer(pki)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Close)
			var port string
			if err := start(t, "target", nil).Ask("port", &port); err != nil {
				t.Fatal(err)
			}
			agents := start(t, "agents", Agents{PKI: pki, Server: server.Addr, Protocol: protocol, N: 3})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := server.WaitAgents(ctx, 3); err != nil {
				t.Fatal(err)
			}
			if u, err := agents.Usage(); err != nil || u.Heap == 0 || u.Goroutines == 0 {
				t.Errorf("the agents' usage is %+v, %v", u, err)
			}
			checkLoad(t, func(ctx context.Context, i int) (net.Conn, error) {
				return server.DialContext(ctx, "tcp", net.JoinHostPort(HostOf(i%3), port))
			})
			for _, a := range server.Agents() {
				if a.Protocol != protocol {
					t.Errorf("%s speaks %s, want %s", a.ID, a.Protocol, protocol)
				}
			}
		})
	}
}

func checkLoad(t *testing.T, road Road) {
	t.Helper()
	conns, err := road.Open(7)
	defer CloseAll(conns)
	if err != nil {
		t.Fatal(err)
	}
	for name, move := range map[string]func([]net.Conn, time.Duration) (float64, error){"down": Down, "up": Up} {
		if rate, err := move(conns[:3], time.Millisecond); err != nil || rate <= 0 {
			t.Errorf("%s: %.0f bytes a second, %v", name, rate, err)
		}
	}
	if times, err := Echoes(conns, 20); err != nil || len(times) != 20 || times.At(0.5) <= 0 {
		t.Errorf("echoes: %v, %v", times, err)
	}
	if times, err := road.Dials(5); err != nil || len(times) != 5 {
		t.Errorf("dials: %v, %v", times, err)
	}
}

func TestAChildThatFailsIsToldOf(t *testing.T) {
	c := start(t, "target", nil)
	var u Usage
	if err := c.Ask("the way", &u); err == nil {
		t.Error("there is an answer to what is no question")
	}
}

func TestQuantiles(t *testing.T) {
	times := Times{4 * time.Microsecond, 1 * time.Microsecond, 3 * time.Microsecond, 2 * time.Microsecond}
	if p50, p99 := times.At(0.5), times.At(0.99); p50 != 3 || p99 != 4 {
		t.Errorf("p50 %v and p99 %v, want 3 and 4", p50, p99)
	}
	if none := (Times{}).At(0.5); none != 0 {
		t.Errorf("the median of nothing is %v", none)
	}
}
