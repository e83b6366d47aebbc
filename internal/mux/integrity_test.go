package mux

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// TestIntegrity sends random pieces on many streams at once, read in any of the
// ways there are, with deadlines that interrupt the writers.
func TestIntegrity(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	p := newPair(t, a, b, nil)
	var wg sync.WaitGroup
	for i := range 48 {
		s1, s2 := p.open(t)
		if i%2 == 1 {
			s1, s2 = s2, s1
		}
		data := random(uint64(100+i), 300<<10)
		rnd := rand.New(rand.NewPCG(uint64(i), 1))
		wg.Go(func() {
			for rest := data; len(rest) > 0; {
				if rnd.IntN(4) == 0 {
					s1.SetWriteDeadline(time.Now().Add(time.Duration(rnd.IntN(300)) * time.Microsecond))
				}
				n, err := s1.Write(rest[:min(len(rest), 1+rnd.IntN(40<<10))])
				rest = rest[n:]
				if errors.Is(err, os.ErrDeadlineExceeded) {
					s1.SetWriteDeadline(time.Time{})
				} else if err != nil {
					t.Errorf("write: %v", err)
					return
				}
			}
			if i%3 == 0 {
				s1.Close()
			} else {
				s1.CloseWrite()
			}
		})
		wg.Go(func() {
			h := sha256.New()
			var err error
			if i%3 == 1 {
				_, err = s2.WriteTo(h)
			} else {
				buf := make([]byte, 1+i*401)
				_, err = io.CopyBuffer(h, struct{ io.Reader }{s2}, buf)
			}
			want := sha256.Sum256(data)
			if err != nil || !bytes.Equal(h.Sum(nil), want[:]) {
				t.Errorf("stream %d: other bytes arrived, %v", s2.ID(), err)
			}
			s2.Close()
			s1.Close()
		})
	}
	wg.Wait()
	eventually(t, "all is closed", func() bool { return p.client.Streams()+p.server.Streams() == 0 })
	balanced(t, p.client, p.server)
}

// TestConcurrentWritesDoNotMix: two Writes on one stream arrive one after the
// other, each whole.
func TestConcurrentWritesDoNotMix(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	p := newPair(t, a, b, nil)
	s1, s2 := p.open(t)
	const writers, each, size = 8, 20, 70_001
	var wg sync.WaitGroup
	for i := range byte(writers) {
		wg.Go(func() {
			for range each {
				s1.Write(bytes.Repeat([]byte{i}, size))
			}
		})
	}
	go func() { wg.Wait(); s1.CloseWrite() }()
	got, err := io.ReadAll(s2)
	if err != nil || len(got) != writers*each*size {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for ; len(got) > 0; got = got[size:] {
		if !bytes.Equal(got[:size], bytes.Repeat(got[:1], size)) {
			t.Fatal("two writes were mixed")
		}
	}
	wg.Wait()
	s1.Close()
	s2.Close()
}

// TestWriteToReportsTheWriter: whatever the writer fails with is an error, even
// io.EOF, which some conns return from Write.
func TestWriteToReportsTheWriter(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	p := newPair(t, a, b, nil)
	for _, fail := range []error{io.EOF, io.ErrClosedPipe, nil} {
		s1, s2 := p.open(t)
		s1.Write([]byte("hello"))
		want := fail
		if fail == nil {
			want = io.ErrShortWrite
		}
		if n, err := s2.WriteTo(failing{fail}); err != want || n != 0 {
			t.Errorf("%d, %v, want %v", n, err, want)
		}
		s1.Close()
		s2.Close()
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
