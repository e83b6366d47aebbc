package testkit

import (
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/sallyport/sallyport/internal/leak"
)

// Serve's end ends a conn that nobody closes, and leaves nothing.
func TestServeEnds(t *testing.T) {
	leak.Check(t)
	var c net.Conn
	t.Run("serving", func(t *testing.T) {
		address := Serve(t, Must(net.Listen("tcp", "127.0.0.1:0"))(t), func(c net.Conn) { io.Copy(c, c) })
		c = Must(net.Dial("tcp", address))(t)
		if err := Exchange(c, "words"); err != nil {
			t.Error(err)
		}
	})
	defer c.Close()
	if err := Exchange(c, "more"); err == nil {
		t.Error("a conn outlives the test of its target")
	}
}

// Exchange tells another answer from the one it wants.
func TestExchange(t *testing.T) {
	near, far := net.Pipe()
	var answering sync.WaitGroup
	answering.Go(func() {
		defer far.Close()
		io.ReadFull(far, make([]byte, 5))
		io.WriteString(far, "sword")
	})
	if err := Exchange(near, "words"); err == nil || !strings.Contains(err.Error(), "sword") {
		t.Errorf("got %v", err)
	}
	near.Close()
	answering.Wait()
}

func TestLogs(t *testing.T) {
	var l Logs
	var writing sync.WaitGroup
	for range 4 {
		writing.Go(func() { l.Logger().Info("said", "who", "somebody") })
	}
	writing.Wait()
	if n := strings.Count(l.String(), "who=somebody\n"); n != 4 {
		t.Errorf("%d of 4 lines in %q", n, l.String())
	}
}

// Must and Eventually end a test that fails.
func TestFailures(t *testing.T) {
	for name, f := range map[string]func(testing.TB){
		"Must":       func(t testing.TB) { Must(0, io.ErrUnexpectedEOF)(t) },
		"Eventually": func(t testing.TB) { Eventually(t, "never", func() bool { return false }) },
	} {
		synctest.Test(t, func(t *testing.T) { // where patience costs no time
			fake := &failing{TB: t}
			var running sync.WaitGroup
			running.Go(func() { f(fake) })
			running.Wait()
			if !fake.failed {
				t.Errorf("%s let a failure pass", name)
			}
		})
	}
}

// failing is a test that may fail.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper()               {}
func (f *failing) Fatal(...any)          { f.failed = true; runtime.Goexit() }
func (f *failing) Fatalf(string, ...any) { f.failed = true; runtime.Goexit() }
