package packet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/wire"
)

// eachKind runs f for each kind of carrier.
func eachKind(t *testing.T, f func(t *testing.T, extended, client, single bool)) {
	for _, extended := range []bool{false, true} {
		for _, client := range []bool{false, true} {
			for _, single := range []bool{false, true} {
				t.Run(fmt.Sprintf("extended=%v,openerIsClient=%v,single=%v", extended, client, single), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { f(t, extended, client, single) })
				})
			}
		}
	}
}

// What was written before Close arrives, whoever closes, however slowly it is
// read, and then comes io.EOF.
func TestWriteThenClose(t *testing.T) {
	eachKind(t, func(t *testing.T, extended, client, single bool) {
		for _, size := range []int{0, 5, 64 << 10, 1 << 20} {
			for _, openerCloses := range []bool{true, false} {
				e := newEnds(t, extended, client, func(o, a *Config) {
					o.Single, a.Single = single, single
					o.Queue, a.Queue = 16<<10, 16<<10
				})
				from, to := e.conns(1)
				if !openerCloses {
					from, to = to, from
				}
				want := bytes.Repeat([]byte("sally"), size/5)
				go func() {
					if n, err := from.Write(want); n != len(want) || err != nil {
						t.Errorf("Write: %d, %v", n, err)
					}
					if err := from.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				}()
				time.Sleep(time.Minute) // longer than an id of many is remembered
				got, err := io.ReadAll(to.Net())
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("size %d, the opener closes %v: read %d bytes, %v", size, openerCloses, len(got), err)
				}
				to.Close()
				time.Sleep(drainTime)
				if n := e.opener.Conns() + e.acceptor.Conns(); n != 0 {
					t.Errorf("size %d, the opener closes %v: %d ids are still known", size, openerCloses, n)
				}
				if single {
					e.running.Wait() // the stream ends by itself
					if err := errors.Join(e.openerErr, e.acceptorErr); err != nil {
						t.Errorf("Run: %v", err)
					}
				}
				e.stop()
			}
		}
	})
}

func TestHalfClose(t *testing.T) {
	eachKind(t, func(t *testing.T, extended, client, single bool) {
		if !extended {
			return
		}
		e := newEnds(t, extended, client, func(o, a *Config) { o.Single, a.Single = single, single })
		o, a := e.conns(1)
		o.Write([]byte("question"))
		closeWrite(t, o)
		if _, err := o.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after CloseWrite: %v", err)
		}
		if got, err := io.ReadAll(a.Net()); string(got) != "question" || err != nil {
			t.Errorf("the question: %q, %v", got, err)
		}
		time.Sleep(time.Minute) // nobody hurries the answer
		answer := strings.Repeat("answer", 1e5)
		go func() {
			a.Write([]byte(answer))
			closeWrite(t, a)
		}()
		if got, err := io.ReadAll(o.Net()); string(got) != answer || err != nil {
			t.Errorf("the answer: %d bytes, %v", len(got), err)
		}
		time.Sleep(time.Second)
		if n := e.opener.Conns() + e.acceptor.Conns(); n != 0 {
			t.Errorf("%d ids are still known", n)
		}
		if err := errors.Join(o.Close(), a.Close()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if single {
			e.running.Wait()
			if err := errors.Join(e.openerErr, e.acceptorErr); err != nil {
				t.Errorf("Run: %v", err)
			}
		}
		e.stop()
	})
}

func closeWrite(t testing.TB, st *Conn) {
	t.Helper()
	cw, ok := st.Net().(dialer.CloseWriter)
	if !ok {
		t.Fatal("no CloseWrite")
	}
	if err := cw.CloseWrite(); err != nil {
		t.Errorf("CloseWrite: %v", err)
	}
}

func TestNoHalfCloseWithoutTheExtension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{})
		if _, ok := p.conn(1).Net().(dialer.CloseWriter); ok {
			t.Error("a conn has CloseWrite whose protocol has none")
		}
		p.data(1, "x")
		p.send(&wire.Packet{Type: wire.HalfClose, ConnectID: 1})
		p.data(1, "y")
		if got := readN(t, p.c.Conn(1), 2); got != "xy" {
			t.Errorf("read %q around a packet of no known type", got)
		}
		p.stop()
	})
}

func readN(t testing.TB, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(b)
}

func isResetError(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) && errors.Is(err, dialer.ErrReset) && dialer.KindOf(err) == dialer.Reset
}

// The opener answers nothing until its peer's bytes have been read.
func TestCloseIsAnsweredOnceBothWaysAreFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, false, Config{})
		st := p.conn(5)
		var stopped atomic.Bool
		st.OnPeerStop(func() { stopped.Store(true) })
		st.Write([]byte("said before"))
		p.data(5, "last ")
		p.data(5, "words")
		p.send(&wire.Packet{Type: wire.CloseReq, ConnectID: 5})
		p.expectData(5, "said before")
		p.quiet()
		if !stopped.Load() {
			t.Error("OnPeerStop was not called")
		}
		if _, err := st.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write to a peer that has closed: %v", err)
		}
		if got := readN(t, st, 10); got != "last words" {
			t.Errorf("read %q", got)
		}
		p.quiet()
		if n, err := st.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("Read at the end: %d, %v", n, err)
		}
		if pkt := p.expect(wire.CloseRsp, 5); pkt.Error != "" {
			t.Errorf("the close was answered with error %q", pkt.Error)
		}
		st.Close()
		p.quiet()
		p.stop()
	})
}

// One that closes without reading answers at once.
func TestCloseIsAnsweredByClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, false, Config{})
		st := p.conn(5)
		p.data(5, "unread")
		p.send(&wire.Packet{Type: wire.CloseReq, ConnectID: 5})
		p.quiet()
		st.Close()
		p.expect(wire.CloseRsp, 5)
		p.quiet()
		p.stop()
	})
}

// Both close in the same moment: no answer is left out, and none is too many.
func TestCrossingCloses(t *testing.T) {
	eachKind(t, func(t *testing.T, extended, client, single bool) {
		e := newEnds(t, extended, client, func(o, a *Config) { o.Single, a.Single = single, single })
		o, a := e.conns(1)
		go o.Close()
		go a.Close()
		time.Sleep(time.Second)
		if n := e.opener.Conns() + e.acceptor.Conns(); n != 0 {
			t.Errorf("%d ids are still known", n)
		}
		e.stop()
	})
}

// The opener's id is known, and what comes for it swallowed, until the answer
// or for ten seconds.
func TestClosedIdIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone []int64
		p := newPeer(t, true, Config{Opener: true, Forgotten: func(id int64) { gone = append(gone, id) }})
		for id := int64(1); id <= 2; id++ {
			p.conn(id).Close()
			p.expect(wire.CloseReq, id)
			p.data(id, "late")
		}
		p.quiet()
		if _, err := p.c.NewConn(1, nil, nil); !errors.Is(err, ErrTaken) {
			t.Errorf("an id that is not free: %v", err)
		}
		p.send(&wire.Packet{Type: wire.CloseRsp, ConnectID: 1})
		synctest.Wait()
		if p.c.Conns() != 1 {
			t.Errorf("%d ids known after one answer to two", p.c.Conns())
		}
		time.Sleep(closeTime)
		synctest.Wait()
		if p.c.Conns() != 0 {
			t.Error("an id that is never answered is remembered for ever")
		}
		if fmt.Sprint(gone) != "[1 2]" {
			t.Errorf("Forgotten was told of %v", gone)
		}
		p.stop()
	})
}

func TestPeerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Opener: true})
		st := p.conn(1)
		p.data(1, "bytes")
		p.send(&wire.Packet{Type: wire.CloseRsp, ConnectID: 1})
		if got, err := io.ReadAll(st); string(got) != "bytes" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := st.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write: %v", err)
		}
		if err := st.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		p.quiet()
		p.stop()
	})
}

func TestResets(t *testing.T) {
	cause := &dialer.RemoteError{Kind: dialer.Timeout, Text: "the disk is on fire"}
	eachKind(t, func(t *testing.T, extended, client, single bool) {
		for _, byOpener := range []bool{true, false} {
			e := newEnds(t, extended, client, func(o, a *Config) { o.Single, a.Single = single, single })
			from, to := e.conns(1)
			if !byOpener {
				from, to = to, from
			}
			stopped := make(chan struct{})
			to.OnPeerStop(func() { close(stopped) })
			if err := from.Reset(cause); err != nil {
				t.Errorf("Reset: %v", err)
			}
			<-stopped
			_, err := to.Read(make([]byte, 1))
			_, werr := to.Write([]byte("x"))
			switch {
			case byOpener && !extended && !single:
				// Upstream's protocol has no reset in this direction.
				if err != io.EOF || !errors.Is(werr, syscall.EPIPE) {
					t.Errorf("after the opener's reset: read %v, write %v", err, werr)
				}
			case !isResetError(err) || !isResetError(werr):
				t.Errorf("a reset reads as %v, writes as %v", err, werr)
			case extended || !byOpener:
				re, ok := errors.AsType[*ResetError](err)
				if !ok || re.Text != cause.Text || re.Kind != cause.Kind {
					t.Errorf("the reset says %v", err)
				}
			}
			if err := from.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Close after Reset: %v", err)
			}
			to.Close()
			time.Sleep(time.Minute)
			if n := e.opener.Conns() + e.acceptor.Conns(); n != 0 {
				t.Errorf("%d ids are still known", n)
			}
			e.stop()
		}
	})
}

// A stream that ends under its connections is a reset, behind what has arrived.
func TestStreamEndsUnderneath(t *testing.T) {
	for _, inOrder := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t, true, Config{Opener: true})
			st, finished := p.conn(1), p.conn(2)
			var stopped atomic.Bool
			st.OnPeerStop(func() { stopped.Store(true) })
			p.data(1, "half an ans")
			p.data(2, "whole")
			p.send(&wire.Packet{Type: wire.CloseRsp, ConnectID: 2})
			synctest.Wait()
			if inOrder {
				p.s.CloseSend()
				if err := <-p.run; err != nil {
					t.Errorf("Run: %v", err)
				}
			} else if err := p.stop(); !errors.Is(err, errCut) {
				t.Errorf("Run: %v", err)
			}
			if !stopped.Load() {
				t.Error("OnPeerStop was not called")
			}
			if got := readN(t, st, 11); got != "half an ans" {
				t.Errorf("read %q", got)
			}
			if _, err := st.Read(make([]byte, 1)); !isResetError(err) {
				t.Errorf("the end of the stream reads as %v", err)
			}
			if _, err := st.Write([]byte("x")); !isResetError(err) {
				t.Errorf("and writes as %v", err)
			}
			if got, err := io.ReadAll(finished); string(got) != "whole" || err != nil {
				t.Errorf("a connection that had ended before: %q, %v", got, err)
			}
			if _, err := p.c.NewConn(3, nil, nil); !isResetError(err) {
				t.Errorf("NewConn afterwards: %v", err)
			}
			if err := p.c.Send(&wire.Packet{Type: wire.Drain}); !isResetError(err) {
				t.Errorf("Send afterwards: %v", err)
			}
		})
	}
}

// A Single stream that its peer does not end is ended once nothing of it is
// wanted any more, and not while the peer may still be reading.
func TestSingleStreamOfAMutePeer(t *testing.T) {
	for name, c := range map[string]struct {
		cfg     Config
		end     func(st *Conn, p *peer)
		forever bool
	}{
		"the opener closes":        {Config{Opener: true}, func(st *Conn, p *peer) { st.Close() }, false},
		"the other end closes":     {Config{}, func(st *Conn, p *peer) { st.Close() }, true},
		"the other end resets":     {Config{Extended: true}, func(st *Conn, p *peer) { st.Reset(nil) }, false},
		"the other end is stalled": {Config{Extended: true}, func(st *Conn, p *peer) { st.GiveUp(errStalled) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.cfg.Single = true
				p := newPeer(t, true, c.cfg)
				st := p.conn(1)
				c.end(st, p)
				time.Sleep(drainTime + 3*closeTime)
				select {
				case <-p.run:
					if c.forever {
						t.Error("the stream was ended under a peer that may still be reading")
					}
				default:
					if !c.forever {
						t.Error("the stream is held for ever")
					}
				}
				st.Close()
				p.s.cut()
			})
		})
	}
}
