package mux

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// consume serves one stream in a way that depends on its number, so that a
// fuzzer meets all of them.
func consume(st *Stream) {
	defer st.Close()
	switch st.ID() / 2 % 6 {
	case 0:
		io.Copy(io.Discard, st)
	case 1:
		io.Copy(st, st) // echo
	case 2:
		st.Reset(ReasonStalled)
	case 3:
		st.Write(make([]byte, 40<<10))
		st.CloseWrite()
		io.ReadAll(st)
	case 4:
		stopped := make(chan struct{})
		st.OnPeerStop(func() { close(stopped) })
		<-stopped // never reads
	case 5:
	}
}

// FuzzSession feeds a running session whatever bytes. It must end when they do,
// and owe nothing.
func FuzzSession(f *testing.F) {
	leak.Check(f)
	var all []byte
	for _, g := range golden {
		f.Add(unhex(g.bytes), byte(0))
		if g.h.typ != typeGoAway {
			all = append(all, unhex(g.bytes)...)
			if g.h.typ == typeData {
				all = append(all, "hello"...)
			}
		}
	}
	for mode := range byte(4) {
		f.Add(all, mode)
	}
	f.Fuzz(func(t *testing.T, data []byte, mode byte) {
		var consumers, rest sync.WaitGroup
		a, b := net.Pipe()
		s := New(a, Config{
			Client: mode&1 != 0, Plain: mode&2 != 0, KeepAlive: -1,
			Memory: 256 << 10, MaxStreams: 16,
			Accept: func(st *Stream) { consumers.Go(func() { consume(st) }) },
		})
		for range 3 {
			st, err := s.Open(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			consumers.Go(func() { consume(st) })
		}
		ended := make(chan struct{})
		rest.Go(func() { s.Run(context.Background()); close(ended) })
		rest.Go(func() { io.Copy(io.Discard, b) })
		b.SetWriteDeadline(time.Now().Add(patience))
		for len(data) > 0 { // in pieces of any size, as a network does
			n := min(len(data), 1+int(data[0])%61)
			if _, err := b.Write(data[:n]); err != nil {
				select {
				case <-s.Done():
				default:
					t.Fatalf("the reader does not read: %v", err)
				}
				break
			}
			data = data[n:]
		}
		b.Close()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatal("the session outlives its conn")
		}
		rest.Wait()
		consumers.Wait()
		balanced(t, s)
	})
}
