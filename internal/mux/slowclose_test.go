package mux

import (
	"net"
	"sync/atomic"
	"time"
)

// slowClose is a conn that takes a moment to say goodbye, as TLS does.
type slowClose struct {
	net.Conn
	closed atomic.Bool
}

func (c *slowClose) Close() error {
	err := c.Conn.Close()
	time.Sleep(time.Second)
	c.closed.Store(true)
	return err
}
