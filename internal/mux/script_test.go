package mux

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
)

// model is what a correct observer of a session knows: which frames the session
// has to take, and which end it.
type model struct {
	*peer
	streams  map[uint32]*modelStream
	order    []uint32 // of streams, for picking
	accepted chan *Stream
	next     uint32 // the next id the peer opens
	violated bool
}

type modelStream struct {
	st     *Stream // nil once closed here, or never taken
	window int     // what the peer may still send
	credit int     // what the session may still send
	over   bool    // FIN or RST was sent
	sent   int
}

const modelMax = 6 // the limit of streams

// open is the peer opening a stream with h, a SYN frame.
func (m *model) open(h header, body []byte) {
	live := 0
	for id, s := range m.streams {
		if id%2 == m.next%2 && s.st != nil {
			live++
		}
	}
	id := m.next
	m.next += 2
	s := &modelStream{window: minWindow, credit: minWindow}
	m.streams[id], m.order = s, append(m.order, id)
	h.id = id
	m.send(h, body...)
	seen, ok := m.until(1)
	if taken := live < modelMax; taken {
		s.st = <-m.accepted
		if !ok {
			s.window += baseWindow - minWindow // it violated what follows, below
		}
		for _, f := range seen {
			if f.id == id && f.flags&flagACK != 0 {
				s.window += int(f.length)
			}
		}
	} else if ok && !slices.ContainsFunc(seen, func(f frame) bool {
		return f.header == header{typeWindow, flagRST, id, uint32(ReasonRefused)}
	}) {
		m.t.Fatalf("stream %d beyond the limit was answered by %+v", id, seen)
	}
	m.judge(s, h, len(body))
}

// judge applies a frame that was sent for s.
func (m *model) judge(s *modelStream, h header, body int) {
	if s.st == nil {
		return // closed here: whatever still comes is ignored
	}
	if h.flags&flagRST != 0 {
		m.violated = m.violated || h.typ == typeData
		s.over = true
		return
	}
	if h.typ == typeData {
		if body > s.window || s.over {
			m.violated = true
			return
		}
		s.window -= body
		s.sent += body
	} else if s.credit += int(h.length); s.credit > 1<<30 {
		m.violated = true
	}
	if h.flags&flagFIN != 0 {
		s.over = true
	}
}

// pick returns a stream by any number.
func (m *model) pick(n byte) (uint32, *modelStream) {
	if len(m.order) == 0 {
		m.open(header{typ: typeWindow, flags: flagSYN}, nil)
	}
	id := m.order[int(n)%len(m.order)]
	return id, m.streams[id]
}

// frame sends h for a stream.
func (m *model) frame(arg byte, h header, body []byte) {
	id, s := m.pick(arg)
	h.id, h.length = id, max(h.length, uint32(len(body)))
	m.send(h, body...)
	m.judge(s, h, len(body))
}

// step does what two bytes of the script say.
func (m *model) step(op, arg byte) {
	n := int(arg) * 64
	body := bytes.Repeat([]byte{arg}, n)
	switch op % 20 {
	case 0:
		m.open(header{typ: typeWindow, flags: flagSYN, length: uint32(n)}, nil)
	case 1:
		m.open(header{typ: typeData, flags: flagSYN, length: uint32(n)}, body)
	case 2, 3:
		m.frame(arg/7, header{typ: typeData}, body)
	case 4:
		m.frame(arg, header{typ: typeWindow, flags: flagFIN}, nil)
	case 5:
		m.frame(arg, header{typ: typeWindow, flags: flagStop}, nil)
	case 6:
		m.frame(arg, header{typ: typeWindow, flags: flagFIN | flagStop}, nil)
	case 7:
		m.frame(arg, header{typ: typeWindow, flags: flagRST, length: uint32(arg)}, nil)
	case 8:
		m.frame(arg, header{typ: typeWindow, flags: flagACK, length: uint32(arg) << 22}, nil)
	case 9:
		m.frame(arg, header{typ: typeData, flags: flagFIN}, body)
	case 10:
		id, s := m.pick(arg)
		if s.st != nil { // the app lets go of it
			m.until(2)
			if arg%2 == 0 {
				s.st.Close()
			} else {
				s.st.Reset(Reason(arg % 5))
			}
			m.streams[id].st = nil
		}
	case 11:
		if st, err := m.s.Open(context.Background()); err == nil {
			m.streams[st.ID()] = &modelStream{st: st, window: baseWindow, credit: minWindow}
			m.order = append(m.order, st.ID())
		}
	case 12:
		for i := range uint32(arg) {
			m.send(header{typ: typePing, flags: flagSYN, length: 1000 + i})
		}
	case 13:
		m.send(header{typ: typePing, flags: flagACK, length: uint32(arg)})
	case 14:
		m.send(header{typ: typeGoAway})
	case 15:
		m.frame(arg, header{typ: typeData, flags: flagRST}, nil)
	case 16:
		m.never(header{typ: typeWindow, id: m.next + 2*uint32(arg)})
	case 17: // opened twice, or by the wrong side
		id, _ := m.pick(arg)
		m.never(header{typ: typeWindow, flags: flagSYN, id: id})
	case 18:
		m.never(header{typ: typePing, flags: uint16(arg) | flagFIN})
	case 19:
		m.never(header{typ: typeGoAway, length: 1 + uint32(arg)})
	}
}

// never sends what nobody may send.
func (m *model) never(h header) {
	m.send(h)
	m.violated = true
}

// FuzzScript plays plausible sequences of frames: those that keep the rules must
// not end the session, those that break them must, with ErrProtocol.
func FuzzScript(f *testing.F) {
	leak.Check(f)
	for op := range byte(20) {
		f.Add([]byte{0, 0, op, 3}, op%2 == 0)
		f.Add([]byte{0, 1, op, 200, 10, 0, op, 1}, op%2 == 1)
	}
	f.Add([]byte{1, 50, 2, 0, 4, 0, 4, 0, 5, 0, 6, 0}, true)                            // FIN twice, STOP
	f.Add([]byte{0, 0, 5, 0, 2, 3, 2, 4, 4, 0}, true)                                   // STOP then data
	f.Add([]byte{0, 0, 2, 255, 2, 252, 2, 252, 2, 252}, true)                           // window overflow
	f.Add([]byte{0, 0, 7, 0, 7, 0, 7, 0, 0, 0, 7, 1, 7, 1}, true)                       // RST flood
	f.Add(bytes.Repeat([]byte{0, 0}, 40), false)                                        // open flood
	f.Add(bytes.Repeat([]byte{12, 255}, 20), true)                                      // ping flood
	f.Add(bytes.Repeat([]byte{0, 0, 7, 0, 10, 0}, 20), true)                            // open, reset, close
	f.Add([]byte{14, 0, 0, 0, 2, 4, 11, 0, 14, 0, 4, 0, 10, 0, 2, 9, 4, 0, 7, 0}, true) // go-away
	f.Fuzz(func(t *testing.T, script []byte, client bool) {
		m := &model{streams: map[uint32]*modelStream{}, accepted: make(chan *Stream, 1), next: 1}
		if client {
			m.next = 2
		}
		m.peer = newPeer(t, Config{Client: client, MaxStreams: modelMax,
			Accept: func(st *Stream) { m.accepted <- st }})
		if len(script) > 120 {
			script = script[:120]
		}
		for i := 0; i+1 < len(script) && !m.violated; i += 2 {
			m.step(script[i], script[i+1])
		}
		m.verdict()
	})
}

// verdict compares what happened with what had to.
func (m *model) verdict() {
	if m.violated {
		if err := m.wait(); !errors.Is(err, ErrProtocol) {
			m.t.Fatalf("a violation ended the session with %v", err)
		}
	} else if _, ok := m.until(3); !ok {
		m.t.Fatalf("a sequence within the rules ended the session: %v", m.wait())
	}
	for id, s := range m.streams {
		if s.st == nil {
			continue
		}
		if got := s.st.recv.Len(); got != s.sent && !m.violated {
			m.t.Errorf("stream %d holds %d bytes, %d were sent", id, got, s.sent)
		}
		s.st.Close()
	}
	m.s.Close()
	m.wait()
	balanced(m.t, m.s)
}
