package relay

import "testing"

// TestFit: buffers grow with what reads bring, and shrink again.
func TestFit(t *testing.T) {
	f := fit{most: maxSocket}
	grow := func() {
		for range sizes {
			f.saw(len(f.take().data))
		}
	}
	if n := len(f.take().data); n != sizes[0] {
		t.Errorf("the first buffer has %d bytes, want %d", n, sizes[0])
	}
	grow()
	if n := len(f.take().data); n != sizes[maxSocket] {
		t.Errorf("reads that fill it make it %d bytes, want %d", n, sizes[maxSocket])
	}
	for range calmReads - 1 {
		f.saw(1)
	}
	f.saw(sizes[maxSocket] / 2)
	f.saw(1)
	if n := len(f.take().data); n != sizes[maxSocket] {
		t.Errorf("a few small reads made it %d bytes", n)
	}
	for range 2 * calmReads {
		f.saw(1)
	}
	if n := len(f.take().data); n != sizes[0] {
		t.Errorf("small reads leave it at %d bytes, want %d", n, sizes[0])
	}
	held := f.take()
	if f.swap(held) != held {
		t.Error("a buffer that fits is swapped")
	}
	grow()
	if n := len(f.swap(held).data); n != sizes[maxSocket] {
		t.Errorf("swapped for one of %d bytes, want %d", n, sizes[maxSocket])
	}
	f = fit{most: maxPlain}
	grow()
	if n := len(f.take().data); n != sizes[maxPlain] {
		t.Errorf("a conn that waits with a buffer gets one of %d bytes", n)
	}
}
