package konnectivity

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// ErrServerClosed is returned by Serve and DialContext after Shutdown or Close.
var ErrServerClosed = errors.New("konnectivity: server closed")

// ErrLeft is why a tunnel ended whose other end had announced it.
var ErrLeft = errors.New("konnectivity: the other end left in good order")

// Server takes the tunnels that agents open and is a dialer.Dialer through
// them. Serve brings agents, DialContext uses them.
type Server struct {
	cfg    ServerConfig
	tls    *tls.Config
	speaks protocols
	log    *slog.Logger
	picker *picker[*agentSession]
	life   context.Context // ends with Close
	end    context.CancelFunc

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[net.Conn]struct{} // every agent's, from accept to end
	sessions  map[*agentSession]struct{}
	twins     map[instance][]*agentSession // of one process, the newest last
	places    places
	setups    list.List     // of net.Conn: tunnels being set up
	arrived   chan struct{} // closed, and replaced, when an agent comes
	state     serverState
	serving   sync.WaitGroup // Add only under mu while running, Wait only after
}

type serverState int

const (
	running  serverState = iota
	draining             // no new agents, no new dials
	closed
)

var (
	_ dialer.Dialer  = (*Server)(nil)
	_ dialer.Readier = (*Server)(nil)
)

// NewServer checks cfg and returns a Server. It starts nothing.
func NewServer(cfg ServerConfig) (*Server, error) {
	speaks, err := checkServerConfig(&cfg)
	if err != nil {
		return nil, err
	}
	if cfg.ID == "" {
		cfg.ID = randomID()
	}
	life, end := context.WithCancel(context.Background())
	return &Server{
		life: life, end: end,
		places: places{max: cfg.maxAgents(), perAgent: cfg.maxTunnelsPerAgent(), taken: make(map[string]int)},
		cfg:    cfg, tls: listenerTLS(cfg.TLS, speaks.alpn(false)), speaks: speaks, log: orDiscard(cfg.Log).With("server", cfg.ID),
		picker:    newPicker(tiersOf[*agentSession](cfg.Strategies)...),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[net.Conn]struct{}),
		sessions:  make(map[*agentSession]struct{}),
		twins:     make(map[instance][]*agentSession),
		arrived:   make(chan struct{}),
	}, nil
}

// ID returns the server's id.
func (s *Server) ID() string { return s.cfg.ID }

// Ready returns nil when an agent is connected, as dialer.Readier has it.
func (s *Server) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != running {
		return ErrServerClosed
	}
	for a := range s.sessions {
		if !a.draining() {
			return nil
		}
	}
	if n := len(s.sessions); n > 0 {
		return fmt.Errorf("%w: no agent is connected but %d that are draining", dialer.ErrNoRoute, n)
	}
	return fmt.Errorf("%w: no agent is connected", dialer.ErrNoRoute)
}

// WaitReady waits until Ready returns nil. It returns ErrServerClosed when the
// server is closed, or the cause of ctx's end.
func (s *Server) WaitReady(ctx context.Context) error {
	for {
		s.mu.Lock()
		arrived := s.arrived
		s.mu.Unlock()
		err := s.Ready()
		if err == nil || errors.Is(err, ErrServerClosed) {
			return err
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return fmt.Errorf("%w; %w", context.Cause(ctx), err)
		}
	}
}

// Agents returns the agents that are connected now, ordered by id.
func (s *Server) Agents() []AgentInfo {
	s.mu.Lock()
	infos := make([]AgentInfo, 0, len(s.sessions))
	for a := range s.sessions {
		infos = append(infos, a.info())
	}
	s.mu.Unlock()
	slices.SortFunc(infos, compareAgents)
	return infos
}

// Close ends every tunnel and every connection at once, and returns when all of
// it has ended. Serve returns ErrServerClosed. A second Close does the same.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.state != closed {
		s.state = closed
		close(s.arrived) // nobody comes any more
	}
	s.closeListeners()
	s.end()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
	return nil
}

// closeListeners closes the listeners. s.mu is held.
func (s *Server) closeListeners() {
	for ln := range s.listeners {
		ln.Close()
	}
}

// Shutdown takes no new agents and no new dials, tells the agents to leave, and
// waits for the open connections to end. When ctx ends first it returns ctx's
// error. In any case everything is closed when it returns.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if s.state == running {
		s.state = draining
	}
	s.closeListeners()
	leaving := make([]*agentSession, 0, len(s.sessions))
	for a := range s.sessions {
		leaving = append(leaving, a)
	}
	s.mu.Unlock()
	err := shutDown(ctx, leaving, s.waitIdle)
	s.Close()
	return err
}

// shutDown tells the agents to leave, waits for their connections to end and for
// what was sent last to arrive. One agent does not wait for another.
func shutDown(ctx context.Context, agents []*agentSession, idle func(context.Context) error) error {
	var telling sync.WaitGroup
	for _, a := range agents {
		telling.Go(func() { a.tunnel.Drain(ctx) })
	}
	telling.Wait()
	if err := idle(ctx); err != nil {
		return err
	}
	var flushing sync.WaitGroup
	for _, a := range agents {
		flushing.Go(func() { a.tunnel.Flush(ctx) })
	}
	flushing.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// idlePoll is how often Shutdown looks whether connections are left, as
// net/http's does: the event is rare, and the moment does not matter.
const idlePoll = 20 * time.Millisecond

func (s *Server) waitIdle(ctx context.Context) error {
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for s.load() > 0 {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

func (s *Server) load() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a := range s.sessions {
		n += a.load()
	}
	return n
}
