package grpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/wire"
)

// serveConnect serves the call to Connect, from the hello to the end of the
// tunnel.
func (s *Session) serveConnect(stream grpc.ServerStream) error {
	close(s.connected)
	defer close(s.served)
	hello, err := s.hello(stream)
	if err != nil {
		s.fail(err)
		return s.answerRefused(err)
	}
	s.draining.Store(hello.Draining)
	s.l.Up(s, hello)
	if s.conn.known != nil {
		close(s.conn.known) // what it sends is taken off the stream from now on
	}
	err = s.carry(stream.Context())
	s.fail(s.reason(err))
	s.l.Down(s, s.why())
	if _, known := status.FromError(err); known {
		return err
	}
	return nil
}

// answerRefused is the status for an agent that was not taken.
func (s *Session) answerRefused(err error) error {
	if re, ok := errors.AsType[*link.RefusedError](err); ok {
		return refuse(&re.Reply)
	}
	return err
}

// carry serves the Connect stream until it ends.
func (s *Session) carry(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var pinging sync.WaitGroup
	pinging.Go(func() { s.pulse.run(ctx, s.ours) })
	err := s.control.Run()
	stop()
	pinging.Wait()
	return err
}

// hello reads the agent's hello and replies.
func (s *Session) hello(stream grpc.ServerStream) (h message.Hello, err error) {
	ctx, cancel := context.WithTimeout(stream.Context(), s.l.HelloTimeout)
	defer cancel()
	md, _ := metadata.FromIncomingContext(ctx)
	h, err = readHello(md)
	if err != nil {
		return h, s.noteRefused(message.Reply{Status: message.Invalid, Text: err.Error()})
	}
	if !s.l.NoWindows && len(agree(h.Features, []string{featureWindows, featureHalfClose})) < 2 {
		return h, s.noteRefused(message.Reply{Status: message.Invalid, Text: errNoWindows.Error()})
	}
	reply := s.l.Authorize(ctx, h)
	if reply.Status != message.OK {
		return h, s.noteRefused(reply)
	}
	had := []string{featureWindows, featureHalfClose}
	if s.l.NoWindows {
		had = had[1:]
	}
	reply.Features = agree(h.Features, had)
	if !slices.Contains(reply.Features, featureHalfClose) {
		reply.Features = nil // it is part of what windows need
	}
	s.prepare(stream, reply.Features)
	if err := stream.SendHeader(accept(&reply)); err != nil {
		return h, fmt.Errorf("hello: %w", s.reason(err))
	}
	return h, nil
}

// noteRefused remembers the refusal as the reason for the tunnel's end.
func (s *Session) noteRefused(r message.Reply) error {
	err := &link.RefusedError{Reply: r}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = err
	return err
}

// prepare makes the carrier of the Connect stream.
func (s *Session) prepare(stream grpc.ServerStream, features []string) {
	s.ours = slices.Contains(features, featureHalfClose)
	s.windows = slices.Contains(features, featureWindows)
	s.pulse = &pulse{conn: s.conn, every: keepAlive(s.l.KeepAlive)}
	cfg := packet.Config{
		Stream: stream, Cancel: stopper(stream.Context()), Opener: true, Extended: s.ours,
		Patience: patience, Memory: s.l.memory(), Grace: packet.UpstreamGrace, Quota: sendQuota,
		Handle: s.handle, Stray: s.stray,
		OnPacket: s.l.OnPacket, OnError: s.l.OnError,
	}
	if s.windows {
		cfg.Windows = s.pulse.windows()
	}
	control := packet.New(cfg)
	s.pulse.carrier = control
	s.mu.Lock()
	defer s.mu.Unlock()
	s.control = control
	if s.err != nil {
		control.Close(s.err)
	}
}

// stray takes the answer to the question of a Flush.
func (s *Session) stray(p *wire.Packet) bool {
	return p.Type == wire.CloseRsp && s.flushes.answer(p.ConnectID)
}

// handle acts on what comes on the Connect stream and is about no connection.
func (s *Session) handle(p *wire.Packet) {
	switch p.Type {
	case wire.DialRsp:
		s.answered(p)
	case wire.DialCls:
		if asked, ok := s.dials.take(p.Random); ok {
			s.control.Dismiss(asked.grant)
			asked.result <- outcome{err: errors.New("the agent gave up the dial")}
		}
	case wire.Drain:
		s.draining.Store(true)
	case wire.Ping:
		if s.ours {
			s.control.Answer(&wire.Packet{Type: wire.Pong, Random: p.Random})
		}
	case wire.Pong:
		s.pulse.pong(p.Random)
		s.flushes.answer(p.Random)
	}
}

// answered handles an agent's answer to a dial. One that nobody waits for any
// more has its connection closed.
func (s *Session) answered(p *wire.Packet) {
	asked, ok := s.dials.take(p.Random)
	switch {
	case !ok && p.ConnectID != 0 && !failed(p):
		s.unwanted(p.ConnectID)
	case !ok:
	case failed(p):
		s.control.Dismiss(asked.grant)
		asked.result <- outcome{err: refusal(p)}
	default:
		conn, err := s.open(p, asked)
		asked.result <- outcome{conn, err}
	}
}

// unwanted closes a connection that nobody waits for. An id that is in use was
// given to somebody: an agent that names it twice does not get at that.
func (s *Session) unwanted(id int64) {
	if s.control.Conn(id) == nil {
		s.control.Answer(&wire.Packet{Type: wire.CloseReq, ConnectID: id})
	}
}

// open makes the connection that an agent has answered with.
func (s *Session) open(p *wire.Packet, asked dial) (net.Conn, error) {
	conn, err := s.control.NewWindowed(p.ConnectID, asked.local(p), asked.remote(p), asked.grant, p.Window)
	if err != nil {
		return nil, err
	}
	return conn.Net(), nil
}
