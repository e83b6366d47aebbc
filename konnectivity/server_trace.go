package konnectivity

import (
	"net"
	"time"
)

// ServerTrace is a set of hooks, any of which may be nil. They are called on the
// goroutine where the thing happens, from many at once, and must not block.
type ServerTrace struct {
	AgentUp func(AgentInfo)
	// AgentDown gets why the tunnel ended: ErrLeft when the agent had asked for no
	// new connections before.
	AgentDown    func(AgentInfo, error)
	AgentRefused func(AgentRefusal)

	// DialStart is called when an agent is asked for a connection, and DialDone
	// once it has answered or has been given up. A dial that tries several agents
	// is told once for each; one for which there is no agent, once with an empty
	// AgentID.
	DialStart func(DialInfo)
	DialDone  func(d DialInfo, took time.Duration, err error)
	// ConnOpened is called for each DialDone without an error, and ConnClosed once
	// for each ConnOpened, when whoever dialed has closed the connection.
	ConnOpened func(DialInfo)
	ConnClosed func(d DialInfo, age time.Duration)

	// Packet is called for each packet of Konnectivity's protocol exchanged with
	// an agent. segment is "from_agent" or "to_agent", and packetType a name such
	// as "DIAL_REQ". PacketError is called for one that could not be sent or read.
	// The segments "from_client" and "to_client" are those of a front end.
	Packet      func(segment, packetType string)
	PacketError func(segment, packetType string, err error)
}

// DialInfo tells about a dial through an agent.
type DialInfo struct {
	// AgentID is the agent that is asked; empty when there is none to ask.
	AgentID string
	// Network and Address are what DialContext was asked for.
	Network, Address string
}

// AgentRefusal tells about an agent that was not taken.
type AgentRefusal struct {
	Remote net.Addr
	// AgentID is what it called itself, Subject that of its certificate and User
	// whom its token is for; empty when it did not come that far, or had none.
	AgentID, Subject, User string
	Err                    error
}
