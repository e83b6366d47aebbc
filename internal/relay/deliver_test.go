package relay

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// deliverer is a memory conn that delivers. Its reads belong to the delivery
// while that lasts.
type deliverer struct {
	*memory
	no    bool         // it cannot after all
	times atomic.Int32 // it has begun to
}

func (d *deliverer) Deliver(w io.Writer, ended func(error)) bool {
	if d.no {
		return false
	}
	d.times.Add(1)
	go func() {
		_, err := io.Copy(struct{ io.Writer }{w}, bare{d.memory})
		ended(err)
	}()
	return true
}

// notifying is a deliverer that tells when its peer stops.
type notifying struct{ *deliverer }

func (n notifying) OnPeerStop(f func()) (cancel func()) {
	return (&tunnel{memory: n.memory}).OnPeerStop(f)
}

// Every mix of conns that deliver, do not or cannot after all.
func TestDeliverersAndOthers(t *testing.T) {
	kinds := map[string]func(*memory) net.Conn{
		"plain":     func(m *memory) net.Conn { return m },
		"deliverer": func(m *memory) net.Conn { return &deliverer{memory: m} },
		"unable":    func(m *memory) net.Conn { return &deliverer{memory: m, no: true} },
	}
	for an, ofA := range kinds {
		for bn, ofB := range kinds {
			t.Run(an+" and "+bn, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, a := memoryPair()
					b, s := memoryPair()
					conns := [2]net.Conn{ofA(a), ofB(b)}
					done := start(conns[0], conns[1])
					go func() {
						send(t, c, []byte("question"))
						c.CloseWrite()
					}()
					receive(t, s, []byte("question"))
					time.Sleep(time.Hour)
					go func() {
						send(t, s, []byte("answer"))
						s.CloseWrite()
					}()
					receive(t, c, []byte("answer"))
					if res := <-done; res != (Result{AToB: 8, BToA: 6}) {
						t.Errorf("result %+v, want 8 and 6 bytes and no error", res)
					}
					for _, conn := range conns {
						if d, ok := conn.(*deliverer); ok && !d.no && d.times.Load() != 1 {
							t.Errorf("it delivered %d times, want 1", d.times.Load())
						}
					}
				})
			})
		}
	}
}

// A conn that cannot be told to stop delivers to nowhere, until it ends or its
// time is over.
func TestDelivererIsIgnored(t *testing.T) {
	for _, name := range []string{"ends", "talks on"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, a := memoryPair()
				b, s := memoryPair()
				d := &deliverer{memory: a}
				done := start(d, b)
				s.closeRead()
				send(t, c, []byte("in vain"))
				send(t, c, []byte("again"))
				go func() {
					send(t, s, []byte("answer"))
					s.CloseWrite()
				}()
				receive(t, c, []byte("answer"))
				begin, want := time.Now(), lingerTime
				if name == "ends" {
					c.CloseWrite()
					want = 0
				}
				res := <-done
				if took := time.Since(begin); took != want {
					t.Errorf("it took %v more, want %v", took, want)
				}
				if res.AToB != 0 || res.BToA != 6 || res.Err == nil {
					t.Errorf("result %+v, want 6 bytes and the error of the other way", res)
				}
				if d.times.Load() != 2 {
					t.Errorf("it delivered %d times, want 2", d.times.Load())
				}
			})
		})
	}
}

// The client behind a conn that delivers leaves, and the target never says a word.
func TestSilentTargetOfADeliverer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := memoryPair()
		b, s := memoryPair()
		begin := time.Now()
		done := start(notifying{&deliverer{memory: a}}, b)
		go func() {
			send(t, c, []byte("last words"))
			c.Close()
		}()
		receive(t, s, []byte("last words"))
		if res := <-done; res != (Result{AToB: 10}) {
			t.Errorf("result %+v, want 10 bytes and no error", res)
		}
		if took := time.Since(begin); took != lingerTime {
			t.Errorf("the target was held %v, want %v", took, lingerTime)
		}
	})
}

// An error of what a deliverer's peer sends resets both, one of a closed conn
// included.
func TestDelivererThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := tunnelPair()
		b, s := memoryPair()
		done := start(&deliverer{memory: near.memory}, b)
		(&tunnel{memory: far}).Reset(io.ErrUnexpectedEOF)
		if _, err := s.Read(make([]byte, 1)); err == nil {
			t.Error("the target reads on")
		}
		if res := <-done; res.Err != io.ErrUnexpectedEOF {
			t.Errorf("result %+v, want %v", res, io.ErrUnexpectedEOF)
		}
	})
}

// A target that takes a vector slowly is one that reads: the bound is on time
// without progress.
func TestVectorToASlowTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := tunnelPair()
		b, s := memoryPair()
		p := newPipe(near, b)
		p.ab.hurried.Store(true)
		want := payload(100)
		v := net.Buffers{want[:10], want[10:50], want[50:]}
		var n int64
		var err error
		written := make(chan struct{})
		go func() {
			n, err = p.ab.WriteVector(&v)
			close(written)
		}()
		for i := range want {
			time.Sleep(stallTime / 2)
			receiveSome(t, s, want[i:i+1])
		}
		<-written
		if n != 100 || err != nil || p.ab.n != 100 {
			t.Errorf("wrote %d, %v, and counted %d", n, err, p.ab.n)
		}
		v = net.Buffers{want[:10], want[10:]}
		begin := time.Now()
		if n, err = p.ab.WriteVector(&v); n != 0 || err == nil || time.Since(begin) != stallTime {
			t.Errorf("a deaf target took %d, %v, after %v", n, err, time.Since(begin))
		}
	})
}
