package packet

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// refusing takes nothing.
type refusing struct{ err error }

func (r refusing) Write([]byte) (int, error) { return 0, r.err }

// What a failed write took out of the queue counts as read: the peer, which is not
// told to stop, can send the rest to nowhere, as a relay has it do.
func TestRefusedBytesGiveTheWindowBack(t *testing.T) {
	broken := errors.New("broken pipe")
	for name, refuse := range map[string]func(st *Conn) error{
		"Deliver": func(st *Conn) error {
			ended := make(chan error, 1)
			st.Deliver(refusing{broken}, func(err error) { ended <- err })
			return <-ended
		},
		"WriteTo": func(st *Conn) error {
			n, err := st.WriteTo(refusing{broken})
			if n != 0 {
				t.Errorf("WriteTo: %d bytes", n)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const size = 1 << 20
				e := newEnds(t, true, true, func(o, a *Config) {
					for _, c := range []*Config{o, a} {
						c.Memory, c.Windows = 64<<20, withWindows(0).Windows
					}
				})
				from, err := e.opener.NewWindowed(1, nil, nil, 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				st, err := e.acceptor.NewWindowed(1, nil, nil, 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				wrote := make(chan int, 1)
				go func() {
					n, _ := from.Write(make([]byte, size))
					(&HalfCloser{from}).CloseWrite()
					wrote <- n
				}()
				synctest.Wait() // the window is full
				if err := refuse(st); err != broken {
					t.Errorf("ended with %v", err)
				}
				ended := make(chan error, 1)
				st.Deliver(io.Discard, func(err error) { ended <- err })
				select {
				case err := <-ended:
					if err != nil {
						t.Errorf("ended with %v", err)
					}
					if n := <-wrote; n != size {
						t.Errorf("%d of %d bytes were sent", n, size)
					}
				case <-time.After(time.Hour):
					t.Error("the peer waits for a window for ever")
				}
				from.Close()
				st.Close()
				e.stop()
			})
		})
	}
}
