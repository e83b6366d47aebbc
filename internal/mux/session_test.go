package mux

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testkit"
)

// pair is two sessions over one conn, the client's streams arriving on accepted.
type pair struct {
	client, server *Session
	accepted       chan *Stream
}

func newPair(t testing.TB, a, b net.Conn, tune func(client, server *Config)) *pair {
	t.Helper()
	p := &pair{accepted: make(chan *Stream, 10000)}
	cc := Config{Client: true}
	sc := Config{Accept: func(st *Stream) { p.accepted <- st }}
	if tune != nil {
		tune(&cc, &sc)
	}
	p.client, p.server = New(a, cc), New(b, sc)
	var wg sync.WaitGroup
	wg.Go(func() { p.client.Run(context.Background()) })
	wg.Go(func() { p.server.Run(context.Background()) })
	t.Cleanup(func() {
		p.client.Close()
		p.server.Close()
		wg.Wait()
	})
	return p
}

func tcpPair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	return testkit.Sockets(t, "tcp")
}

func (p *pair) open(t testing.TB) (*Stream, *Stream) {
	t.Helper()
	a, err := p.client.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	select {
	case b := <-p.accepted:
		return a, b
	case <-time.After(10 * time.Second):
		t.Fatal("no stream accepted")
		return nil, nil
	}
}

func TestConn(t *testing.T) {
	for name, conns := range map[string]func(testing.TB) (net.Conn, net.Conn){
		"tcp":  tcpPair,
		"pipe": func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() },
	} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				a, b := conns(t)
				p := newPair(t, a, b, nil)
				s1, s2 := p.open(t)
				return s1, s2, func() { s1.Close(); s2.Close(); p.client.Close(); p.server.Close() }, nil
			})
		})
	}
}

func TestWriteThenClose(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	p := newPair(t, a, b, nil)
	for _, size := range []int{0, 1, 4096, 64 << 10, 8 << 20} {
		for _, up := range []bool{true, false} {
			s1, s2 := p.open(t)
			if !up {
				s1, s2 = s2, s1
			}
			want := bytes.Repeat([]byte("sallyport"), size/9+1)[:size]
			go func() { s1.Write(want); s1.Close() }()
			got, err := io.ReadAll(s2)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("size %d up %v: read %d bytes, %v", size, up, len(got), err)
			}
			s2.Close()
		}
	}
	if n := p.client.Streams() + p.server.Streams(); n != 0 {
		t.Errorf("%d streams left in the books", n)
	}
	if m := p.client.mem.Used() + p.server.mem.Used(); m != 0 {
		t.Errorf("%d bytes of windows left in the books", m)
	}
}

func TestHalfClose(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	p := newPair(t, a, b, nil)
	s1, s2 := p.open(t)
	defer s1.Close()
	defer s2.Close()
	s1.Write([]byte("question"))
	s1.CloseWrite()
	if q, err := io.ReadAll(s2); err != nil || string(q) != "question" {
		t.Fatalf("read %q, %v", q, err)
	}
	if _, err := s1.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after CloseWrite: %v", err)
	}
	s2.Write([]byte("answer"))
	s2.Close()
	if q, err := io.ReadAll(s1); err != nil || string(q) != "answer" {
		t.Fatalf("read %q, %v", q, err)
	}
}
