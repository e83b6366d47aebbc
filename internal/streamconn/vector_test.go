package streamconn

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// hook is a writer that calls f before it takes anything.
type hook struct {
	bytes.Buffer
	f func()
}

func (h *hook) Write(p []byte) (int, error) {
	h.f()
	return h.Buffer.Write(p)
}

// TestLentChunk: what is being written out stays as it is, whatever happens to the
// rest of its chunk meanwhile.
func TestLentChunk(t *testing.T) {
	for name, do := range map[string]func(b *Buffer, p []byte){
		"filled on":         func(b *Buffer, p []byte) { b.Commit(copy(p, "more")) },
		"nothing came":      func(b *Buffer, p []byte) { b.Commit(0) },
		"closed":            func(b *Buffer, p []byte) { b.Close(); b.Commit(copy(p, "more")) },
		"abandoned":         func(b *Buffer, p []byte) { b.Abandon(io.EOF); b.Commit(copy(p, "more")) },
		"read by the other": func(b *Buffer, p []byte) { b.Commit(copy(p, "more")); b.Read(make([]byte, 10)) },
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBuffer()
			put(b, []byte("lent"), 4)
			p := b.Reserve(4)
			out := &hook{}
			out.f = func() {
				do(b, p)
				// Whoever is given the chunk too early writes over what is lent.
				for range 10 {
					other := NewBuffer()
					put(other, bytes.Repeat([]byte("x"), smallChunk), smallChunk)
				}
			}
			if n, err := b.WriteNext(out); n != 4 || err != nil || out.String() != "lent" {
				t.Errorf("%d, %q, %v", n, out.String(), err)
			}
		})
	}
}

// TestVectorBounds: one call takes no more than the bounds, and all there is after
// as many as that needs.
func TestVectorBounds(t *testing.T) {
	for _, size := range []int{1 << 10, 16 << 10, 200 << 10} {
		b := NewBuffer()
		total := 0
		for i := range 3 * maxPieces {
			p := pattern(size + i)
			b.AppendOwned(p, func() {})
			total += len(p)
		}
		got := 0
		for got < total {
			n, err := b.WriteNext(io.Discard)
			if err != nil || n == 0 || n > max(maxVector, size+3*maxPieces) {
				t.Fatalf("pieces of %d: one call took %d, %v", size, n, err)
			}
			got += n
		}
		if b.Len() != 0 {
			t.Errorf("pieces of %d: %d bytes are left", size, b.Len())
		}
	}
}

// BenchmarkWriteNext moves full chunks to a socket, one by one as they come and
// many at once.
func BenchmarkWriteNext(b *testing.B) {
	for name, chunks := range map[string]int{"one": 1, "eight": 8} {
		b.Run(name, func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			out, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			in, err := ln.Accept()
			if err != nil {
				b.Fatal(err)
			}
			var sink sync.WaitGroup
			sink.Go(func() { io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{in}); in.Close() })
			buf := NewBuffer()
			b.SetBytes(int64(chunks * largeChunk))
			b.ReportAllocs()
			for b.Loop() {
				for range chunks {
					buf.Commit(len(buf.Reserve(largeChunk)))
				}
				for buf.Len() > 0 {
					if _, err := buf.WriteNext(out); err != nil {
						b.Fatal(err)
					}
				}
			}
			out.Close()
			sink.Wait()
		})
	}
}
