package packet

import (
	"io"
	"testing"
)

// BenchmarkFrame carries one packet of 16 KiB from a Write to a Read, over a
// stream in memory: what is left is the carrier's own cost, and the codec's.
func BenchmarkFrame(b *testing.B) {
	e := newEnds(b, true, true, func(o, a *Config) { o.Single, a.Single = true, true })
	defer e.stop()
	o, a := e.conns(1)
	go io.Copy(io.Discard, a.Net())
	chunk := make([]byte, 16<<10)
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
}
