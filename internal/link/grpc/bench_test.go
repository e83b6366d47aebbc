package grpc

import (
	"io"
	"net"
	"testing"
)

// benchPair returns the two ends of a connection through a tunnel over loopback.
func benchPair(b *testing.B, mode options) (conn, target net.Conn) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	tu := loopback(b, mode)
	conn, err = tu.session.Open(b.Context(), "tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	target, err = ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		conn.Close()
		target.Close()
	})
	return conn, target
}

// BenchmarkThroughput writes 32 KiB at a time, to the target and from it. What is
// allocated for each is gRPC's: the header of a message and the list entry of it
// where it is sent, the slice of its buffers and the small last one where it is
// received, and window updates now and then.
func BenchmarkThroughput(b *testing.B) {
	for _, mode := range []string{"windows", "packets"} {
		for _, up := range []bool{true, false} {
			name := mode + "/down"
			if up {
				name = mode + "/up"
			}
			b.Run(name, func(b *testing.B) {
				from, to := benchPair(b, modes[mode])
				if !up {
					from, to = to, from
				}
				chunk := make([]byte, 32<<10)
				go io.Copy(io.Discard, to)
				b.SetBytes(int64(len(chunk)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := from.Write(chunk); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkEcho sends 1 KiB to the target and back.
func BenchmarkEcho(b *testing.B) {
	for _, mode := range []string{"windows", "packets"} {
		b.Run(mode, func(b *testing.B) {
			conn, target := benchPair(b, modes[mode])
			go io.Copy(target, target)
			chunk := make([]byte, 1<<10)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(chunk); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, chunk); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDial opens and closes a connection.
func BenchmarkDial(b *testing.B) {
	for _, mode := range []string{"windows", "packets"} {
		b.Run(mode, func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					c.Close()
				}
			}()
			tu := loopback(b, modes[mode])
			b.ReportAllocs()
			for b.Loop() {
				conn, err := tu.session.Open(b.Context(), "tcp", ln.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, conn)
				conn.Close()
			}
		})
	}
}
