package message

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Version is the version of the protocol that this package speaks.
const Version = 1

// maxFeatures bounds the list of features in a hello.
const maxFeatures = 64

// Hello is the first thing an agent says.
type Hello struct {
	Version uint64 // 1
	AgentID string // 2
	// Instance is random for each run of an agent, and so tells a reconnecting
	// agent from a second one with the same id.
	Instance    string   // 3
	Identifiers string   // 4: the query form of Konnectivity's agentIdentifiers
	Features    []string // 5: extensions the agent understands
	Software    string   // 6: for people
	// Draining tells a server from the start that the agent is about to leave.
	Draining bool // 7
	// Token is the agent's bearer token: a secret, never to be logged.
	Token string // 8
}

func (h *Hello) appendTo(b []byte) []byte {
	b = appendUint(b, 1, h.Version)
	b = appendString(b, 2, h.AgentID)
	b = appendString(b, 3, h.Instance)
	b = appendString(b, 4, h.Identifiers)
	b = appendStrings(b, 5, h.Features)
	b = appendString(b, 6, h.Software)
	if h.Draining {
		b = appendUint(b, 7, 1)
	}
	return appendString(b, 8, h.Token)
}

func (h *Hello) set(f field) error {
	switch f.num {
	case 1:
		return f.uint(&h.Version, math.MaxUint32)
	case 2:
		return f.str(&h.AgentID)
	case 3:
		return f.str(&h.Instance)
	case 4:
		return f.str(&h.Identifiers)
	case 5:
		return f.strings(&h.Features)
	case 6:
		return f.str(&h.Software)
	case 7:
		return f.bool(&h.Draining)
	case 8:
		return f.str(&h.Token)
	}
	return nil
}

func (h *Hello) check() error {
	if h.Version == 0 {
		return fmt.Errorf("%w: hello without a version", ErrMalformed)
	}
	if h.AgentID == "" {
		return fmt.Errorf("%w: hello without an agent id", ErrMalformed)
	}
	return nil
}

// Reply is the server's answer to a hello. A Reply with a Status is a refusal.
type Reply struct {
	Version     uint64   // 1: the version both will speak
	ServerID    string   // 2
	ServerCount uint64   // 3: how many servers there are to connect to; 0 unknown
	Status      Status   // 4
	Text        string   // 5: why it was refused, for people
	Features    []string // 6: extensions both will use
}

func (r *Reply) appendTo(b []byte) []byte {
	b = appendUint(b, 1, r.Version)
	b = appendString(b, 2, r.ServerID)
	b = appendUint(b, 3, r.ServerCount)
	b = appendUint(b, 4, uint64(r.Status))
	b = appendString(b, 5, r.Text)
	return appendStrings(b, 6, r.Features)
}

func (r *Reply) set(f field) error {
	switch f.num {
	case 1:
		return f.uint(&r.Version, math.MaxUint32)
	case 2:
		return f.str(&r.ServerID)
	case 3:
		return f.uint(&r.ServerCount, math.MaxUint16)
	case 4:
		return f.uint((*uint64)(&r.Status), math.MaxUint32)
	case 5:
		return f.str(&r.Text)
	case 6:
		return f.strings(&r.Features)
	}
	return nil
}

func (r *Reply) check() error {
	if r.Version == 0 && r.Status == OK {
		return fmt.Errorf("%w: reply without a version", ErrMalformed)
	}
	return nil
}

// Status says how a hello fared. Its values never change.
type Status uint64

// The statuses. An agent treats one it does not know as Unavailable.
const (
	OK          Status = 0
	Denied      Status = 1 // the credential does not allow what was claimed
	Unsupported Status = 2 // no version in common
	Invalid     Status = 3 // the hello makes no sense
	Unavailable Status = 4 // not now: full or shutting down
	// Unauthenticated: no credential came, or one that is not good.
	Unauthenticated Status = 5
)

// String returns the status in words.
func (s Status) String() string {
	switch s {
	case OK:
		return "ok"
	case Denied:
		return "denied"
	case Unsupported:
		return "unsupported version"
	case Invalid:
		return "invalid hello"
	case Unauthenticated:
		return "unauthenticated"
	}
	return "unavailable"
}

func (f field) strings(p *[]string) error {
	var s string
	if err := f.str(&s); err != nil {
		return err
	}
	if len(*p) == maxFeatures {
		return fmt.Errorf("%w: more than %d entries in field %d", ErrMalformed, maxFeatures, f.num)
	}
	*p = append(*p, s)
	return nil
}

func (f field) bool(p *bool) error {
	var v uint64
	if err := f.uint(&v, 1); err != nil {
		return err
	}
	*p = v == 1
	return nil
}

func appendStrings(b []byte, num protowire.Number, list []string) []byte {
	for _, s := range list {
		b = protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
	}
	return b
}
