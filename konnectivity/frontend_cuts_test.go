package konnectivity

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// slowReset is a conn whose Reset takes until release is closed.
type slowReset struct {
	net.Conn
	begun, release chan struct{}
}

func (c slowReset) Reset(error) error {
	close(c.begun)
	<-c.release
	return c.Conn.Close()
}

// TestFrontendJoinsCuts: a cut that takes its time is the front end's to wait for,
// also of a connection that came about after the end.
func TestFrontendJoinsCuts(t *testing.T) {
	for name, cutOff := range map[string]func(f *Frontend, stop func()){
		"Close":           func(f *Frontend, _ func()) { f.Close() },
		"Serve's context": func(_ *Frontend, stop func()) { stop() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, far := net.Pipe()
				defer far.Close()
				late := slowReset{conn, make(chan struct{}), make(chan struct{})}
				f, err := NewFrontend(FrontendConfig{
					Mode: ModeHTTPConnect,
					Dialer: dialer.Func(func(ctx context.Context, _, _ string) (net.Conn, error) {
						<-ctx.Done()
						time.Sleep(time.Second) // by then its client is cut, and nobody relays
						return late, nil
					}),
				})
				if err != nil {
					t.Fatal(err)
				}
				wire := &cable{accepted: make(chan net.Conn)}
				wire.up.Store(true)
				ctx, cancel := context.WithCancel(t.Context())
				served, ended := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(served)
					f.Serve(ctx, plainListener{&end{cable: wire, closed: make(chan struct{})}})
				}()
				client, err := wire.DialContext(t.Context(), "tcp", "front")
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				io.WriteString(client, "CONNECT node-1:1 HTTP/1.1\r\nHost: x\r\n\r\n")
				synctest.Wait()
				go func() { defer close(ended); cutOff(f, func() { cancel(); <-served }) }()
				<-late.begun
				time.Sleep(time.Minute)
				select {
				case <-ended:
					t.Error("it ended over a cut that goes on")
				case <-served:
					t.Error("Serve ended over a cut that goes on")
				default:
				}
				close(late.release)
				<-ended
				<-served
				cancel()
			})
		})
	}
}
