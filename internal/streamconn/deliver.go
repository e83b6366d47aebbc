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

// delivery hands the bytes of a Buffer out as they come. While none are there it
// is nobody's work.
type delivery struct {
	b       *Buffer
	to      Recipient
	workers *Workers
	running bool // on a goroutine, or about to be; guarded by b.mu
}

// Deliver writes what is in b and what will come to to, on a goroutine of
// workers while there are bytes and on none while there are not. It replaces
// Read and WriteNext, which nobody may call until to.Ended has been called; then
// somebody may again, or Deliver.
func (b *Buffer) Deliver(to Recipient, workers *Workers) {
	workers.enter()
	b.mu.Lock()
	b.delivery = &delivery{b: b, to: to, workers: workers}
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

func (d *delivery) start() { d.workers.Do(d) }

// Run delivers until there is nothing more, for now or for ever.
func (d *delivery) Run() {
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
