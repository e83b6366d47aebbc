package grpc

import (
	"container/list"
	"time"
)

// abandonedTime is how long a dial that was given up counts when its agent does
// not answer. Upstream's does not hear that it was given up, and dials for as
// long.
const abandonedTime = 5 * time.Second

// abandoned are dials that were given up after the agent had been asked, until it
// answers: it may be at them still. The zero value is ready to use.
type abandoned struct {
	order    list.List // of abandonedDial, that which was given up first in front
	byRandom map[int64]*list.Element
}

type abandonedDial struct {
	random int64
	until  time.Time
}

func (a *abandoned) add(random int64) {
	if a.byRandom == nil {
		a.byRandom = make(map[int64]*list.Element)
	}
	a.byRandom[random] = a.order.PushBack(abandonedDial{random, time.Now().Add(abandonedTime)})
}

func (a *abandoned) remove(random int64) {
	if e, ok := a.byRandom[random]; ok {
		a.order.Remove(e)
		delete(a.byRandom, random)
	}
}

// len forgets those whose time is over, and counts the rest.
func (a *abandoned) len() int {
	for now := time.Now(); a.order.Len() > 0; {
		d := a.order.Front().Value.(abandonedDial)
		if now.Before(d.until) {
			break
		}
		a.remove(d.random)
	}
	return a.order.Len()
}
