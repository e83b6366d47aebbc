// Package mux carries many independent byte streams over one connection.
//
// The frames are yamux's: a 12-byte header, four types, and the flags SYN, ACK,
// FIN and RST. The session is our own, because the promises of a net.Conn and of
// isolation need what the public implementation does not offer: deadlines that
// wake every blocked call, a reset that both ends see, a full close that differs
// from a half-close, an open bounded by a context, header and payload in one
// write, and receive windows that grow with the bandwidth-delay product under
// one memory limit for the whole session. With [Config.Plain] it speaks to any
// yamux peer; the tests do.
//
// # Roles
//
// A [Session] owns a conn. [Session.Run] reads it, writes it and watches that
// the peer is alive; it joins all of that before it returns. A [Stream] is a
// net.Conn that costs no goroutine and, while idle, no buffer. A small Write goes out by
// itself where nobody else is writing and the conn need not be waited for, which wakes
// nobody; everything else is written by Run.
//
// # Isolation
//
// The reader never waits for a stream: a peer may only send what its window
// allows, so the bytes always fit. The writer serves the streams that have
// something to send in turn, one frame each. A stream nobody reads holds its
// window, nobody else's time.
package mux
