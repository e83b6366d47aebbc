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
//   - windows: where both ends are ours and have said so, they do the same, and
//     each connection has a window in either direction. What comes is taken off
//     the stream at once, so that HTTP/2's own windows, which are large, hold up
//     nobody.
//
// A stream for each connection would bring HTTP/2's windows. It costs a dial, and
// each idle connection, several times as much, a far peer gets no more than that
// window for each round trip, and nothing bounds what all of them hold together.
//
// Each agent connection is served by a gRPC server of its own, so that nobody's ids
// mean anything in anybody else's.
package grpc
