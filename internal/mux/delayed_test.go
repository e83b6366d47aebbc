package mux

import (
	"io"
	"net"
	"sync"
	"time"
)

// delayedPair is a link with a one-way delay and a bandwidth in bytes per
// second. Under synctest's clock both are exact.
func delayedPair(delay time.Duration, bandwidth int) (net.Conn, net.Conn) {
	ab, ba := newLane(delay, bandwidth), newLane(delay, bandwidth)
	return &delayed{in: ba, out: ab}, &delayed{in: ab, out: ba}
}

type delayed struct {
	net.Conn // no deadlines here: a session uses none on its conn
	in, out  *lane
}

func (d *delayed) Read(p []byte) (int, error)  { return d.in.read(p) }
func (d *delayed) Write(p []byte) (int, error) { return d.out.write(p) }
func (d *delayed) LocalAddr() net.Addr         { return &net.TCPAddr{} }
func (d *delayed) RemoteAddr() net.Addr        { return &net.TCPAddr{} }

func (d *delayed) Close() error {
	d.in.close()
	d.out.close()
	return nil
}

// lane is one direction. A write takes as long as the bandwidth says; its bytes
// arrive a delay later.
type lane struct {
	delay     time.Duration
	bandwidth int
	mu        sync.Mutex
	queue     []parcel
	ready     chan struct{}
	done      chan struct{}
	once      sync.Once
}

type parcel struct {
	data    []byte
	arrives time.Time
}

func newLane(delay time.Duration, bandwidth int) *lane {
	return &lane{delay: delay, bandwidth: bandwidth, ready: make(chan struct{}, 1), done: make(chan struct{})}
}

func (l *lane) close() { l.once.Do(func() { close(l.done) }) }

func (l *lane) write(p []byte) (n int, err error) {
	for n < len(p) {
		piece := p[n:min(len(p), n+4<<10)]
		select {
		case <-l.done:
			return n, io.ErrClosedPipe
		case <-time.After(time.Duration(len(piece)) * time.Second / time.Duration(l.bandwidth)):
		}
		l.mu.Lock()
		l.queue = append(l.queue, parcel{append([]byte(nil), piece...), time.Now().Add(l.delay)})
		l.mu.Unlock()
		select {
		case l.ready <- struct{}{}:
		default:
		}
		n += len(piece)
	}
	return n, nil
}

func (l *lane) read(p []byte) (int, error) {
	for {
		l.mu.Lock()
		if len(l.queue) > 0 {
			first := &l.queue[0]
			wait := time.Until(first.arrives)
			if wait <= 0 {
				n := copy(p, first.data)
				if first.data = first.data[n:]; len(first.data) == 0 {
					l.queue = l.queue[1:]
				}
				l.mu.Unlock()
				return n, nil
			}
			l.mu.Unlock()
			select {
			case <-time.After(wait):
			case <-l.done:
				return 0, io.EOF
			}
			continue
		}
		l.mu.Unlock()
		select {
		case <-l.ready:
		case <-l.done:
			return 0, io.EOF
		}
	}
}
