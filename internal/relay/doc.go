// Package relay copies bytes both ways between two conns until both ways have
// ended, and carries every kind of end across: [Pipe].
//
// # Ends
//
//   - EOF of one conn is passed on with CloseWrite to the other; the opposite
//     way goes on. A conn without CloseWrite is closed altogether then: leaving
//     it open would leave its peer waiting for an end that never comes.
//   - An error of one conn, a reset above all, resets the other, so that its
//     peer never takes half an answer for a whole one. See [Resetter].
//   - A conn that takes no more bytes, because its peer shut down or left, ends
//     only the way towards it. The way back is copied to its own end: a server
//     may refuse the rest of a request and still answer. The peer that sends in
//     vain is told, see [ReadStopper], or else read and ignored, for closing a
//     TCP conn over unread bytes destroys what was sent the other way.
//   - A peer that left altogether is known only where a conn is a
//     [StopNotifier]. Once all it sent has been delivered, the other conn is
//     closed, even if its own peer never says anything.
//
// TCP does not tell a peer that closed from one that shut down its writing,
// until something is sent to it. Behind a plain TCP conn a silent pair of peers
// is therefore held, as it would be without a relay between them.
//
// # Buffers and goroutines
//
// A TCP or unix conn waits for bytes without a buffer, and takes one from the
// pool in the moment it can be filled. A conn with WriteTo is asked to write its
// own buffers. Any other conn holds one small buffer while it waits. Buffers grow
// with what reads bring, and shrink again.
//
// A [Deliverer] waits without a goroutine, too: what its peer sends is written
// by one that is there only while there are bytes, and a few bytes for which the other
// conn has room by whoever brings them. So the relay of a tunnel's
// conn and a socket costs one goroutine while nothing is said. What it waits with
// should be small: a goroutine that has dialled has a stack for that.
package relay
