package packet

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/wire"
)

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
