package packet

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/internal/streamconn"
	"github.com/sallyport/sallyport/internal/wire"
)

// Stream is what the two ends of a gRPC stream have in common. A client's has
// CloseSend besides, which the Carrier finds by itself.
type Stream interface {
	Context() context.Context
	SendMsg(m any) error
	RecvMsg(m any) error
}

// Config says what a Carrier's stream is and how to treat it. Only Stream is
// required. The functions are called without locks held and must not block.
type Config struct {
	Stream Stream

	// Cancel ends the stream hard, so that SendMsg and RecvMsg return: the cancel
	// function of the context that a client's stream was made with, or what its
	// server has in that place. Nil where nothing but the peer ends the stream.
	Cancel func()

	// Opener says that this end asks for connections: it closes with CLOSE_REQ
	// and awaits CLOSE_RSP. The other end answers.
	Opener bool

	// Extended says that both ends are ours: HALF_CLOSE is understood, and
	// CLOSE_RSP with an error resets from either end. See SetExtended.
	Extended bool

	// Grace is how long after the last bytes a CLOSE_REQ goes out at the earliest,
	// to a peer that is not Extended: Konnectivity's own agent drops what it has
	// not delivered when it gets one, so it is given time to deliver. Zero waits
	// not at all.
	Grace time.Duration

	// Single says that the stream carries one connection and ends with it. A
	// client then closes its side and waits a bounded time for the server's end; a
	// server cancels the stream, and Run returns.
	Single bool

	// Workers run what delivers to relays. They are the caller's, who stops them.
	// Nil means the carrier's own, none of which stay for the next bytes of a
	// Single connection.
	Workers *streamconn.Workers

	// Packet is how many bytes go into one DATA packet at most; zero means 32 KiB,
	// which is also the most there may be.
	Packet int

	// Patience is how long the reader waits for room in one connection's queue
	// before it resets that connection alone. Several that are stuck at the same
	// time share it, and where one after the other gets stuck it dwindles for a
	// while, down to a part in 32. Zero waits as long as it takes, which suits a
	// stream with a single connection.
	Patience time.Duration

	// Quota is how many bytes of messages gRPC may hold that it has not put into
	// HTTP/2's frames yet. Below that SendMsg does not block, and whoever has
	// something to send calls it. Zero says that it may block at any time: then a
	// goroutine does.
	Quota int

	// Windows gives each connection a window in either direction, and the peer
	// keeps to it or breaks the protocol. Patience and Queue then mean nothing, and
	// Memory is what the windows may come to together. Nil has none.
	Windows *Windows

	// Queue is how many bytes one connection may hold unread; zero means 256 KiB.
	// An empty queue takes one packet of any size.
	Queue int

	// Memory is how many bytes all connections may hold unread together, give or
	// take a sixteenth. Beyond it the one that holds most is reset. Zero sets no
	// such bound.
	Memory int

	// Handle is given the packets that are about no connection: the DIAL_ ones,
	// DRAIN, PING and PONG, and those of types nobody knows. It runs on the
	// reader. The packet is valid during the call.
	Handle func(*wire.Packet)

	// Stray is given DATA, CLOSE_REQ, CLOSE_RSP and HALF_CLOSE for ids that no
	// connection has, and reports whether it has dealt with them. If not, and
	// when Stray is nil, the peer is told that there is no such connection. It
	// runs on the reader. The packet is valid during the call.
	Stray func(*wire.Packet) bool

	// Forgotten is told that both ends are done with a connection, in order or
	// not, and that its id means nothing any more. It is not called for those
	// that the end of the stream has ended.
	Forgotten func(id int64)

	// OnPacket and OnError are told of each packet that was sent or received, and
	// of each failure to. A failure to receive has the type -1.
	OnPacket func(out bool, t wire.Type)
	OnError  func(out bool, t wire.Type, err error)
}

// unknownType stands for the type of a packet that could not be received.
const unknownType wire.Type = -1

// UpstreamGrace is a Grace that lets an agent of upstream's deliver what it holds
// to a target that takes it at once.
const UpstreamGrace = 250 * time.Millisecond

const (
	defaultQueue = 256 << 10
	// closeTime bounds how long an id is remembered after its connection was
	// closed here and the peer has not answered, and how long a stream of which
	// nobody wants anything is held open for the peer to end it.
	closeTime = 10 * time.Second
	// drainTime is the same for a stream of one connection: the peer's consumer
	// may be taking its time, and HTTP/2 holds what it has not taken.
	drainTime = 2 * time.Minute
	// flushTime bounds the sending of last packets on a stream whose peer has
	// said that it sends no more.
	flushTime = 5 * time.Second
)

func (c *Config) queue() int {
	if c.Queue <= 0 {
		return defaultQueue
	}
	return c.Queue
}

func (c *Config) maxData() int {
	if c.Packet <= 0 {
		return wire.MaxData
	}
	return min(c.Packet, wire.MaxData)
}

func (c *Config) packet(out bool, t wire.Type) {
	if c.OnPacket != nil {
		c.OnPacket(out, t)
	}
}

func (c *Config) failed(out bool, t wire.Type, err error) {
	if c.OnError != nil {
		c.OnError(out, t, err)
	}
}
