// Package streamconn holds the parts from which every tunnel builds the one
// net.Conn it returns: a [Deadline] that wakes blocked calls, a receive [Buffer]
// that a link fills and a reader drains, and an [Addr] that is never nil.
//
// None of them starts a goroutine but [Workers], and an idle conn holds no
// buffer: chunks come from a pool when bytes arrive and go back when they have
// been read. A Buffer that delivers by itself, with [Buffer.Deliver], needs no
// goroutine to wait for bytes either, and none to write a few of them out to a
// [TryWriter] that takes them without waiting. What has piled up leaves in one call, where
// whoever takes it can take several pieces.
package streamconn
