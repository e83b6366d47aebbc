package sshtunnel

import (
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// Trace is a set of hooks, any of which may be nil. They are called on the
// goroutines that dial and connect, must not block, and must be safe for
// concurrent use.
type Trace struct {
	// DialDone is called after each dial with the time it took and its error,
	// nil for a success. A dial for which a [Pool] has no node is told with an
	// empty Node and an empty Server.
	DialDone func(d DialInfo, took time.Duration, err error)
	// HandshakeDone is called after each handshake. took counts from
	// Config.Admit's return, or from the handshake's turn in a Pool.
	HandshakeDone func(s ServerInfo, took time.Duration, err error)
	// ClientClosed is called when a client that had connected has ended. err is
	// nil when this side ended it, for idleness or by Close.
	ClientClosed func(s ServerInfo, err error)
}

// ServerInfo names an SSH server.
type ServerInfo struct {
	// Node is the Name of the [Node] in a [Pool], that of the Default included;
	// empty for a Dialer of its own.
	Node string
	// Server is the host:port of the Config or of the node.
	Server string
}

// DialInfo tells about a dial through an SSH server.
type DialInfo struct {
	// Node and Server are those of [ServerInfo].
	Node, Server string
	// Network and Address are what DialContext was asked for.
	Network, Address string
}

// server is what c's hooks call its server.
func (c *Config) server() ServerInfo { return ServerInfo{Node: c.node, Server: c.Address} }

func (t *Trace) dialDone(s ServerInfo, network, address string, begin time.Time, err error) {
	if t != nil && t.DialDone != nil {
		t.DialDone(DialInfo{s.Node, s.Server, network, address}, time.Since(begin), err)
	}
}

func (t *Trace) handshakeDone(s ServerInfo, begin time.Time, err *dialer.Error) {
	if t == nil || t.HandshakeDone == nil {
		return
	}
	var told error // not a nil *dialer.Error in an interface
	if err != nil {
		told = err
	}
	t.HandshakeDone(s, time.Since(begin), told)
}

func (t *Trace) clientClosed(s ServerInfo, err error) {
	if t != nil && t.ClientClosed != nil {
		t.ClientClosed(s, err)
	}
}
