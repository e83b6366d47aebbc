package konnectivity

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// bench is the way as benchmarks are named: by keys and values.
func (w way) bench() string {
	return fmt.Sprintf("mode=%s/over=%s", w.mode, strings.ToLower(w.road))
}

// BenchmarkFrontendDial is a dial through a front end, a byte there and back, and
// a close, by each way. A client is kept, as ours does; kube-apiserver pays for a
// new gRPC connection each time.
func BenchmarkFrontendDial(b *testing.B) {
	for _, w := range ways {
		b.Run(w.bench(), func(b *testing.B) {
			client := newFront(b, w.mode, w.road, nil).client(nil)
			address := echo(b)
			for b.Loop() {
				if err := oneWord(client, address); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFrontendThroughput is one connection's throughput towards the client.
func BenchmarkFrontendThroughput(b *testing.B) {
	for _, w := range ways {
		b.Run(w.bench(), func(b *testing.B) {
			chunk := make([]byte, 256<<10)
			address := target(b, func(c net.Conn) {
				for {
					if _, err := c.Write(chunk); err != nil {
						return
					}
				}
			})
			client := newFront(b, w.mode, w.road, nil).client(nil)
			c, err := client.DialContext(context.Background(), "tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			buf := make([]byte, 256<<10)
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				if _, err := io.ReadFull(c, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFrontendEcho is a small request and its answer on an open
// connection.
func BenchmarkFrontendEcho(b *testing.B) {
	for _, w := range ways {
		b.Run(w.bench(), func(b *testing.B) {
			client := newFront(b, w.mode, w.road, nil).client(nil)
			c, err := client.DialContext(context.Background(), "tcp", echo(b))
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			buf := make([]byte, 256)
			for b.Loop() {
				if _, err := c.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
