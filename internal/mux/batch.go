package mux

import (
	"net"
	"sync"
)

// batchSize is how much the writer hands to the conn at once: four full frames, so
// that a burst costs few wake-ups and no stream waits behind more than one batch
// of others.
const batchSize = 4 * (headerSize + maxPayload)

// batches recycles batch buffers; an idle session holds none.
var batches = sync.Pool{New: func() any { b := make([]byte, 0, batchSize+4<<10); return &b }}

// recycle takes back a batch that has been sent, or none.
func recycle(b *[]byte) {
	if b == nil || cap(*b) > 2*batchSize {
		return // one odd burst must not keep its memory for ever
	}
	*b = (*b)[:0]
	batches.Put(b)
}

// joinBelow is the size up to which a batch is copied behind the control frames
// before it rather than written on its own: a copy is cheaper than a TLS record.
const joinBelow = 4 << 10

func send(conn net.Conn, control []byte, batch *[]byte) (err error) {
	defer recycle(batch)
	if batch == nil || len(control) == 0 || len(*batch) <= joinBelow {
		_, err = conn.Write(join(control, batch))
		return err
	}
	if _, err = conn.Write(control); err == nil {
		_, err = conn.Write(*batch)
	}
	return err
}

// join returns the batch behind the control frames, with a copy only where there are
// both.
func join(control []byte, batch *[]byte) []byte {
	switch {
	case batch == nil:
		return control
	case len(control) == 0:
		return *batch
	}
	return append(control, *batch...)
}
