package sshtunnel

import "time"

// State is what a [Dialer] is doing.
type State uint8

// The states of a Dialer.
const (
	Idle       State = iota // no client, and the next dial makes one
	Connecting              // a handshake is under way
	Connected               // a client is there
	Waiting                 // a handshake failed, and the server is left alone for a while
	Closed                  // by Close, for good
)

// String returns the state's name, usable as a metric label.
func (s State) String() string {
	switch s {
	case Idle:
		return "idle"
	case Connecting:
		return "connecting"
	case Connected:
		return "connected"
	case Waiting:
		return "waiting"
	case Closed:
		return "closed"
	}
	return "unknown"
}

// Status is what a [Dialer] knows of itself at one moment.
type Status struct {
	// Server and User are those of the Config.
	Server, User string
	State        State
	// Since is when the client connected, zero unless State is Connected.
	Since time.Time
	// Conns is how many conns are open or being opened.
	Conns int
	// Unanswered is how many channels this side has given up without the server
	// having confirmed it.
	Unanswered int
	// ServerVersion is what the server calls itself, and HostKey the type and
	// fingerprint of the key it has proved to have: that of the certificate where
	// it has shown one. Both are empty unless State is Connected.
	ServerVersion, HostKey string
	// Err is why the last handshake failed or the last client ended, nil where
	// nothing has failed since the last success.
	Err error
	// RetryAt is when the next dial may try again, zero unless State is Waiting.
	RetryAt time.Time
}

// Status returns what the dialer knows of itself.
func (d *Dialer) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := Status{Server: d.cfg.Address, User: d.cfg.User, Err: d.lastErr}
	for _, c := range d.worn {
		s.count(c)
	}
	switch c := d.client; {
	case d.closed:
		s.State = Closed
	case c != nil:
		s.State, s.Since, s.ServerVersion, s.HostKey = Connected, c.since, c.version, c.s.hostKey
		s.count(c)
	case d.attempt != nil:
		s.State = Connecting
	case d.waiting(time.Now()) != nil:
		s.State, s.RetryAt = Waiting, d.retryAt
	}
	return s
}

// count adds the channels of c.
func (s *Status) count(c *client) {
	s.Conns += c.used()
	s.Unanswered += c.left()
}
