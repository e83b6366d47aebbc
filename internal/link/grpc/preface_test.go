package grpc

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/sallyport/sallyport/internal/link"
)

// A server knows our agents by their mark, and takes nobody else for one.
func TestMark(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		tu, _ := inMemory(t, mode)
		if streams := tu.session.Protocol() == link.ProtocolStreams; streams && !tu.session.own {
			t.Error("streams for an agent without the mark")
		}
		if tu.agent.Plain && tu.session.own {
			t.Error("an agent like upstream's has the mark")
		}
		tu.stop()
	})
	settings := func(b string) string { return http2.ClientPreface + b }
	for name, c := range map[string]struct {
		said string
		own  bool
	}{
		"the mark":             {settings("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x06\x00\x01\x5a\x11"), true},
		"the mark behind more": {settings("\x00\x00\x0c\x04\x00\x00\x00\x00\x00\x00\x04\x00\x10\x00\x00\x00\x06\x00\x01\x5a\x11"), true},
		"another limit":        {settings("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x06\x00\x01\x00\x00"), false},
		"no settings":          {settings("\x00\x00\x00\x04\x00\x00\x00\x00\x00"), false},
		"another frame":        {settings("\x00\x00\x06\x06\x00\x00\x00\x00\x00\x00\x06\x00\x01\x5a\x11"), false},
		"a huge frame":         {settings("\xff\xff\xff\x04\x00\x00\x00\x00\x00"), false},
		"a part of a setting":  {settings("\x00\x00\x04\x04\x00\x00\x00\x00\x00\x00\x06\x00\x01"), false},
		"another protocol":     {"GET / HTTP/1.1\r\nHost: example\r\n\r\n" + strings.Repeat("x", 100), false},
		"too little":           {"PRI * HTTP/2.0", false},
		"nothing":              {"", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			far, near := net.Pipe()
			go func() {
				near.Write([]byte(c.said))
				time.Sleep(time.Minute)
				near.Close()
			}()
			w := watch(far)
			begin := time.Now()
			if w.isOwn(t.Context(), 5*time.Second) != c.own {
				t.Errorf("%s: taken for the opposite", name)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("%s: that took %v", name, took)
			}
			if got, err := io.ReadAll(w); string(got) != c.said || err != nil {
				t.Errorf("%s: %q, %v is left to read", name, got, err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		far, near := net.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if watch(far).isOwn(ctx, time.Hour) || time.Since(begin) != time.Second {
			t.Errorf("a mute client held it up for %v", time.Since(begin))
		}
		near.Close()
	})
}
