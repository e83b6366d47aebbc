// Package packet makes connections out of Konnectivity's packets: a [Carrier]
// owns one gRPC stream and hands out a [Conn] for each connection id on it.
//
// It serves both ends and both kinds of streams: the one that carries all of an
// agent's connections, and the stream with a single connection that every front-end
// client uses. What differs is in [Config].
//
// # Reading
//
// The caller's goroutine receives, in [Carrier.Run], and puts bytes into the
// queue of their connection. Between our own ends each connection has a window, so
// there is room, and the reader never waits. With a peer of upstream's a stream of
// many connections has no flow control but this: while one queue is full the reader
// waits for that connection, at most Patience, and then resets it alone. A stream of
// one connection is simply not read meanwhile, and HTTP/2's window holds the peer
// back.
//
// # Writing
//
// One goroutine at a time sends: that of a Write itself where gRPC is known to have
// room, and otherwise one that lives while there is something to send. It takes
// bytes straight from the memory of the Writes that wait, one packet each in turn,
// so that there is no queue to bound, no Write waits behind more than one packet of
// each neighbour, and a deadline can take a Write back.
//
// # Ends
//
// The end that opened a connection closes it with CLOSE_REQ and awaits
// CLOSE_RSP. The other end answers once its reader has taken all there was, and
// behind all it has written: both ways are flushed before a close is answered.
// It closes by itself with CLOSE_RSP. Where both ends are ours, HALF_CLOSE ends
// one way, and a CLOSE_RSP with an error is a reset from either end.
package packet
