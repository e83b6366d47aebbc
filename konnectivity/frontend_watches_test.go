package konnectivity

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// TestWatch: a client that leaves is noticed within two turns, and one that says
// something is heard.
func TestWatch(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		var ws watches
		near, far := net.Pipe()
		ctx, gone := context.WithCancelCause(t.Context())
		w := ws.start(near, []byte("ea"), gone)
		go func() {
			io.WriteString(far, "rly")
			far.Close()
		}()
		begin := time.Now()
		<-ctx.Done()
		if took := time.Since(begin); took > 2*watchTurn {
			t.Errorf("it took %v, want at most %v", took, 2*watchTurn)
		}
		if early, left := ws.stop(w); string(early) != "early" || left != io.EOF || context.Cause(ctx) != errClientLeft {
			t.Errorf("%q, %v, %v", early, left, context.Cause(ctx))
		}
		time.Sleep(2 * watchTurn)
		if ws.timer != nil {
			t.Error("there are turns though there are no dials")
		}
		near.Close()
	})
}

// TestWatchOfAQuickDial: nobody reads the conn of a client whose dial is over soon,
// and a dial that is over early in a turn is none of the next.
func TestWatchOfAQuickDial(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		var ws watches
		near, far := net.Pipe()
		said := make(chan error, 1)
		go func() { _, err := io.WriteString(far, "early"); said <- err }()
		var others []*watch
		for range 3 {
			others = append(others, ws.start(near, nil, func(error) { t.Error("it left") }))
		}
		for _, w := range others {
			time.Sleep(watchTurn / 4)
			if early, left := ws.stop(w); len(early) > 0 || left != nil || w.done != nil {
				t.Errorf("%q, %v, watched: %v", early, left, w.done != nil)
			}
		}
		time.Sleep(3 * watchTurn)
		if got, err := io.ReadAll(io.LimitReader(near, 5)); string(got) != "early" || err != nil || <-said != nil {
			t.Errorf("%q, %v", got, err)
		}
		near.Close()
		ws.close()
	})
}

// TestWatchLooks: of a client that has ended its direction before a quick dial was
// over, nobody waits for the connection. One that has merely said something stays.
func TestWatchLooks(t *testing.T) {
	ln, err := ListenUnix(filepath.Join(t.TempDir(), "s"), UnixOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for name, want := range map[string]error{"": io.EOF, "early": nil} {
		client, err := net.Dial("unix", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(client, name)
		var ws watches
		w := ws.start(conn, nil, func(error) {})
		if _, left := ws.stop(w); left != nil {
			t.Errorf("%q: it left before it left: %v", name, left)
		}
		client.(dialer.CloseWriter).CloseWrite()
		w = ws.start(conn, nil, func(error) {})
		if _, left := ws.stop(w); left != want {
			t.Errorf("%q: left with %v, want %v", name, left, want)
		}
		ws.close()
		client.Close()
		conn.Close()
	}
}
