package konnectivity

import "github.com/sallyport/sallyport/internal/wire"

// The segments of Konnectivity's road between server and agent, as the server
// sees them at both ends.
const (
	segmentFromAgent = "from_agent"
	segmentToAgent   = "to_agent"
)

// packetHooks returns what tells packet and failed of a link's packets. away is
// the segment of those that this end sends, home of those it receives.
func packetHooks(packet func(segment, packetType string), failed func(segment, packetType string, err error), away, home string) (
	onPacket func(out bool, t wire.Type), onError func(out bool, t wire.Type, err error),
) {
	segment := func(out bool) string {
		if out {
			return away
		}
		return home
	}
	if packet != nil {
		onPacket = func(out bool, t wire.Type) { packet(segment(out), t.String()) }
	}
	if failed != nil {
		onError = func(out bool, t wire.Type, err error) {
			name := ""
			if t >= 0 { // else there was no packet
				name = t.String()
			}
			failed(segment(out), name, err)
		}
	}
	return onPacket, onError
}

// packetHooks returns the hooks for a link to an agent.
func (t *ServerTrace) packetHooks() (func(bool, wire.Type), func(bool, wire.Type, error)) {
	if t == nil {
		return nil, nil
	}
	return packetHooks(t.Packet, t.PacketError, segmentToAgent, segmentFromAgent)
}

// packetHooks returns the hooks for a link to a server.
func (t *AgentTrace) packetHooks() (func(bool, wire.Type), func(bool, wire.Type, error)) {
	if t == nil {
		return nil, nil
	}
	return packetHooks(t.Packet, t.PacketError, segmentFromAgent, segmentToAgent)
}
