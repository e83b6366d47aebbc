package streamconn

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// eager is a recipient that takes up to room bytes without waiting.
type eager struct {
	recipient
	room  int
	slow  bool // its writes wait until busy is closed
	tries int
	broke error // of a try
}

func (e *eager) TryWrite(p []byte) (int, error) {
	e.tries++
	if e.broke != nil {
		return 0, e.broke
	}
	n := min(len(p), e.room)
	e.room -= n
	return e.Buffer.Write(p[:n])
}

// trying runs f with a Buffer that delivers to e. Nothing but what a try leaves is
// done by a goroutine.
func trying(t *testing.T, e *eager, f func(b *Buffer, started func() int)) {
	synctest.Test(t, func(t *testing.T) {
		var w Workers
		b := NewBuffer()
		if e.slow {
			e.busy = make(chan struct{})
		}
		b.Deliver(e, &w)
		f(b, func() int { synctest.Wait(); return parked(&w) })
		synctest.Wait()
		if len(e.ends) != 1 {
			t.Errorf("ended %d times: %v", len(e.ends), e.ends)
		}
		w.Stop()
		w.Wait()
	})
}

// TestTryTakesAll: a few bytes for which there is room are written before whoever
// appends them goes on, and wake nobody.
func TestTryTakesAll(t *testing.T) {
	e := &eager{room: 1 << 20}
	trying(t, e, func(b *Buffer, started func() int) {
		put(b, []byte("one "), 4)
		time.Sleep(moment)
		b.AppendOwned([]byte("two"), func() {})
		if e.String() != "one two" || e.took != 7 || e.tries != 2 {
			t.Errorf("%q after %d tries, %d taken", e.String(), e.tries, e.took)
		}
		if n, _ := chunks(b); n != 0 || b.Len() != 0 {
			t.Errorf("%d chunks and %d bytes are left", n, b.Len())
		}
		if n := started(); n != 0 {
			t.Errorf("%d goroutines have worked", n)
		}
		b.End(io.EOF)
	})
	if e.ends[0] != io.EOF {
		t.Errorf("ended with %v", e.ends[0])
	}
}

// TestTryLeavesTheRest: what there is no room for goes out in order, behind what was
// tried and before what comes later, and counts once.
func TestTryLeavesTheRest(t *testing.T) {
	for _, room := range []int{0, 1, 5, 1500} {
		e := &eager{room: room, slow: true}
		want := pattern(9000)
		trying(t, e, func(b *Buffer, started func() int) {
			put(b, want[:2000], 2000)
			if started(); e.Len() != room {
				t.Errorf("%d bytes were written without waiting, there was room for %d", e.Len(), room)
			}
			put(b, want[2000:3000], 100) // nobody tries while others write
			put(b, want[3000:], 3000)
			if started(); e.Len() != room || e.tries != 1 {
				t.Errorf("%d bytes after %d tries", e.Len(), e.tries)
			}
			close(e.busy)
			if started(); e.String() != string(want) || e.took != len(want) {
				t.Errorf("room %d: %d bytes, or others, and %d taken, of %d", room, e.Len(), e.took, len(want))
			}
			e.room = 3
			time.Sleep(moment)
			put(b, []byte("end"), 3)
			if e.tries != 2 {
				t.Error("nobody tries again when all is written")
			}
			b.End(io.EOF)
		})
		if e.ends[0] != io.EOF || e.took != len(want)+3 {
			t.Errorf("ended with %v after %d bytes", e.ends[0], e.took)
		}
	}
}

// TestTryNotMuch: what is worth a goroutine is not tried.
func TestTryNotMuch(t *testing.T) {
	e := &eager{room: 1 << 20}
	trying(t, e, func(b *Buffer, started func() int) {
		want := pattern(tryMost + 1)
		put(b, want, len(want))
		if started(); e.tries != 0 || e.String() != string(want) {
			t.Errorf("%d tries, %d bytes", e.tries, e.Len())
		}
		b.End(io.EOF)
	})
}

// TestTriesHaveRests: bytes that follow each other are left to a goroutine, of whichever
// Buffer they are: whoever brings them has those of others to bring, too.
func TestTriesHaveRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w Workers
		busy, other := &eager{room: 1 << 20}, &eager{room: 1 << 20}
		of := map[*eager]*Buffer{busy: NewBuffer(), other: NewBuffer()}
		for e, b := range of {
			b.Deliver(e, &w)
		}
		for range 100 {
			put(of[busy], []byte("x"), 1)
			time.Sleep(moment / 2)
		}
		put(of[other], []byte("x"), 1)
		synctest.Wait()
		if busy.tries != 1 || other.tries != 0 {
			t.Errorf("%d and %d tries, want one for the first", busy.tries, other.tries)
		}
		if busy.Len() != 100 || other.Len() != 1 {
			t.Errorf("%d and %d bytes were delivered", busy.Len(), other.Len())
		}
		time.Sleep(moment)
		put(of[other], []byte("x"), 1)
		if other.tries != 1 {
			t.Error("nobody tries behind a rest")
		}
		for _, b := range of {
			b.End(io.EOF)
		}
		synctest.Wait()
		w.Stop()
		w.Wait()
	})
}

// TestTryFails: an error of a try ends the delivery as one of a write does, on
// another goroutine than that of whoever appends.
func TestTryFails(t *testing.T) {
	broken := errors.New("broken")
	e := &eager{broke: broken}
	trying(t, e, func(b *Buffer, started func() int) {
		put(b, []byte("dropped"), 7)
		put(b, []byte("kept"), 4)
	})
	if e.ends[0] != broken || e.tries != 1 || e.took != 7 {
		t.Errorf("ended with %v after %d tries, %d bytes taken", e.ends[0], e.tries, e.took)
	}
}

// TestTryAndEnds: an end that comes while bytes wait for room, or before any, is
// delivered behind them.
func TestTryAndEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(b *Buffer)
		want error
	}{
		"EOF":      {func(b *Buffer) { b.End(io.EOF) }, io.EOF},
		"closed":   {func(b *Buffer) { b.Close() }, net.ErrClosed},
		"deadline": {func(b *Buffer) { b.Deadline.Set(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
	} {
		for _, full := range []bool{true, false} {
			e := &eager{slow: true}
			if !full {
				e.room = 100
			}
			trying(t, e, func(b *Buffer, started func() int) {
				put(b, []byte("last words"), 10)
				c.end(b)
				started()
				close(e.busy)
			})
			if e.String() != "last words" || e.ends[0] != c.want {
				t.Errorf("%s, full %v: %q, ended with %v", name, full, e.String(), e.ends[0])
			}
		}
	}
}

// TestSinkTries: a Sink tries what is below it, and leaves to others what is below
// and cannot.
func TestSinkTries(t *testing.T) {
	e := &eager{room: 3}
	s := &Sink{W: e}
	if n, err := s.TryWrite([]byte("hello")); n != 3 || err != nil || s.N != 3 || s.Err != nil {
		t.Errorf("%d, %v; %d bytes, %v", n, err, s.N, s.Err)
	}
	e.broke = io.EOF
	if _, err := s.TryWrite([]byte("lo")); err != io.EOF || s.Err != io.EOF {
		t.Errorf("%v, remembered %v", err, s.Err)
	}
	s = &Sink{W: io.Discard}
	if n, err := s.TryWrite([]byte("hello")); n != 0 || err != nil || s.N != 0 {
		t.Errorf("what cannot be tried: %d, %v", n, err)
	}
}
