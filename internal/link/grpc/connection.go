package grpc

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/wire"
)

// connection is the server's end of a stream with one connection.
type connection struct {
	carrier *packet.Carrier
	conn    *packet.Conn
}

// connectionID is the id of the one connection of a stream.
const connectionID = 1

// serveConnection serves a stream that the agent has opened for a connection.
func (s *Session) serveConnection(stream grpc.ServerStream) error {
	p, err := s.firstWord(stream)
	s.silent.Add(-1) // admit has counted it
	if err != nil {
		return err
	}
	asked, ok := s.dials.take(p.Random)
	if !ok {
		return status.Error(codes.NotFound, "nobody waits for this connection")
	}
	c, err := s.newConnection(stream, p, asked)
	if err != nil {
		asked.result <- outcome{err: err}
		return status.Error(codes.Unavailable, err.Error())
	}
	defer s.remove(c)
	asked.result <- outcome{conn: c.conn.Net()}
	if err := c.carrier.Run(); err != nil {
		return status.Error(codes.Aborted, short(err.Error()))
	}
	return nil
}

// firstWord reads which dial a stream answers.
func (s *Session) firstWord(stream grpc.ServerStream) (*wire.Packet, error) {
	late := time.AfterFunc(s.l.HelloTimeout, stopper(stream.Context()))
	defer late.Stop()
	p := new(wire.Packet)
	if err := stream.RecvMsg(p); err != nil {
		return nil, err
	}
	p.Free()
	if s.l.OnPacket != nil {
		s.l.OnPacket(false, p.Type)
	}
	if p.Type != wire.DialRsp || failed(p) {
		return nil, status.Errorf(codes.InvalidArgument, "a stream begins with the answer to a dial, not with %v", p.Type)
	}
	return p, nil
}

func (s *Session) newConnection(stream grpc.ServerStream, p *wire.Packet, asked dial) (*connection, error) {
	c := new(connection)
	c.carrier = packet.New(packet.Config{
		Stream: stream, Cancel: stopper(stream.Context()), Opener: true, Extended: true, Single: true,
		Queue: streamQueue, Packet: streamPacket, Stalled: s.stalls.watch(&c.conn),
		Handle: func(p *wire.Packet) {
			if p.Type == wire.Pong {
				s.flushes.answer(p.Random)
			}
		},
		// A reset on the stream itself waits behind what the agent does not read.
		OnReset:  func(int64) { s.control.Send(&wire.Packet{Type: wire.DialCls, Random: p.Random}) },
		OnPacket: s.l.OnPacket, OnError: s.l.OnError,
	})
	var err error
	c.conn, err = c.carrier.NewConn(connectionID, asked.local(p), asked.remote(p))
	if err != nil {
		return nil, err
	}
	return c, s.add(c)
}

// add counts c among the session's connections.
func (s *Session) add(c *connection) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return fmt.Errorf("tunnel lost: %w", s.err)
	}
	s.live[c] = struct{}{}
	return nil
}

func (s *Session) remove(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, c)
}

// Flush implements link.Session. What was sent has arrived when the agent has
// answered something sent behind it.
func (s *Session) Flush(ctx context.Context) error {
	if err := s.awaitGrace(ctx); err != nil {
		return err
	}
	// Any agent answers a CLOSE_REQ, also one for an id that it never gave.
	probe := wire.CloseReq
	if s.ours {
		probe = wire.Ping
	}
	questions := []question{s.flushes.ask(s.control, probe)}
	for _, c := range s.connections() {
		questions = append(questions, s.flushes.ask(c.carrier, wire.Ping))
	}
	if err := s.flushes.await(ctx, questions); err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.lost()
	default:
		return nil
	}
}

// awaitGrace lets what was closed be closed at the agent, too.
func (s *Session) awaitGrace(ctx context.Context) error {
	tick := time.NewTicker(packet.UpstreamGrace / 10)
	defer tick.Stop()
	for s.control.Graced() {
		select {
		case <-tick.C:
		case <-s.done:
			return s.lost()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// connections lists those with a stream of their own.
func (s *Session) connections() []*connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.live))
}
