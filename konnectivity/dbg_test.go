package konnectivity
import ("testing";"context";"time";"os";"runtime/pprof";"net")
func TestDbg(t *testing.T) {
	w := linkCases()[1].world(t, nil)
	w.run(w.agentConfig("edge", everywhere))
	release := make(chan struct{})
	far := target(t, func(c net.Conn) {
		c.(*net.TCPConn).SetReadBuffer(16 << 10)
		c.(*net.TCPConn).SetWriteBuffer(16 << 10)
		pour(c)
		<-release
	})
	defer close(release)
	for i := range 16 {
		stopd := time.AfterFunc(1500*time.Millisecond, func(){ pprof.Lookup("goroutine").WriteTo(os.Stdout, 2) }); ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		c, err := w.srv.DialContext(ctx, "tcp", far)
		cancel(); stopd.Stop()
		if err != nil { t.Fatal(i, err) }
		t.Cleanup(func() { c.Close() })
	}
}
