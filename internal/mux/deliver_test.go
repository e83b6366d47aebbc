package mux

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// outlet takes what is delivered.
type outlet struct {
	mu   sync.Mutex
	got  bytes.Buffer
	fail error
	end  chan error
}

func newOutlet() *outlet { return &outlet{end: make(chan error, 1)} }

func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return 0, o.fail
	}
	return o.got.Write(p)
}

func (o *outlet) has(n int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got.Len() >= n
}

func (o *outlet) ended(err error) { o.end <- err }

// TestDeliverEnds: what comes is delivered, and each kind of end behind it.
func TestDeliverEnds(t *testing.T) {
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	for name, c := range map[string]struct {
		do   func(p *pair, near, far *Stream)
		want func(error) bool
	}{
		"EOF":      {func(_ *pair, near, _ *Stream) { near.CloseWrite() }, func(err error) bool { return err == nil }},
		"close":    {func(_ *pair, near, _ *Stream) { near.Close() }, func(err error) bool { return err == nil }},
		"reset":    {func(_ *pair, near, _ *Stream) { near.Reset(ReasonReset) }, is(syscall.ECONNRESET)},
		"closed":   {func(_ *pair, _, far *Stream) { far.Close() }, is(net.ErrClosed)},
		"deadline": {func(_ *pair, _, far *Stream) { far.SetReadDeadline(time.Unix(1, 0)) }, is(os.ErrDeadlineExceeded)},
		"session":  {func(p *pair, _, _ *Stream) { p.client.Close() }, func(err error) bool { return err != nil && err != io.EOF }},
	} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			a, b := tcpPair(t)
			p := newPair(t, a, b, nil)
			near, far := p.open(t)
			defer near.Close()
			defer far.Close()
			o := newOutlet()
			if !far.Deliver(o, o.ended) {
				t.Fatal("a stream that does not deliver")
			}
			want := bytes.Repeat([]byte("sallyport"), 200_000)
			if _, err := near.Write(want); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all is delivered", func() bool { return o.has(len(want)) })
			eventually(t, "nothing runs while nothing comes", func() bool {
				return !strings.Contains(strings.Join(leak.Goroutines(), ""), "delivery).Run(")
			})
			c.do(p, near, far)
			if err := <-o.end; !c.want(err) {
				t.Errorf("ended with %v", err)
			}
			if !bytes.Equal(o.got.Bytes(), want) {
				t.Errorf("%d of %d bytes, or others", o.got.Len(), len(want))
			}
		})
	}
}

// TestDeliverFails: what the writer failed with is the end, even if it is io.EOF,
// and the stream can be read on.
func TestDeliverFails(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	near, far := newPair(t, a, b, nil).open(t)
	defer near.Close()
	defer far.Close()
	o := newOutlet()
	o.fail = io.EOF
	far.Deliver(o, o.ended)
	near.Write([]byte("lost"))
	if err := <-o.end; err != io.EOF {
		t.Errorf("ended with %v, want the writer's io.EOF", err)
	}
	near.Write([]byte("found"))
	got := make([]byte, 5)
	if _, err := io.ReadFull(far, got); err != nil || string(got) != "found" {
		t.Errorf("read %q, %v", got, err)
	}
}

// short takes half of what it is given.
type short struct{}

func (short) Write(p []byte) (int, error) { return len(p) / 2, nil }

func TestDeliverToAShortWriter(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	near, far := newPair(t, a, b, nil).open(t)
	defer near.Close()
	defer far.Close()
	o := newOutlet()
	near.Write(make([]byte, 100))
	far.Deliver(short{}, o.ended)
	if err := <-o.end; err != io.ErrShortWrite {
		t.Errorf("ended with %v, want %v", err, io.ErrShortWrite)
	}
}
