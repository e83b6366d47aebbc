package konnectivity

import (
	"errors"
	"io"
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/wire"
)

// Both ends tell of Konnectivity's packets, and name the way they went as the
// server sees it. A tunnel of our own protocol has none.
func TestPacketHooks(t *testing.T) {
	leak.Check(t)
	eachLink(t, func(t *testing.T, link linkCase) {
		var at, there events
		w := link.world(t, func(c *ServerConfig) {
			c.Trace = &ServerTrace{Packet: func(segment, packetType string) { there.add("%s %s", segment, packetType) }}
		})
		cfg := w.agentConfig("edge", everywhere)
		cfg.Trace = &AgentTrace{Packet: func(segment, packetType string) { at.add("%s %s", segment, packetType) }}
		w.run(cfg)
		c := dial(t, w.srv, echo(t))
		talk(t, c, "hello")
		c.Close()
		eventually(t, "idle", func() bool { return w.busy() == "" })
		if link.protocol == "yamux" {
			if all := append(at.take(), there.take()...); len(all) != 0 {
				t.Errorf("packets of a tunnel without any: %q", all)
			}
			return
		}
		for _, want := range []string{"to_agent DIAL_REQ", "from_agent DIAL_RSP", "to_agent DATA", "from_agent DATA"} {
			eventually(t, want+" at both ends", func() bool { return at.count(want) == 1 && there.count(want) == 1 })
		}
		for _, wrong := range []string{"from_agent DIAL_REQ", "to_agent DIAL_RSP"} {
			if at.count(wrong)+there.count(wrong) != 0 {
				t.Errorf("%s was told", wrong)
			}
		}
	})
}

func TestPacketErrorHooks(t *testing.T) {
	var seen events
	failed := func(segment, packetType string, err error) { seen.add("%s %q %v", segment, packetType, err) }
	_, server := (&ServerTrace{PacketError: failed}).packetHooks()
	_, agent := (&AgentTrace{PacketError: failed}).packetHooks()
	server(true, wire.Data, io.ErrClosedPipe)
	server(false, -1, errors.New("gone"))
	agent(true, wire.CloseRsp, io.ErrClosedPipe)
	agent(false, -1, errors.New("gone"))
	for _, want := range []string{
		`to_agent "DATA" io: read/write on closed pipe`, `from_agent "" gone`,
		`from_agent "CLOSE_RSP" io: read/write on closed pipe`, `to_agent "" gone`,
	} {
		if seen.count(want) != 1 {
			t.Errorf("%q, want %s", seen.all, want)
		}
	}
	if packet, failed := (*ServerTrace)(nil).packetHooks(); packet != nil || failed != nil {
		t.Error("hooks of no trace")
	}
	if packet, failed := (&AgentTrace{}).packetHooks(); packet != nil || failed != nil {
		t.Error("hooks of an empty trace")
	}
}
