package relay

import (
	"io"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/internal/mux"
)

// muxConn is a stream as a link hands it to the relay.
type muxConn struct{ *mux.Stream }

func (c muxConn) Reset(error) error { return c.Stream.Reset(mux.ReasonReset) }

func (c muxConn) OnPeerStop(f func()) (cancel func()) {
	stop := c.Stream.OnPeerStop(f)
	return func() { stop() }
}

// bareStream is a muxConn that has a goroutine wait for its bytes.
type bareStream struct{ muxConn }

func (bareStream) Deliver(io.Writer, func(error)) bool { return false }

// tunnelOf makes a function that returns the two ends of a new connection: client
// and target sockets with two relays and a session between them.
func tunnelOf(b *testing.B, wrap func(muxConn) net.Conn) (open func() (client, target net.Conn)) {
	near, far := socketPair(b, "tcp")
	accepted := make(chan *mux.Stream, 1)
	front := mux.New(near, mux.Config{})
	agent := mux.New(far, mux.Config{Client: true, Accept: func(st *mux.Stream) { accepted <- st }})
	var running sync.WaitGroup
	running.Go(func() { front.Run(b.Context()) })
	running.Go(func() { agent.Run(b.Context()) })
	b.Cleanup(func() { front.Close(); agent.Close(); running.Wait() })
	return func() (client, target net.Conn) {
		client, in := socketPair(b, "unix")
		out, target := socketPair(b, "tcp")
		st, err := front.Open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		running.Go(func() { Pipe(in, wrap(muxConn{st})) })
		other := muxConn{<-accepted}
		running.Go(func() { Pipe(wrap(other), out) })
		return client, target
	}
}

// streams are the ways a relay can treat a tunnel's conn.
var streams = []struct {
	name string
	wrap func(muxConn) net.Conn
}{
	{"delivered", func(c muxConn) net.Conn { return c }},
	{"waited", func(c muxConn) net.Conn { return bareStream{c} }},
}

// cpu returns what the process has used, in nanoseconds.
func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkTunnel moves 1 MiB an operation from a client's unix socket through
// two relays and a session to a target's TCP socket, over one connection or
// several at once.
func BenchmarkTunnel(b *testing.B) {
	for _, s := range streams {
		for _, conns := range []int{1, 8} {
			b.Run(s.name+"/"+map[int]string{1: "one", 8: "eight"}[conns], func(b *testing.B) {
				open := tunnelOf(b, s.wrap)
				chunk := payload(1 << 20 / conns)
				feed := make([]chan struct{}, conns)
				var all sync.WaitGroup
				for i := range feed {
					client, target := open()
					feed[i] = make(chan struct{}, 1)
					all.Go(func() {
						for range feed[i] {
							send(b, client, chunk)
						}
						client.Close()
					})
					all.Go(func() {
						io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{target})
						target.Close()
					})
				}
				b.SetBytes(1 << 20)
				b.ReportAllocs()
				before := cpu()
				for b.Loop() {
					for _, f := range feed {
						f <- struct{}{}
					}
				}
				for _, f := range feed {
					close(f)
				}
				all.Wait()
				b.ReportMetric(float64(cpu()-before)/float64(b.N)/1e3, "cpu-us/op")
			})
		}
	}
}

// BenchmarkTunnelEcho sends one small question through the tunnel and back.
func BenchmarkTunnelEcho(b *testing.B) {
	for _, s := range streams {
		b.Run(s.name, func(b *testing.B) {
			client, target := tunnelOf(b, s.wrap)()
			go func() {
				io.Copy(struct{ io.Writer }{target}, struct{ io.Reader }{target})
				target.Close()
			}()
			msg := payload(128)
			b.ReportAllocs()
			before := cpu()
			for b.Loop() {
				send(b, client, msg)
				receiveSome(b, client, msg)
			}
			b.ReportMetric(float64(cpu()-before)/float64(b.N)/1e3, "cpu-us/op")
			client.Close()
		})
	}
}

// BenchmarkIdleTunnel reports what a connection that waits costs, both ends'
// relays together: heap, stacks and goroutines. The test's own sockets and
// addresses are part of it. An operation opens and ends a hundred of them.
func BenchmarkIdleTunnel(b *testing.B) {
	const conns = 100
	for _, s := range streams {
		b.Run(s.name, func(b *testing.B) {
			open := tunnelOf(b, s.wrap)
			var heapHeld, stackHeld, goroutines int64
			for b.Loop() {
				var ends []net.Conn
				heapBefore, stackBefore := heap(), stacks()
				before := runtime.NumGoroutine()
				for range conns {
					client, target := open()
					send(b, client, []byte{1})
					receiveSome(b, target, []byte{1})
					send(b, target, []byte{1})
					receiveSome(b, client, []byte{1})
					ends = append(ends, client, target)
				}
				heapHeld += heap() - heapBefore
				stackHeld += stacks() - stackBefore
				goroutines += int64(runtime.NumGoroutine() - before)
				for _, c := range ends {
					c.Close()
				}
			}
			each := float64(b.N * conns)
			b.ReportMetric(float64(heapHeld)/each, "heap-B/conn")
			b.ReportMetric(float64(stackHeld)/each, "stack-B/conn")
			b.ReportMetric(float64(goroutines)/each, "goroutines/conn")
		})
	}
}

// stacks returns the memory of all stacks. A collection has just been.
func stacks() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.StackInuse)
}
