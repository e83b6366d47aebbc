package konnectivity

import "time"

// FrontendTrace is a set of hooks, any of which may be nil. They are called on
// the goroutines that serve clients and must not block.
type FrontendTrace struct {
	// ClientUp is called for each Proxy stream of a gRPC client and for each
	// CONNECT request, ClientDown when it has ended.
	ClientUp, ClientDown func()
	// DialDone is called after each dial of FrontendConfig.Dialer, nil for a
	// success.
	DialDone func(address string, took time.Duration, err error)
	// Packet is called for each packet of a gRPC client, with "from_client" or
	// "to_client" and the packet's type in upstream's words, such as "DIAL_REQ".
	Packet func(segment, packetType string)
	// PacketError is called for each packet that could not be sent or received.
	// packetType is empty when it is not known.
	PacketError func(segment, packetType string, err error)
	// WriteDone is called with the time it took to hand a client one packet, or
	// the answer to its CONNECT request.
	WriteDone func(took time.Duration)
}

// The two segments between a client and a server, as upstream's metrics name
// them.
const (
	segmentFromClient = "from_client"
	segmentToClient   = "to_client"
)

func (t *FrontendTrace) clientUp() (down func()) {
	if t == nil {
		return func() {}
	}
	if t.ClientUp != nil {
		t.ClientUp()
	}
	if t.ClientDown == nil {
		return func() {}
	}
	return t.ClientDown
}

func (t *FrontendTrace) dialDone(address string, took time.Duration, err error) {
	if t != nil && t.DialDone != nil {
		t.DialDone(address, took, err)
	}
}

func (t *FrontendTrace) writeDone(took time.Duration) {
	if t != nil && t.WriteDone != nil {
		t.WriteDone(took)
	}
}
