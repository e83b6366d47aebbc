// Package wire is the message of Konnectivity's protocol: one flat [Packet] for
// all of its kinds, written and read by hand instead of by generated code. The
// generated types register names that a Kubernetes apiserver, which links
// Konnectivity's own client, already holds in its process.
//
// Start at [Packet]: the fields that its [Type] uses, and who owns the payload.
// [Append] and [Parse] are the encoding, over one slice of bytes. [Codec] hangs
// it into gRPC, where a message arrives in several buffers and leaves in one;
// there a payload is never copied. [NewFrame] hands out the buffer to fill for a
// DATA packet.
//
// The protocol is one bidirectional stream of packets per method,
// /AgentService/Connect between an agent and its server and
// /ProxyService/Proxy between a client and the server. Protocol buffers skip
// what they do not know, and so do we: what this project adds (a deadline in
// DIAL_REQ, a kind and a hop in failures, the addresses of a connection) costs
// a peer that has never heard of it nothing. The types that are ours alone,
// HALF_CLOSE, PING, PONG and WINDOW, go only where both ends agreed to them.
//
// A packet that makes no sense is an error that wraps [ErrMalformed], and
// gRPC ends the stream it came on with a status. It is never a panic.
package wire
