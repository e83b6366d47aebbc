package packet

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// Consumers that are stuck at the same time cost one wait together.
func TestManyStuckConsumersShareThePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Patience: time.Second, Queue: 1000})
		const many = 100
		for id := int64(1); id <= many; id++ {
			defer p.conn(id).Close()
			p.data(id, strings.Repeat("x", 900))
		}
		healthy := p.conn(many + 1)
		begin := time.Now()
		go func() {
			for id := int64(1); id <= many; id++ {
				p.data(id, strings.Repeat("x", 900))
			}
			p.data(many+1, "echo")
		}()
		go io.Copy(io.Discard, readerFunc(func(b []byte) (int, error) {
			return 0, p.s.RecvMsg(new(wire.Packet)) // what the resets say
		}))
		readN(t, healthy, 4)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("the neighbour waited %v, want Patience once", took)
		}
		p.stop()
	})
}

// Where one consumer after the other gets stuck, each costs less than the one
// before; after a while without, patience is whole again.
func TestPatienceDwindlesAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Patience: time.Second, Queue: 1000})
		go io.Copy(io.Discard, readerFunc(func(b []byte) (int, error) {
			return 0, p.s.RecvMsg(new(wire.Packet))
		}))
		healthy, id := p.conn(1), int64(1)
		cost := func() time.Duration {
			id++
			defer p.conn(id).Close()
			begin := time.Now()
			p.data(id, strings.Repeat("x", 900))
			p.data(id, strings.Repeat("x", 900))
			p.data(1, "echo")
			readN(t, healthy, 4)
			return time.Since(begin)
		}
		var costs time.Duration
		for want := time.Second; want > time.Second/32; want /= 2 {
			got := cost()
			if costs += got; got != want {
				t.Errorf("stuck consumer %d cost %v, want %v", id-1, got, want)
			}
		}
		for range 100 {
			if got := cost(); got != time.Second/32 {
				t.Errorf("stuck consumer %d cost %v, want the least", id-1, got)
			}
		}
		time.Sleep(time.Minute)
		if got := cost(); got != time.Second {
			t.Errorf("after a minute without any a stuck consumer cost %v, want Patience", got)
		}
		p.stop()
	})
}

// A consumer is not held to a time in which it had nothing to read.
func TestNewBytesBringNewPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Patience: time.Second, Queue: 1000})
		go io.Copy(io.Discard, readerFunc(func(b []byte) (int, error) {
			return 0, p.s.RecvMsg(new(wire.Packet))
		}))
		defer p.conn(1).Close()
		late := p.conn(2)
		p.data(1, strings.Repeat("x", 900))
		p.data(1, strings.Repeat("x", 900))
		time.Sleep(1100 * time.Millisecond) // the first is stuck, and has been reset
		go func() {
			p.data(2, strings.Repeat("y", 900))
			p.data(2, strings.Repeat("y", 900))
		}()
		time.Sleep(400 * time.Millisecond)
		if got := readN(t, late, 1800); got != strings.Repeat("y", 1800) {
			t.Errorf("read %d bytes", len(got))
		}
		late.Close()
		p.stop()
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
