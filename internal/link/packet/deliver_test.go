package packet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/sallyport/sallyport/internal/streamconn"
)

// outlet takes what is delivered.
type outlet struct {
	mu  sync.Mutex
	got bytes.Buffer
	end chan error
}

func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got.Write(p)
}

func (o *outlet) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got.String()
}

// TestDeliver: what comes is delivered, and the end behind it, with the carrier's
// own goroutines or its owner's.
func TestDeliver(t *testing.T) {
	reset := errors.New("reset")
	for name, c := range map[string]struct {
		do   func(near *HalfCloser, far *Conn)
		want func(error) bool
	}{
		"EOF":    {func(near *HalfCloser, _ *Conn) { near.CloseWrite() }, func(err error) bool { return err == nil }},
		"close":  {func(near *HalfCloser, _ *Conn) { near.Close() }, func(err error) bool { return err == nil }},
		"reset":  {func(near *HalfCloser, _ *Conn) { near.Reset(reset) }, func(err error) bool { return err != nil && err != io.EOF }},
		"closed": {func(_ *HalfCloser, far *Conn) { far.Close() }, func(err error) bool { return errors.Is(err, net.ErrClosed) }},
	} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/shared %v", name, shared), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var workers streamconn.Workers
					e := newEnds(t, true, true, func(_, a *Config) {
						if shared {
							a.Workers = &workers
						}
					})
					o, far := e.conns(1)
					near := &HalfCloser{o}
					out := &outlet{end: make(chan error, 1)}
					if !far.Deliver(out, func(err error) { out.end <- err }) {
						t.Fatal("a connection that does not deliver")
					}
					want := bytes.Repeat([]byte("sallyport"), 20_000)
					if _, err := near.Write(want); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					if got := out.String(); got != string(want) {
						t.Errorf("%d of %d bytes, or others", len(got), len(want))
					}
					c.do(near, far)
					if err := <-out.end; !c.want(err) {
						t.Errorf("ended with %v", err)
					}
					near.Close()
					far.Close()
					e.stop()
					workers.Stop()
					workers.Wait()
				})
			})
		}
	}
}

// TestDeliverAnswersAClose: a CLOSE_REQ is answered when its connection's bytes
// have been delivered, though nobody reads.
func TestDeliverAnswersAClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t, false, true, nil)
		near, far := e.conns(1)
		out := &outlet{end: make(chan error, 1)}
		far.Deliver(out, func(err error) { out.end <- err })
		near.Write([]byte("last words"))
		near.Close()
		if err := <-out.end; err != nil || out.String() != "last words" {
			t.Errorf("%q, %v", out.String(), err)
		}
		synctest.Wait()
		if e.opener.Conn(1) != nil {
			t.Error("the close was not answered")
		}
		far.Close()
		e.stop()
	})
}
