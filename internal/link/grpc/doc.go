// Package grpc is the tunnel that speaks Konnectivity's wire: gRPC over the
// agent's TLS connection, in both roles. [Agent] serves the agent's end of one
// tunnel, [Server] the server's.
//
// The agent calls /AgentService/Connect and says who it is in metadata; the
// server answers with a header, or with a status that says why not. What follows
// depends on the two ends:
//
//   - packets: all connections travel as packets on that one stream, as upstream
//     has it. There is no flow control in that protocol; package packet says what
//     bounds it.
//   - streams: where both ends are ours and have said so, each connection has a
//     gRPC stream of its own, with HTTP/2's flow control and half-close. The
//     server asks on the Connect stream, and the agent answers a success by
//     opening /sallyport.AgentService/Connection. The Connect stream then carries
//     control packets alone.
//
// Each agent connection is served by a gRPC server of its own, so that a stream
// belongs to its session by construction, and nobody's ids mean anything in
// anybody else's.
package grpc
