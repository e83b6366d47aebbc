package konnectivity

import (
	"context"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
)

// lines are those of l that say what.
func lines(l *logs, what string) (found []string) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, what) {
			found = append(found, line)
		}
	}
	return found
}

func TestLogOfAServerThatLeaves(t *testing.T) { eachLink(t, testLogOfAServerThatLeaves) }

// A server that leaves is no alarm: both logs say what goes on, and nothing of
// sockets that were closed.
func testLogOfAServerThatLeaves(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	w.run(w.agentConfig("edge", everywhere))
	c := dial(t, w.srv, echo(t))
	talk(t, c, "before")
	done := make(chan error, 1)
	go func() { done <- w.srv.Shutdown(context.Background()) }()
	eventually(t, "attempts while the server leaves", func() bool {
		return len(lines(w.agentLogs, "no new tunnel while the server leaves")) > 1
	})
	if said := lines(w.agentLogs, `msg="server leaves"`); len(said) != 1 || !strings.Contains(said[0], "connections=1") {
		t.Errorf("the agent said %q", said)
	}
	if alarms := lines(w.agentLogs, "level=WARN"); len(alarms) > 0 {
		t.Errorf("alarms: %q", alarms)
	}
	c.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if said := lines(w.logs, "agent down"); len(said) != 1 || !strings.Contains(said[0], ErrServerClosed.Error()) {
		t.Errorf("the server said %q", said)
	}
}

// The server's own log says once that and whom it refused.
func TestRefusalIsSaidOnce(t *testing.T) {
	for text, want := range map[string]string{
		"denied: agent node-2 with a certificate: no":  "denied: with a certificate: no",
		"denied: agent node-2: malformed":              "denied: malformed",
		"denied: agent node-20 with a certificate: no": "denied: agent node-20 with a certificate: no",
		"no token": "no token",
		"":         "denied",
	} {
		no := AgentRefusal{AgentID: "node-2", Err: &link.RefusedError{Reply: message.Reply{Status: message.Denied, Text: text}}}
		if got := no.words(); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
