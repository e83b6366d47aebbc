package grpc

import (
	"container/list"
	"errors"
	"sync"

	"github.com/sallyport/sallyport/internal/link/packet"
)

// What one connection of a stream of its own may hold while its consumer does
// not read: HTTP/2's window, the queue, and the packet that waits for room.
const (
	streamWindow = 64 << 10
	streamQueue  = 16 << 10
	// streamPacket fits into one HTTP/2 frame with what goes around it.
	streamPacket = 16<<10 - 64
	stalledCost  = 96 << 10
)

var errStalledLongest = errors.New("the tunnel's memory is used up, and this consumer has not read for longest")

// stalls bounds what connections hold whose consumers do not read. HTTP/2 bounds
// each of them, and nothing bounds how many there are.
type stalls struct {
	limit int // how many there may be

	mu    sync.Mutex
	order list.List // of *packet.Conn, that which waits longest first
}

// watch returns the Stalled function for the carrier of one connection. conn is
// set before the carrier runs.
func (s *stalls) watch(conn **packet.Conn) func(waiting bool) {
	var place *list.Element // of the reader's goroutine alone
	return func(waiting bool) {
		if !waiting {
			s.remove(place)
			return
		}
		var worst *packet.Conn
		if place, worst = s.add(*conn); worst != nil {
			worst.GiveUp(errStalledLongest)
		}
	}
}

// add notes that conn waits, and returns the connection that has to go.
func (s *stalls) add(conn *packet.Conn) (place *list.Element, worst *packet.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	place = s.order.PushBack(conn)
	if s.order.Len() > s.limit {
		worst = s.order.Remove(s.order.Front()).(*packet.Conn)
	}
	return place, worst
}

func (s *stalls) remove(place *list.Element) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order.Remove(place)
}
