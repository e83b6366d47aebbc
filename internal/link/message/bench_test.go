package message

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// BenchmarkRequest is what asking for a connection costs in messages.
func BenchmarkRequest(b *testing.B) {
	benchMessage(b, &Request{Network: "tcp", Address: "10.0.0.1:10250", Timeout: 30 * time.Second}, func() Message { return new(Request) })
}

// BenchmarkAnswer is what answering one does.
func BenchmarkAnswer(b *testing.B) {
	benchMessage(b, &Answer{Local: "10.0.0.2:40000", Remote: "10.0.0.1:10250"}, func() Message { return new(Answer) })
}

func benchMessage(b *testing.B, m Message, empty func() Message) {
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := Write(io.Discard, m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		r := bytes.NewReader(Append(nil, m))
		b.ReportAllocs()
		for b.Loop() {
			r.Seek(0, io.SeekStart)
			if err := Read(r, empty()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
