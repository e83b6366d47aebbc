package streamconn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// recipient notes what it is given.
type recipient struct {
	bytes.Buffer
	took   int
	fail   error // of every write
	ends   []error
	busy   chan struct{} // closed to let writes go on, if not nil
	vector bool          // several pieces came at once
}

func (r *recipient) Write(p []byte) (int, error) {
	if r.busy != nil {
		<-r.busy
	}
	if r.fail != nil {
		return 0, r.fail
	}
	return r.Buffer.Write(p)
}

func (r *recipient) WriteVector(v *net.Buffers) (int64, error) {
	r.vector = true
	return v.WriteTo(struct{ io.Writer }{r})
}

func (r *recipient) Took(n int)      { r.took += n }
func (r *recipient) Ended(err error) { r.ends = append(r.ends, err) }

// delivering runs f with a Buffer that delivers to r, and ends its workers.
func delivering(t *testing.T, f func(t *testing.T, b *Buffer, r *recipient)) {
	synctest.Test(t, func(t *testing.T) {
		var w Workers
		b, r := NewBuffer(), new(recipient)
		put(b, []byte("early "), 6)
		b.Deliver(r, &w)
		f(t, b, r)
		synctest.Wait()
		if len(r.ends) != 1 {
			t.Errorf("ended %d times: %v", len(r.ends), r.ends)
		}
		w.Stop()
		w.Wait()
	})
}

func TestDeliverEnds(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		end  func(b *Buffer, r *recipient)
		want error
	}{
		"EOF":              {func(b *Buffer, _ *recipient) { b.End(io.EOF) }, io.EOF},
		"reset":            {func(b *Buffer, _ *recipient) { b.End(broken) }, broken},
		"abandoned":        {func(b *Buffer, _ *recipient) { b.Abandon(broken) }, broken},
		"closed":           {func(b *Buffer, _ *recipient) { b.Close() }, net.ErrClosed},
		"deadline":         {func(b *Buffer, _ *recipient) { b.Deadline.Set(time.Now().Add(time.Hour)); time.Sleep(2 * time.Hour) }, os.ErrDeadlineExceeded},
		"deadline in past": {func(b *Buffer, _ *recipient) { b.Deadline.Set(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"recipient fails": {func(b *Buffer, r *recipient) {
			synctest.Wait()
			r.fail = broken
			put(b, []byte("x"), 1)
		}, broken},
	} {
		t.Run(name, func(t *testing.T) {
			delivering(t, func(t *testing.T, b *Buffer, r *recipient) {
				put(b, []byte("late"), 1)
				synctest.Wait()
				c.end(b, r)
				b.End(errors.New("one more end"))
				synctest.Wait()
				want := 10
				if r.fail != nil {
					want++ // what has failed has left too
				}
				if r.String() != "early late" || r.took != want {
					t.Errorf("%q came, %d bytes have left, want %d", r.String(), r.took, want)
				}
				if len(r.ends) > 0 && r.ends[0] != c.want {
					t.Errorf("ended with %v, want %v", r.ends[0], c.want)
				}
				if n, _ := chunks(b); name == "EOF" && n != 0 {
					t.Errorf("%d chunks are left", n)
				}
			})
		})
	}
}

// TestDeliverAgain: once it has ended, the Buffer is anybody's again.
func TestDeliverAgain(t *testing.T) {
	delivering(t, func(t *testing.T, b *Buffer, r *recipient) {
		synctest.Wait()
		r.fail = io.ErrClosedPipe
		put(b, []byte("dropped"), 7)
		synctest.Wait()
		put(b, []byte("read"), 4)
		got := make([]byte, 10)
		if n, err := b.Read(got); err != nil || string(got[:n]) != "read" {
			t.Errorf("read %q, %v", got[:n], err)
		}
		var w Workers
		second := new(recipient)
		b.Deliver(second, &w)
		put(b, []byte("delivered"), 9)
		b.End(io.EOF)
		synctest.Wait()
		if second.String() != "delivered" || len(second.ends) != 1 {
			t.Errorf("%q, ended %v", second.String(), second.ends)
		}
		w.Stop()
		w.Wait()
	})
}

// TestDeliverAtOnce: what came while a write was under way leaves in one call.
func TestDeliverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w Workers
		b, r := NewBuffer(), &recipient{busy: make(chan struct{})}
		want := pattern(100 << 10)
		b.Deliver(r, &w)
		put(b, want, 16<<10)
		synctest.Wait()
		close(r.busy)
		synctest.Wait()
		if !r.vector || !bytes.Equal(r.Bytes(), want) || r.took != len(want) {
			t.Errorf("vector %v, %d of %d bytes, %d taken", r.vector, r.Len(), len(want), r.took)
		}
		b.End(io.EOF)
		synctest.Wait()
		w.Stop()
		w.Wait()
	})
}

// TestDeliverStress: bytes come in every form while they are delivered.
func TestDeliverStress(t *testing.T) {
	var w Workers
	b, r := NewBuffer(), new(recipient)
	over := make(chan struct{})
	b.Deliver(&closing{r, over}, &w)
	want := pattern(1 << 20)
	for rest, i := want, 0; len(rest) > 0; i++ {
		n := min(len(rest), 1+i*631%(40<<10))
		if i%5 == 4 {
			b.AppendOwned(rest[:n], func() {})
		} else {
			put(b, rest[:n], 1+i*17%n)
		}
		rest = rest[n:]
	}
	b.End(io.EOF)
	<-over
	if !bytes.Equal(r.Bytes(), want) {
		t.Errorf("%d of %d bytes, or others", r.Len(), len(want))
	}
	w.Stop()
	w.Wait()
}

// closing closes a channel at the end.
type closing struct {
	*recipient
	over chan struct{}
}

func (c *closing) Ended(err error) { c.recipient.Ended(err); close(c.over) }
