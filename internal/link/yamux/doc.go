// Package yamux is the tunnel between our own two ends: streams of package mux
// over the agent's TLS connection.
//
// The agent opens the first stream and says hello on it; the server replies. The
// stream then stays open as the control stream, on which either end announces
// that it is about to leave. Every further stream is opened by the server: a
// request, the agent's answer, and then the connection's bytes.
//
// [Agent] serves the agent's end of one tunnel, [Server] the server's.
package yamux
