package streamconn

import "io"

// A Recipient is given what arrives in a [Buffer], by one goroutine at a time.
// It may be a VectorWriter too.
type Recipient interface {
	io.Writer
	// Took is called behind each Write or WriteVector, with the bytes that have
	// left the Buffer: all it was given, also when it has failed.
	Took(n int)
	// Ended is called once, last of all, with the error that Read would return
	// or that Write has returned.
	Ended(err error)
}

// A TryWriter writes without waiting.
type TryWriter interface {
	// TryWrite writes what can be written at once and returns how much that was.
	// It fails only when no further write can succeed.
	TryWrite(p []byte) (n int, err error)
}

// tryMost is the most that whoever brings bytes writes out by itself: more is worth
// a goroutine, and so is a full chunk, which another follows.
const tryMost = smallChunk - 1

// delivery hands the bytes of a Buffer out as they come. While none are there it
// is nobody's work.
type delivery struct {
	b       *Buffer
	to      Recipient
	try     TryWriter // to, if it is one
	workers *Workers
	running bool // on a goroutine, or about to be; guarded by b.mu

	// What a try has left to do. Nobody but who is running touches it.
	left *vector // not all of it was written
	err  error   // what the try failed with
}

// Deliver writes what is in b and what will come to to, on a goroutine of
// workers while there are bytes and on none while there are not. It replaces
// Read and WriteNext, which nobody may call until to.Ended has been called; then
// somebody may again, or Deliver. Where to is a TryWriter, whoever appends a few
// bytes writes them by itself as far as that needs no waiting, and calls to.Took. It
// does so only when the workers have had nothing to do for a moment: who brings bytes
// brings those of others too, and bytes that follow each other leave together.
func (b *Buffer) Deliver(to Recipient, workers *Workers) {
	workers.enter()
	b.mu.Lock()
	d := &delivery{b: b, to: to, workers: workers}
	d.try, _ = to.(TryWriter)
	b.delivery = d
	b.mu.Unlock()
	b.Deadline.onPass(b)
	b.poke()
}

// poke looks whether there is something to deliver.
func (b *Buffer) poke() {
	b.mu.Lock()
	b.unlock()
}

// deadlinePassed implements expirer.
func (b *Buffer) deadlinePassed() { b.poke() }

// due returns a delivery that has something to do and nobody to do it, and notes
// that somebody will now. b.mu is held.
func (b *Buffer) due() *delivery {
	d := b.delivery
	if d == nil || d.running || !b.hasNews() {
		return nil
	}
	d.running = true
	return d
}

// hasNews reports whether a reader would have something to do. b.mu is held.
func (b *Buffer) hasNews() bool {
	return b.n > 0 || b.err != nil || b.closed || b.Deadline.Passed()
}

// start does what there is to do, on a goroutine if it may take its time.
func (d *delivery) start() {
	if !d.tried() {
		d.workers.Do(d)
	}
}

// tried writes what there is without waiting. It reports false when something is
// left to do.
func (d *delivery) tried() bool {
	v := d.few()
	if v == nil {
		return false
	}
	size := v.size
	taken, err := v.try(d.try)
	if taken < size && err == nil {
		d.left = v
		return false
	}
	d.b.release(v)
	d.to.Took(size)
	d.err = err
	return err == nil && d.rest()
}

// few takes the unread bytes out if there is nothing but a few of them to see to.
func (d *delivery) few() *vector {
	if d.try == nil || d.b.Deadline.Passed() || !d.workers.rest.Over() {
		return nil
	}
	d.b.mu.Lock()
	defer d.b.mu.Unlock()
	if d.b.n == 0 || d.b.n > tryMost || d.b.closed || d.b.err != nil {
		return nil
	}
	return d.b.gather()
}

// resume does what a try has left.
func (d *delivery) resume() error {
	v := d.left
	if v == nil {
		return d.err
	}
	d.left = nil
	size, err := v.size, v.write(d.to)
	d.b.release(v)
	d.to.Took(size)
	return err
}

// Run delivers until there is nothing more, for now or for ever.
func (d *delivery) Run() {
	if err := d.resume(); err != nil {
		d.end(err)
		return
	}
	for {
		n, err, ok := d.b.next(d.to, false)
		if n > 0 {
			d.to.Took(n)
		}
		switch {
		case err != nil:
			d.end(err)
			return
		case !ok && d.rest():
			return
		}
	}
}

// rest leaves the delivery to whoever brings more, unless there is more by now.
func (d *delivery) rest() bool {
	d.b.mu.Lock()
	defer d.b.mu.Unlock()
	d.running = d.b.hasNews()
	if !d.running {
		d.workers.rest.Begin()
	}
	return !d.running
}

func (d *delivery) end(err error) {
	d.b.Deadline.onPass(nil)
	d.b.mu.Lock()
	d.b.delivery = nil
	d.b.mu.Unlock()
	d.workers.leave()
	d.to.Ended(err)
}
