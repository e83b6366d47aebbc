package mux

// turn is a Write that waits for room in the batch. A stream has one, which it
// uses again and again. All fields are guarded by writer.mu.
type turn struct {
	st         *Stream
	rest       []byte        // of the Write's bytes, those that are not in a batch yet
	served     chan struct{} // one token: rest is empty or the session has failed
	prev, next *turn
	queued     bool
}

// queue is the Writes that wait, in the order of their turns.
type queue struct {
	head, tail *turn
	n          int
}

func (q *queue) push(t *turn) {
	t.prev, t.next, t.queued = q.tail, nil, true
	if q.tail == nil {
		q.head = t
	} else {
		q.tail.next = t
	}
	q.tail = t
	q.n++
}

// remove takes t out, if it is in.
func (q *queue) remove(t *turn) {
	if !t.queued {
		return
	}
	if t.prev == nil {
		q.head = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		q.tail = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.prev, t.next, t.queued = nil, nil, false
	q.n--
}

// serve takes t out and wakes its Write. The token of the time before was taken
// by then: see leave.
func (q *queue) serve(t *turn) {
	q.remove(t)
	t.served <- struct{}{}
}

// leave ends t's Write: from now on nobody touches its memory.
func (q *queue) leave(t *turn) {
	q.remove(t)
	t.rest = nil
	select {
	case <-t.served: // served after all, and nobody waits for that any more
	default:
	}
}
