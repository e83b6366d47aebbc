package konnectivity

import (
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// ClientTrace is a set of hooks, any of which may be nil. They are called on the
// goroutines that dial, read, write and close, and must not block.
type ClientTrace struct {
	// DialStart is called when a dial begins and DialDone after it, nil for a
	// success.
	DialStart func(address string)
	DialDone  func(address string, took time.Duration, err error)
	// ConnOpened is called for each DialDone without an error, and ConnClosed once
	// for each ConnOpened, when whoever dialed has closed the connection.
	ConnOpened func(address string)
	ConnClosed func(address string, age time.Duration)
	// Packet is called for each packet in gRPC mode, with "from_client" or
	// "to_client" and the packet's type in upstream's words, such as "DIAL_REQ".
	Packet func(segment, packetType string)
	// PacketError is called for each packet that could not be sent or received.
	// packetType is empty when it is not known.
	PacketError func(segment, packetType string, err error)
}

// packets returns the hooks for packets as package packet calls them.
func (t *ClientTrace) packets() (func(bool, wire.Type), func(bool, wire.Type, error)) {
	if t == nil {
		return nil, nil
	}
	return packetHooks(t.Packet, t.PacketError, segmentFromClient, segmentToClient)
}

// start calls DialStart and returns the time. Nil hooks and a nil trace are fine,
// here and in done.
func (t *ClientTrace) start(address string) (begin time.Time) {
	if t == nil {
		return begin
	}
	if t.DialStart != nil {
		t.DialStart(address)
	}
	return time.Now()
}

// done calls DialDone and what follows from a dial's success. It returns the conn
// to hand on.
func (t *ClientTrace) done(address string, begin time.Time, c net.Conn, err error) net.Conn {
	if t != nil && t.DialDone != nil {
		t.DialDone(address, time.Since(begin), err)
	}
	switch {
	case err != nil:
		return nil
	case t == nil:
		return c
	}
	return t.opened(address, c)
}

// opened calls ConnOpened and returns c as one that calls ConnClosed.
func (t *ClientTrace) opened(address string, c net.Conn) net.Conn {
	if t.ConnOpened != nil {
		t.ConnOpened(address)
	}
	if t.ConnClosed == nil {
		return c
	}
	since := time.Now()
	return watchClose(c, func() { t.ConnClosed(address, time.Since(since)) })
}
