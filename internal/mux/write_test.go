package mux

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

// full returns a pair whose client's carrier takes no more, and a stream with a
// full window of credit, before which others have filled the batches.
func full(t *testing.T) (p *pair, g *gate, near, far *Stream) {
	a, b := net.Pipe()
	g = newGate(a)
	p = newPair(t, g, b, func(c, s *Config) { c.KeepAlive, s.KeepAlive = -1, -1 })
	near, far = p.open(t)
	var others []*Stream
	for range 8 { // more than the batch under way and the next one hold
		st, _ := p.open(t)
		others = append(others, st)
	}
	synctest.Wait() // every ACK has arrived
	g.shut()
	for _, st := range others {
		st.SetWriteDeadline(time.Now().Add(time.Second))
		st.Write(make([]byte, baseWindow))
	}
	return p, g, near, far
}

// TestWriteDeadlineInQueue: n says exactly what the peer will get.
func TestWriteDeadlineInQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, g, st, far := full(t)
		data := random(7, 200<<10)
		sent := 0
		write := func(n int) {
			m, err := st.Write(data[sent : sent+n])
			if !errors.Is(err, os.ErrDeadlineExceeded) || m >= n {
				t.Errorf("write behind a full carrier: %d of %d, %v", m, n, err)
			}
			sent += m
		}
		st.SetWriteDeadline(time.Now().Add(time.Second))
		write(10 << 10)
		write(1) // the deadline is over: nothing is taken
		st.SetWriteDeadline(time.Now().Add(time.Second))
		write(40 << 10)
		st.SetWriteDeadline(time.Time{})
		before := sent
		go func() {
			n, err := st.Write(data[sent:])
			if sent+n != len(data) || err != nil {
				t.Errorf("write without a deadline: %d, %v", n, err)
			}
			st.CloseWrite()
		}()
		synctest.Wait()
		g.lift()
		got, err := io.ReadAll(far)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("read %d bytes of %d, %d were sent before; equal %v; %v",
				len(got), len(data), before, bytes.HasPrefix(data, got), err)
		}
		p.stop()
	})
}

// TestEndInQueue: a stream that ends while its Write waits sends nothing behind
// the end, and the Write returns.
func TestEndInQueue(t *testing.T) {
	for name, end := range map[string]func(st *Stream) error{
		"CloseWrite": (*Stream).CloseWrite,
		"Close":      (*Stream).Close,
		"Reset":      func(st *Stream) error { return st.Reset(ReasonCanceled) },
	} {
		for _, queued := range []bool{true, false} {
			t.Run(name+","+map[bool]string{true: "queued", false: "no credit"}[queued], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, far := net.Pipe()
					g := newGate(a)
					g.shut()
					s := New(g, Config{Client: true, KeepAlive: -1})
					ran := make(chan struct{})
					go func() { s.Run(t.Context()); close(ran) }()
					st, err := s.Open(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if queued {
						st.addCredit(1 << 20)
					}
					data := random(3, 1<<20)
					taken := make(chan int, 1)
					go func() {
						n, err := st.Write(data)
						if !errors.Is(err, net.ErrClosed) {
							t.Errorf("write: %v", err)
						}
						taken <- n
					}()
					synctest.Wait()
					if err := end(st); err != nil {
						t.Fatal(err)
					}
					n := <-taken // though the carrier moves nothing
					go func() { synctest.Wait(); g.lift() }()
					var got []byte
					over := false
					for !over {
						h, body := readFrame(t, far)
						if h.typ == typeData {
							got = append(got, body...)
						}
						over = h.id == st.ID() && h.flags&(flagFIN|flagRST) != 0
					}
					if len(got) != n || !bytes.Equal(got, data[:n]) {
						t.Errorf("%d bytes arrived, Write took %d", len(got), n)
					}
					s.overtake(header{typ: typePing, flags: flagSYN, length: 77})
					for {
						h, body := readFrame(t, far)
						if h.typ == typePing && h.length == 77 {
							break
						}
						if h.typ == typeData {
							t.Errorf("%d bytes behind the end", len(body))
						}
					}
					st.Close()
					s.Close()
					<-ran
					far.Close()
					balanced(t, s)
				})
			})
		}
	}
}

func readFrame(t *testing.T, far net.Conn) (header, []byte) {
	t.Helper()
	b := make([]byte, headerSize)
	if _, err := io.ReadFull(far, b); err != nil {
		t.Fatal(err)
	}
	h, err := parseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	if h.typ != typeData {
		return h, nil
	}
	body := make([]byte, h.length)
	if _, err := io.ReadFull(far, body); err != nil {
		t.Fatal(err)
	}
	return h, body
}

// TestFinishEmptiesQueue: from the frame that ends a stream on, its waiting Write
// is out of the queue, before it has noticed anything itself.
func TestFinishEmptiesQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, g, st, _ := full(t)
		wrote := make(chan struct{})
		go func() { st.Write(make([]byte, baseWindow)); close(wrote) }()
		synctest.Wait()
		w := &p.client.w
		if w.queue.n != 1 {
			t.Fatalf("%d writes wait, want 1", w.queue.n)
		}
		w.finish(st, header{typ: typeWindow, flags: flagFIN, id: st.ID()})
		if w.queue.n != 0 {
			t.Error("data may still go out behind the FIN")
		}
		st.Reset(ReasonReset)
		<-wrote
		g.lift()
		p.stop()
	})
}

// TestQueueTakesTurns: a large Write that waits sends one frame, then come all
// the others that wait.
func TestQueueTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, far := net.Pipe()
		g := newGate(a)
		g.shut()
		s := New(g, Config{Client: true, KeepAlive: -1})
		ran := make(chan struct{})
		go func() { s.Run(t.Context()); close(ran) }()
		open := func() *Stream {
			st, err := s.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			st.addCredit(1 << 20)
			return st
		}
		bulk := open()
		go bulk.Write(make([]byte, 1<<20))
		synctest.Wait()
		const many = 50
		for range many {
			st := open()
			go st.Write(make([]byte, 1000))
		}
		synctest.Wait()
		g.lift()
		// One batch was under way and one was ready when the small ones came.
		before, small := 0, 0
		for small < many {
			h, body := readFrame(t, far)
			if h.typ == typeData && h.id == bulk.ID() {
				before += len(body)
			} else if h.typ == typeData {
				small++
			}
		}
		if limit := 3 * batchSize; before > limit {
			t.Errorf("%d bytes of the bulk went first, want at most %d", before, limit)
		}
		s.Close()
		<-ran
		far.Close()
	})
}
