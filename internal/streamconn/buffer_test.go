package streamconn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
)

// put appends data in pieces of at most n bytes, as a link's reader does.
func put(b *Buffer, data []byte, n int) {
	for len(data) > 0 {
		m := copy(b.Reserve(min(n, len(data))), data[:min(n, len(data))])
		b.Commit(m)
		data = data[m:]
	}
}

// chunks returns how many chunks b holds, and their memory.
func chunks(b *Buffer) (n, memory int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := b.head; c != nil; c = c.next {
		n, memory = n+1, memory+len(c.data)
	}
	return n, memory
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i * 7 / 3)
	}
	return p
}

// TestMemoryOfPieces: what b holds is little more than what was put in, however
// it came.
func TestMemoryOfPieces(t *testing.T) {
	for _, c := range []struct{ total, piece, most int }{
		{1, 1, smallChunk},
		{smallChunk, 1, smallChunk},
		{4 << 10, 1, 4 << 10},
		{4 << 10, 100, 4 << 10},
		{4 << 10, 4 << 10, 4 << 10},
		{4 << 10, 3000, 3 * smallChunk},
		{32 << 10, 5000, 48 << 10},
		{32 << 10, 16 << 10, 32 << 10},
	} {
		b := NewBuffer()
		put(b, pattern(c.total), c.piece)
		if _, memory := chunks(b); memory > c.most {
			t.Errorf("%d bytes in pieces of %d hold %d, want at most %d", c.total, c.piece, memory, c.most)
		}
		got := make([]byte, c.total)
		if _, err := io.ReadFull(b, got); err != nil || !bytes.Equal(got, pattern(c.total)) {
			t.Errorf("%d in pieces of %d: other bytes came out, %v", c.total, c.piece, err)
		}
		if n, _ := chunks(b); n != 0 || b.Len() != 0 {
			t.Errorf("read empty, b holds %d chunks, %d bytes", n, b.Len())
		}
	}
}

func TestNothingCommitted(t *testing.T) {
	b := NewBuffer()
	b.Reserve(100)
	if !b.Commit(0) {
		t.Error("nobody can read?")
	}
	if n, _ := chunks(b); n != 0 {
		t.Errorf("an idle buffer holds %d chunks", n)
	}
}

func TestReadWhileReserved(t *testing.T) {
	b := NewBuffer()
	put(b, []byte("abc"), 3)
	p := b.Reserve(10)
	got := make([]byte, 10)
	if n, err := b.Read(got); n != 3 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	b.Commit(copy(p, "def"))
	p = b.Reserve(3)
	var out bytes.Buffer
	if n, err := b.WriteNext(&out); n != 3 || err != nil || out.String() != "def" {
		t.Fatalf("%d %q, %v", n, out.String(), err)
	}
	b.Commit(copy(p, "ghi"))
	if n, err := b.Read(got); err != nil || string(got[:n]) != "ghi" {
		t.Fatalf("%q, %v", got[:n], err)
	}
	if n, _ := chunks(b); n != 0 {
		t.Errorf("%d chunks left", n)
	}
}

// TestWriteNextWhileReserved: more than a small chunk is readable in a chunk that
// is being filled; nothing of it may be lost.
func TestWriteNextWhileReserved(t *testing.T) {
	b := NewBuffer()
	want := pattern(15 << 10)
	put(b, want[:10<<10], 10<<10)
	p := b.Reserve(5 << 10)
	var out bytes.Buffer
	for out.Len() < 10<<10 {
		if _, err := b.WriteNext(&out); err != nil {
			t.Fatal(err)
		}
	}
	b.Commit(copy(p, want[10<<10:]))
	b.End(io.EOF)
	for {
		if _, err := b.WriteNext(&out); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%d of %d bytes, or others", out.Len(), len(want))
	}
}

func TestCloseWhileReserved(t *testing.T) {
	b := NewBuffer()
	put(b, pattern(20<<10), 16<<10)
	p := b.Reserve(100)
	b.Close()
	b.Close()
	for i := range p {
		p[i] = 'x' // still the producer's: nobody else may have been given it
	}
	if b.Commit(len(p)) {
		t.Error("Commit says that somebody can read")
	}
	if n, _ := chunks(b); n != 0 || b.Len() != 0 {
		t.Errorf("closed, b holds %d chunks, %d bytes", n, b.Len())
	}
	put(b, []byte("late"), 4)
	if n, _ := chunks(b); n != 0 || b.Len() != 0 {
		t.Errorf("closed, b keeps what comes late: %d chunks, %d bytes", n, b.Len())
	}
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if _, err := b.WriteNext(io.Discard); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write next: %v", err)
	}
}

func TestAppendOwned(t *testing.T) {
	freed := map[string]int{}
	add := func(b *Buffer, s string) bool {
		return b.AppendOwned([]byte(s), func() { freed[s]++ })
	}
	b := NewBuffer()
	add(b, "one")
	put(b, []byte(" two "), 5)
	add(b, "three")
	add(b, "")
	got := make([]byte, 2)
	io.ReadFull(b, got)
	if freed["one"] != 0 {
		t.Error("freed before it was read")
	}
	got = make([]byte, 6)
	io.ReadFull(b, got)
	if string(got) != "e two " {
		t.Errorf("read %q", got)
	}
	var out bytes.Buffer
	b.WriteNext(&out)
	if out.String() != "three" {
		t.Errorf("wrote %q", out.String())
	}
	add(b, "dropped")
	b.Close()
	if add(b, "late") {
		t.Error("AppendOwned says that somebody can read")
	}
	for _, s := range []string{"one", "three", "", "dropped", "late"} {
		if freed[s] != 1 {
			t.Errorf("%q was freed %d times", s, freed[s])
		}
	}
}

func TestWriteNextFails(t *testing.T) {
	b := NewBuffer()
	freed := 0
	b.AppendOwned([]byte("hello"), func() { freed++ })
	r, w := net.Pipe()
	r.Close()
	if n, err := b.WriteNext(w); n != 5 || !errors.Is(err, io.ErrClosedPipe) || freed != 1 {
		t.Errorf("%d, %v, freed %d times", n, err, freed)
	}
}

func TestEnd(t *testing.T) {
	b := NewBuffer()
	put(b, []byte("last"), 4)
	if b.Ended() != nil {
		t.Error("ended before End")
	}
	first := errors.New("first")
	b.End(first)
	b.End(io.EOF)
	if b.Ended() != first {
		t.Errorf("Ended: %v", b.Ended())
	}
	if n, err := b.Read(nil); n != 0 || err != nil {
		t.Errorf("an empty read: %d, %v", n, err)
	}
	got, err := io.ReadAll(b)
	if string(got) != "last" || err != first {
		t.Errorf("read %q, %v", got, err)
	}
	if n, err := b.WriteNext(io.Discard); n != 0 || err != first {
		t.Errorf("write next: %d, %v", n, err)
	}
}
