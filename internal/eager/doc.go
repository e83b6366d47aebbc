// Package eager writes to stream sockets without waiting for them.
//
// Whoever reads one connection and writes to another would like to write by itself:
// to hand a few bytes to a goroutine costs more than to send them. It must not wait,
// though, when it serves others too. A [Writer] writes what the socket takes now and
// leaves the rest to somebody who may wait.
package eager
