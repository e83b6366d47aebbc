package relay

import "sync"

// sizes of buffers: a waiting conn that cannot do without, and one that says
// little, holds a small one. The largest spreads the cost of a system call over
// four full TLS records.
var sizes = [...]int{4 << 10, 16 << 10, 64 << 10}

const (
	// maxPlain is the largest size, as its index, for a conn that has to hold its
	// buffer while it waits. TLS gives no more than that at once.
	maxPlain  = 1
	maxSocket = 2
	// calmReads is how many reads in a row have to leave most of the buffer empty
	// before the next one gets a smaller one.
	calmReads = 4
)

// buffer is memory for one read.
type buffer struct {
	data []byte
	size int // index of sizes
}

// buffers is shared by all pipes. It is a cache and no state: what is in it
// changes nothing but the number of allocations.
var buffers [len(sizes)]sync.Pool

// fit finds the size of buffers for one conn: the next larger one when a read
// has filled it, the next smaller one when several have used little of it.
type fit struct {
	size, most int // indices of sizes
	calm       int // reads in a row that used little
}

// take returns a buffer of the size that fits now. Give it back with give.
func (f *fit) take() *buffer {
	if b, ok := buffers[f.size].Get().(*buffer); ok {
		return b
	}
	return &buffer{data: make([]byte, sizes[f.size]), size: f.size}
}

func (b *buffer) give() { buffers[b.size].Put(b) }

// swap returns b, or another buffer for it if it does not fit any more.
func (f *fit) swap(b *buffer) *buffer {
	if b != nil && b.size == f.size {
		return b
	}
	if b != nil {
		b.give()
	}
	return f.take()
}

// saw notes that a read brought n bytes into a buffer of the present size.
func (f *fit) saw(n int) {
	switch size := sizes[f.size]; {
	case n == size:
		f.size, f.calm = min(f.size+1, f.most), 0
	case n > size/8 || f.size == 0:
		f.calm = 0
	case f.calm+1 >= calmReads:
		f.size, f.calm = f.size-1, 0
	default:
		f.calm++
	}
}
