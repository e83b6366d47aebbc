package grpc

import (
	"cmp"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/wire"
)

// Agent is the agent's end of one tunnel.
type Agent struct {
	// Hello is what to say first. Version is filled in; Features are added to.
	// Token goes into the authorization header.
	Hello message.Hello
	// Dial connects to targets; it applies the agent's policy. Its errors should
	// be *dialer.Error, so that the far end learns the kind and the hop. It is
	// asked for "tcp", "tcp4" and "tcp6" only.
	Dial link.DialFunc
	// DialTimeout bounds each Dial, whatever the server's caller would allow.
	DialTimeout time.Duration
	// HelloTimeout bounds the exchange of hellos.
	HelloTimeout time.Duration
	// KeepAlive is the time between pings to a server of ours. It is dead when
	// nothing at all has arrived for three of them. Zero means 4 s; negative sends
	// none. Another server is sent HTTP/2 pings, no more often than it tolerates.
	KeepAlive time.Duration
	// MaxConns bounds the connections being served or dialed. Zero means 8192.
	MaxConns int
	// Memory bounds what all connections of the tunnel may hold unread, in bytes:
	// what their windows may come to, where they have windows. Zero means 64 MiB.
	Memory int
	// NoWindows gives connections no windows, also with our own servers: HTTP/2's are
	// for one of upstream's programs at the other end.
	NoWindows bool
	// Plain offers none of our extensions: the tunnel is what it would be between
	// two programs of upstream's.
	Plain bool
	// Opened is told of each connection to a target, and the returned function of
	// its end. Nil is fine.
	Opened func(address string) (ended func())
	// Up is called once the server has taken the agent. Reply.ServerCount is what
	// the server said, 0 when it said nothing that makes sense.
	Up func(message.Reply)
	// ServerDraining is called, on the tunnel's own goroutine, when the server
	// announces that it is about to leave. A server of upstream's never does.
	ServerDraining func()
	// OnPacket and OnError, which may be nil, are told of each packet to or from
	// the server, and of each failure; a failure to receive has a negative type.
	// They must not block.
	OnPacket func(out bool, t wire.Type)
	OnError  func(out bool, t wire.Type, err error)

	conn     *watched
	client   *grpc.ClientConn
	life     context.Context // ends with the tunnel
	end      context.CancelFunc
	patience context.Context // ends when Finish waits no more
	giveUp   context.CancelFunc
	ready    chan struct{} // closed when the server has taken the agent

	// Set before ready.
	control *packet.Carrier
	pulse   *pulse
	windows bool // each connection has windows of its own
	ours    bool // the server knows our packets

	served   sync.WaitGroup
	serving  atomic.Int64
	idle     chan struct{} // one token: serving may have become zero
	ids      atomic.Int64  // the last connection id given
	sayDrain sync.Once

	mu    sync.Mutex
	asked map[int64]*asked // by the server's random number
}

var _ link.Agent = (*Agent)(nil)

// Start prepares a over conn, which it owns from now on and whose TLS handshake
// is done. Run must follow.
func (a *Agent) Start(conn net.Conn) {
	a.conn = watch(conn)
	a.life, a.end = context.WithCancel(context.Background())
	a.patience, a.giveUp = context.WithCancel(context.Background())
	a.ready = make(chan struct{})
	a.idle = make(chan struct{}, 1)
	a.asked = make(map[int64]*asked)
}

// Run says hello and serves the tunnel until ctx ends, the server goes or Close
// is called. A *link.RefusedError says that the server did not take the agent.
// Connections whose far end has said all it had to say may still be delivering
// that; Finish, which must follow, joins them.
func (a *Agent) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { a.conn.closeWith(context.Cause(ctx)) })
	defer stop()
	defer a.end()
	client, err := a.newClient()
	if err != nil {
		a.conn.Close()
		return err
	}
	a.client = client
	err = a.hello()
	if err == nil {
		err = a.carry()
	}
	err = a.reason(err)
	a.conn.closeWith(err)
	client.Close()
	return err
}

// carry serves the Connect stream until it ends.
func (a *Agent) carry() error {
	ctx, stop := context.WithCancel(a.life)
	var pinging sync.WaitGroup
	pinging.Go(func() { a.pulse.run(ctx, a.ours) })
	err := a.control.Run()
	stop()
	pinging.Wait()
	return err
}

// Finish waits until the connections of a tunnel that has ended have delivered
// what they had received in full, or until ctx ends. It joins everything.
func (a *Agent) Finish(ctx context.Context) {
	stop := context.AfterFunc(ctx, a.giveUp)
	defer stop()
	a.served.Wait()
	a.giveUp()
}

// Drain asks the server for no new connections and returns when those that are
// open have ended, or ctx has, or the tunnel has. A tunnel that is not up yet
// has nothing to drain. Close should follow: the server is told that nothing
// more comes.
func (a *Agent) Drain(ctx context.Context) {
	select {
	case <-a.ready:
	default:
		return
	}
	a.sayDrain.Do(func() { a.control.Send(&wire.Packet{Type: wire.Drain}) })
	for a.serving.Load() > 0 {
		select {
		case <-a.idle:
		case <-ctx.Done():
			return
		case <-a.life.Done():
			return
		}
	}
	// The server ends the call when it has read the last connection's last bytes.
	a.control.CloseSend()
	select {
	case <-a.control.Done():
	case <-ctx.Done():
	}
}

// Close ends the tunnel at once. Run returns.
func (a *Agent) Close() error { return a.conn.Close() }

// Serving returns the number of connections the agent serves.
func (a *Agent) Serving() int { return int(a.serving.Load()) }

// RTT returns the tunnel's round trip, zero when not known: only a server of
// ours answers pings.
func (a *Agent) RTT() time.Duration {
	if !a.isReady() {
		return 0
	}
	return a.pulse.RTT()
}

// Protocol returns link.ProtocolWindows or link.ProtocolPackets.
func (a *Agent) Protocol() string {
	if a.isReady() && a.windows {
		return link.ProtocolWindows
	}
	return link.ProtocolPackets
}

func (a *Agent) isReady() bool {
	select {
	case <-a.ready:
		return true
	default:
		return false
	}
}

func (a *Agent) maxConns() int { return cmp.Or(max(a.MaxConns, 0), defaultMaxConns) }
func (a *Agent) memory() int   { return cmp.Or(max(a.Memory, 0), defaultMemory) }
