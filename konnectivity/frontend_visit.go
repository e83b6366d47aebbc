package konnectivity

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/sallyport/sallyport/internal/crew"
)

// clients are the clients of one listener. The zero value is ready.
type clients struct {
	here sync.WaitGroup
	crew crew.Crew
	cuts cuts
}

// serve serves a client on a goroutine of its own.
func (c *clients) serve(v *visit) {
	c.here.Add(1)
	v.among = c
	c.crew.Do(v)
}

// join returns when all clients have gone.
func (c *clients) join() {
	c.here.Wait()
	c.crew.Stop()
}

// visit is a client from its arrival to its end.
type visit struct {
	f        *Frontend
	ctx      context.Context
	conn     net.Conn
	secure   bool // TLS comes first
	protocol protocol
	settled  func()
	among    *clients
	cut      *cuttable // conn, among those that the end of ctx resets
}

// Run implements crew.Task. A dial goes deep, and a stack that has grown
// stays so: what relays for hours is left to another goroutine, and the next dial
// finds this one as it is.
func (v *visit) Run() {
	v.cut = v.among.cuts.add(v.conn)
	rest := v.serve()
	if rest == nil {
		v.end()
		return
	}
	go func() {
		rest()
		v.end()
	}()
}

// serve serves the client from its TLS handshake, if there is one.
func (v *visit) serve() (rest func()) {
	if !v.secure {
		return v.protocol.serve(v.ctx, v.conn, v.settled)
	}
	tc, err := v.f.handshake(v.ctx, v.conn)
	if err != nil {
		if v.ctx.Err() == nil && !v.f.closing() {
			v.f.log.Warn("client refused", "remote", v.conn.RemoteAddr().String(), "err", fmt.Errorf("TLS handshake: %w", err))
		}
		return nil
	}
	return v.protocol.serve(v.ctx, tc, v.settled)
}

func (v *visit) end() {
	v.among.cuts.remove(v.cut)
	v.settled()
	v.conn.Close()
	v.among.here.Done()
}
