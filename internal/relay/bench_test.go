package relay

import (
	"io"
	"net"
	"testing"
)

// copyBoth is the relay one would write in five lines, to compare with.
func copyBoth(a, b net.Conn) Result {
	done := make(chan struct{})
	go func() {
		io.Copy(a, b)
		a.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	io.Copy(b, a)
	b.(*net.TCPConn).CloseWrite()
	<-done
	a.Close()
	b.Close()
	return Result{}
}

// copyUnspliced is copyBoth with a buffer, which is what io.Copy comes down to
// where one side is a tunnel or TLS.
func copyUnspliced(a, b net.Conn) Result {
	done := make(chan struct{})
	one := func(dst, src net.Conn) {
		io.Copy(struct{ io.Writer }{dst}, struct{ io.Reader }{src})
		dst.(*net.TCPConn).CloseWrite()
	}
	go func() {
		one(a, b)
		close(done)
	}()
	one(b, a)
	<-done
	a.Close()
	b.Close()
	return Result{}
}

func relays() []struct {
	name string
	run  func(a, b net.Conn) Result
} {
	return []struct {
		name string
		run  func(a, b net.Conn) Result
	}{
		{"Pipe", Pipe}, {"copy", copyUnspliced}, {"splice", copyBoth},
	}
}

// BenchmarkThroughput moves 1 MiB an operation through two TCP connections.
func BenchmarkThroughput(b *testing.B) {
	for _, r := range relays() {
		b.Run(r.name, func(b *testing.B) {
			c, left := socketPair(b, "tcp")
			right, s := socketPair(b, "tcp")
			go r.run(left, right)
			sunk := make(chan struct{})
			go func() {
				io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{s})
				s.Close()
				close(sunk)
			}()
			chunk := payload(1 << 20)
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				send(b, c, chunk)
			}
			c.Close()
			<-sunk
		})
	}
}

// BenchmarkRoundTrip sends one small question and gets one small answer, the
// case in which a relay waits for every byte.
func BenchmarkRoundTrip(b *testing.B) {
	for _, r := range relays() {
		b.Run(r.name, func(b *testing.B) {
			c, left := socketPair(b, "tcp")
			right, s := socketPair(b, "tcp")
			go r.run(left, right)
			go func() {
				io.Copy(struct{ io.Writer }{s}, struct{ io.Reader }{s})
				s.Close()
			}()
			msg := payload(128)
			b.ReportAllocs()
			for b.Loop() {
				send(b, c, msg)
				receiveSome(b, c, msg)
			}
			c.Close()
		})
	}
}

// BenchmarkIdle reports the live heap of a pipe that waits, beside what it costs
// to set one up and end it.
func BenchmarkIdle(b *testing.B) {
	for _, r := range relays() {
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			var held int64
			for b.Loop() {
				before := heap()
				c, left := socketPair(b, "tcp")
				right, s := socketPair(b, "tcp")
				done := make(chan struct{})
				go func() { r.run(left, right); close(done) }()
				send(b, c, []byte{1})
				receiveSome(b, s, []byte{1})
				held += heap() - before
				c.Close()
				s.Close()
				<-done
			}
			b.ReportMetric(float64(held)/float64(b.N), "held-B/op")
		})
	}
}
