package konnectivity

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/backoff"
)

// acceptConns hands the conns of ln to serve, which does not block, until ln is
// closed or ctx ends.
func acceptConns(ctx context.Context, ln net.Listener, log *slog.Logger, serve func(net.Conn)) error {
	retry := backoff.Policy{Base: 5 * time.Millisecond, Max: time.Second}.New()
	for {
		conn, err := ln.Accept()
		if err == nil {
			retry.Reset()
			serve(conn)
			continue
		}
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return err
		}
		// Out of descriptors, most likely. What is open goes on, and some of it
		// will end.
		log.Warn("accepting", "listener", ln.Addr().String(), "err", err)
		if err := backoff.Sleep(ctx, retry.Next()); err != nil {
			return err
		}
	}
}

// newcomers are the conns of those who have yet to say what they want, the
// oldest first. There are few of them: when one more comes the oldest is closed,
// so that those who connect and say nothing keep nobody out. The owner's mutex
// guards it.
type newcomers struct {
	list.List // of net.Conn
	max       int
}

func (n *newcomers) add(c net.Conn) *list.Element {
	if n.Len() >= n.max {
		n.Remove(n.Front()).(net.Conn).Close()
	}
	return n.PushBack(c)
}

func (n *newcomers) closeAll() {
	for e := n.Front(); e != nil; e = e.Next() {
		e.Value.(net.Conn).Close()
	}
}
