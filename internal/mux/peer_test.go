package mux

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait for something that has to happen.
const patience = 20 * time.Second

// frame is one frame as it was on the wire.
type frame struct {
	header
	body []byte
}

// peer is the far end of a session as bytes and frames: what an implementation
// that is not ours, or not well-behaved, may send.
type peer struct {
	t      testing.TB
	conn   net.Conn
	s      *Session
	frames chan frame
	ended  chan struct{} // closed when Run has returned
	err    error         // what Run returned
}

// newPeer runs a session over a pipe and collects all its frames.
func newPeer(t testing.TB, cfg Config) *peer {
	t.Helper()
	a, b := net.Pipe()
	if cfg.KeepAlive == 0 {
		cfg.KeepAlive = -1
	}
	p := &peer{t: t, conn: b, s: New(a, cfg), frames: make(chan frame, 1<<16), ended: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		p.err = p.s.Run(context.Background())
		close(p.ended)
	})
	wg.Go(p.collect)
	t.Cleanup(func() {
		p.s.Close()
		b.Close()
		wg.Wait()
	})
	return p
}

func (p *peer) collect() {
	defer close(p.frames)
	for {
		b := make([]byte, headerSize)
		if _, err := io.ReadFull(p.conn, b); err != nil {
			return
		}
		f := frame{header: header{typ: b[1], flags: binary.BigEndian.Uint16(b[2:]),
			id: binary.BigEndian.Uint32(b[4:]), length: binary.BigEndian.Uint32(b[8:])}}
		if f.typ == typeData {
			f.body = make([]byte, f.length)
			if _, err := io.ReadFull(p.conn, f.body); err != nil {
				return
			}
		}
		p.frames <- f
	}
}

// send writes a frame. The session may have ended, which is for the caller to see.
func (p *peer) send(h header, body ...byte) error {
	_, err := p.conn.Write(append(h.append(nil), body...))
	return err
}

// next returns the next frame that is not a ping of the session's own.
func (p *peer) next() frame {
	p.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case f, ok := <-p.frames:
			if !ok {
				p.t.Fatal("the session hung up, a frame was due")
			}
			if f.typ == typePing && f.flags == flagSYN {
				continue
			}
			return f
		case <-timeout.C:
			p.t.Fatal("no frame came")
		}
	}
}

// until returns the frames up to the answer to a ping: everything sent before
// has been handled. ok is false when the session ended instead.
func (p *peer) until(seq uint32) (seen []frame, ok bool) {
	p.t.Helper()
	p.send(header{typ: typePing, flags: flagSYN, length: seq})
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case f, open := <-p.frames:
			switch {
			case !open:
				return seen, false
			case f.typ == typePing && f.flags == flagACK && f.length == seq:
				return seen, true
			case f.typ != typePing:
				seen = append(seen, f)
			}
		case <-timeout.C:
			p.t.Fatal("no answer to a ping")
		}
	}
}

// wait returns what Run returned.
func (p *peer) wait() error {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(patience):
		p.t.Fatal("the session does not end")
		return nil
	}
}

// eventually polls until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// balanced checks that a session whose streams are all closed owes nothing.
func balanced(t testing.TB, sessions ...*Session) {
	t.Helper()
	for _, s := range sessions {
		if n := s.Streams(); n != 0 {
			t.Errorf("%d streams left in the books", n)
		}
		if n := s.mem.Used(); n != 0 {
			t.Errorf("%d bytes of windows left in the books", n)
		}
	}
}
