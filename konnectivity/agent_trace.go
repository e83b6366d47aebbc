package konnectivity

import "time"

// AgentTrace is a set of hooks, any of which may be nil. They are called on the
// goroutine where the thing happens, from many at once, and must not block.
type AgentTrace struct {
	TunnelUp func(server, serverID string)
	// TunnelDown is called once for each TunnelUp, with ErrLeft when the server had
	// announced it.
	TunnelDown func(server string, err error)
	// ConnectFailed is called for each attempt that did not come to a tunnel, with
	// ErrDuplicateServer when it only led to a server that is connected already.
	ConnectFailed func(server string, err error)
	// ServerCount is called with the number of servers the agent wants a tunnel
	// to, whenever that changes: the largest that a connected server has told.
	ServerCount func(n int)

	// DialDone is called after each connect to a target.
	DialDone func(network, address string, took time.Duration, err error)
	// ConnOpened is called for each target that was connected to for a server, and
	// ConnClosed once for each ConnOpened.
	ConnOpened func(address string)
	ConnClosed func(address string, age time.Duration)

	// Packet is called for each packet of Konnectivity's protocol exchanged with a
	// server. segment is "from_agent" or "to_agent", as the server sees them, and
	// packetType a name such as "DIAL_REQ". PacketError is called for one that
	// could not be sent or read.
	Packet      func(segment, packetType string)
	PacketError func(segment, packetType string, err error)
}
