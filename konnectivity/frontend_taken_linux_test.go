package konnectivity

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestConnectAnswerIsReadAlone: a client that makes one read, as kube-apiserver's
// does, gets the answer and nothing besides, be the target ever so eager.
func TestConnectAnswerIsReadAlone(t *testing.T) {
	rounds := 500
	if testing.Short() || raceEnabled {
		rounds = 50
	}
	address := target(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n"); io.Copy(io.Discard, c) })
	for _, road := range connectRoads {
		fr := newFront(t, ModeHTTPConnect, road, nil)
		for i := range rounds {
			c := fr.send("CONNECT " + address + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
			buf := make([]byte, 4096)
			n, err := c.Read(buf)
			if err != nil || !strings.HasSuffix(string(buf[:n]), "\r\n\r\n") {
				t.Fatalf("%s, round %d: %q, %v", road, i, buf[:n], err)
			}
			c.Close()
		}
	}
}

// TestConnectAnswerIsNotAwaitedForever: a client that talks before it reads is
// served.
func TestConnectAnswerIsNotAwaitedForever(t *testing.T) {
	got := make(chan string, 1)
	address := target(t, func(c net.Conn) {
		b := make([]byte, 5)
		io.ReadFull(c, b)
		got <- string(b)
	})
	begin := time.Now()
	newFront(t, ModeHTTPConnect, overUnix, nil).send("CONNECT " + address + " HTTP/1.1\r\n\r\nhello")
	if text := within(t, "the target to be spoken to", got); text != "hello" || time.Since(begin) > 10*time.Second {
		t.Errorf("%q after %v", text, time.Since(begin))
	}
}
