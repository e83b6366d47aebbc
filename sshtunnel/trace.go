package sshtunnel

import "time"

// Trace is a set of hooks, any of which may be nil. They are called on the
// goroutines that dial and connect, must not block, and must be safe for
// concurrent use.
type Trace struct {
	// DialDone is called after each dial with the time it took and its error,
	// nil for a success.
	DialDone func(network, address string, took time.Duration, err error)
	// HandshakeDone is called after each handshake with server, the address of
	// the Config. took counts from Config.Admit's return.
	HandshakeDone func(server string, took time.Duration, err error)
	// ClientClosed is called when a client that had connected has ended. err is
	// nil when this side ended it, for idleness or by Close.
	ClientClosed func(server string, err error)
}
