package konnectivity

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// connectRoads are those of HTTP CONNECT that differ in how they end.
var connectRoads = []string{overUnix, overTLS13}

// send says text to a fresh connection to fr.
func (fr *front) send(text string) net.Conn {
	fr.t.Helper()
	c := fr.raw()
	c.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		fr.t.Fatal(err)
	}
	return c
}

// answer reads one answer of a front end, and its body to the end of the conn.
func answer(t *testing.T, c net.Conn) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodGet})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestConnectRefusals: each kind of failure has its status, its words and its
// end.
func TestConnectRefusals(t *testing.T) {
	for _, road := range connectRoads {
		for _, tt := range []struct {
			err    error
			status int
			header string
		}{
			{&dialer.Error{Hop: dialer.HopAgent, Err: dialer.ErrNoRoute}, 503, "no route; agent"},
			{&dialer.Error{Hop: dialer.HopPolicy, Err: dialer.ErrDenied}, 403, "denied; policy"},
			{&dialer.Error{Hop: "target via agent edge-1", Err: context.DeadlineExceeded}, 504, "timeout; target via agent edge-1"},
			{&dialer.Error{Hop: dialer.HopTarget, Err: syscall.ECONNREFUSED}, 502, "refused; target"},
			{&dialer.Error{Hop: dialer.HopTarget, Err: syscall.EHOSTUNREACH}, 502, "unreachable; target"},
			{&dialer.Error{Hop: dialer.HopResolve, Err: dialer.ErrNoSuchHost}, 502, "no such host; resolve"},
			{errors.New("no idea"), 502, "other; target"},
		} {
			fr := newFront(t, ModeHTTPConnect, road, func(cfg *FrontendConfig) { cfg.Dialer = failing(tt.err) })
			c := fr.send("CONNECT node-1:10250 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nimpatient")
			resp, body := answer(t, c)
			if resp.StatusCode != tt.status || resp.Header.Get("Sallyport-Error") != tt.header || !strings.Contains(body, tt.err.Error()) {
				t.Errorf("%v: %d, %q, %q", tt.err, resp.StatusCode, resp.Header.Get("Sallyport-Error"), body)
			}
			if !resp.Close || resp.ContentLength != int64(len(body)) || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("%v: %v, %d bytes", tt.err, resp.Header, len(body))
			}
			if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || dialer.KindOf(err) == dialer.Timeout {
				t.Errorf("after the answer: %d, %v", n, err)
			}
			fr.f.Close()
		}
	}
}

// TestConnectRefusalReachesTheTalkative: a client that has sent more than anybody
// read gets its answer all the same.
func TestConnectRefusalReachesTheTalkative(t *testing.T) {
	for _, road := range connectRoads {
		fr := newFront(t, ModeHTTPConnect, road, func(cfg *FrontendConfig) { cfg.Dialer = failing(dialer.ErrDenied) })
		for range 50 {
			c := fr.send("CONNECT node-1:1 HTTP/1.1\r\n\r\n" + strings.Repeat("x", 100_000))
			if resp, body := answer(t, c); resp.StatusCode != 403 || !strings.Contains(body, "denied") {
				t.Fatalf("%s: %d %q", road, resp.StatusCode, body)
			}
			c.Close()
		}
	}
}

// TestConnectBadRequests: what is no request is told so, and dials nothing.
func TestConnectBadRequests(t *testing.T) {
	for _, road := range connectRoads {
		h := newHanging()
		fr := newFront(t, ModeHTTPConnect, road, func(cfg *FrontendConfig) { cfg.Dialer = h })
		for text, want := range map[string]int{
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                                  405,
			"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi":         405,
			"CONNECT node-1 HTTP/1.1\r\n\r\n":                                    400,
			"CONNECT :1 HTTP/1.1\r\n\r\n":                                        400,
			"CONNECT node-1:0 HTTP/1.1\r\n\r\n":                                  400,
			"CONNECT /var/run/docker.sock HTTP/1.1\r\n\r\n":                      400,
			"CONNECT user@node-1:1 HTTP/1.1\r\n\r\n":                             400,
			"CONNECT node-1:1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc":          400,
			"nonsense\r\n\r\n":                                                   400,
			"CONNECT a:1 HTTP/1.1\r\nX: " + strings.Repeat("x", 70<<10) + "\r\n": 431,
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                   505,
		} {
			resp, body := answer(t, fr.send(text))
			if resp.StatusCode != want || body == "" {
				t.Errorf("%s, %.40q: %d, %q", road, text, resp.StatusCode, body)
			}
			if want == 405 && resp.Header.Get("Allow") != "CONNECT" {
				t.Errorf("%.40q: Allow is %q", text, resp.Header.Get("Allow"))
			}
		}
		if len(h.started) > 0 {
			t.Errorf("%s: one of them was dialed for", road)
		}
	}
}

// TestConnectEarlyBytes: what comes right behind the request, or during the
// dial, reaches the target.
func TestConnectEarlyBytes(t *testing.T) {
	const established = "HTTP/1.1 200 Connection Established\r\n\r\n"
	for _, road := range connectRoads {
		release := make(chan struct{})
		address := echo(t)
		fr := newFront(t, ModeHTTPConnect, road, func(cfg *FrontendConfig) {
			d := cfg.Dialer
			cfg.Dialer = dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
				<-release
				return d.DialContext(ctx, network, address)
			})
		})
		early := string(pattern(100_000)) // more than is kept: the rest waits
		c := fr.send("CONNECT " + address + " HTTP/1.1\r\n\r\n" + early[:10])
		wrote := make(chan error, 1)
		go func() { _, err := io.WriteString(c, early[10:]); wrote <- err }()
		release <- struct{}{}
		got := make([]byte, len(established)+len(early))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != established+early {
			t.Errorf("%s: %.60q, %v", road, got, err)
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	}
}

// TestConnectAnswerComesFirst: not a byte of the target comes before the answer,
// and it is the whole of the header.
func TestConnectAnswerComesFirst(t *testing.T) {
	rounds := 500
	if testing.Short() || raceEnabled {
		rounds = 50
	}
	const banner = "SSH-2.0-OpenSSH_9.6\r\n"
	address := target(t, func(c net.Conn) { io.WriteString(c, banner) })
	for _, road := range connectRoads {
		fr := newFront(t, ModeHTTPConnect, road, nil)
		for i := range rounds {
			got, err := io.ReadAll(fr.send("CONNECT " + address + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
			if want := "HTTP/1.1 200 Connection Established\r\n\r\n" + banner; string(got) != want {
				t.Fatalf("%s, round %d: %q, %v", road, i, got, err)
			}
		}
	}
}

// TestConnectClientLeaves: a client that goes while it waits ends the dial.
func TestConnectClientLeaves(t *testing.T) {
	for _, road := range connectRoads {
		h := newHanging()
		fr := newFront(t, ModeHTTPConnect, road, func(cfg *FrontendConfig) { cfg.Dialer = h })
		for name, leave := range map[string]func(net.Conn){
			"close":      func(c net.Conn) { c.Close() },
			"half-close": func(c net.Conn) { c.(dialer.CloseWriter).CloseWrite() },
		} {
			c := fr.send("CONNECT node-1:1 HTTP/1.1\r\n\r\nearly")
			<-h.started
			leave(c)
			if err := within(t, "the dial to end", h.ended); err != context.Canceled {
				t.Errorf("%s, %s: %v", road, name, err)
			}
		}
	}
}

// TestConnectTrace: the hooks are called in pairs, and once.
func TestFrontendTrace(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		var ups, downs, dials, writes counter
		address := echo(t)
		fr := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) {
			cfg.Trace = &FrontendTrace{
				ClientUp: ups.add, ClientDown: downs.add,
				DialDone: func(a string, took time.Duration, err error) {
					if dials.add(); a != address || took <= 0 || err != nil {
						t.Errorf("DialDone(%q, %v, %v)", a, took, err)
					}
				},
				WriteDone: func(time.Duration) { writes.add() },
			}
		})
		client := fr.client(nil)
		for range 3 {
			c := dial(t, client, address)
			talk(t, c, "hello")
			c.Close()
		}
		eventually(t, "three clients to have come and gone", func() bool { return downs.get() == 3 })
		if ups.get() != 3 || dials.get() != 3 || writes.get() < 3 {
			t.Errorf("%d came, %d dials, %d writes", ups.get(), dials.get(), writes.get())
		}
	})
}
