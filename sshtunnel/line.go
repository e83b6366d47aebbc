package sshtunnel

import (
	"bufio"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// lineBuffer is how much is read from the connection at once. Package ssh reads
// in small pieces, byte by byte at first.
const lineBuffer = 32 << 10

// line is the connection below a client. It notes when the server was last
// heard, that it has failed, and what the server has offered before encryption.
type line struct {
	net.Conn
	in     *bufio.Reader
	ack    func() // see quickAcker
	strict bool   // a server that does not offer the strict key exchange is refused
	offer  offer

	start  time.Time
	heard  atomic.Int64 // when bytes last came, in ns since start
	wrote  atomic.Int64 // when the Write began that goes on, likewise; zero when none does
	failed atomic.Bool  // nothing more comes

	turn   sync.Mutex // guards what follows
	turned *sync.Cond // broadcast when inRead or failed has become true
	inRead bool       // package ssh wants more

	closing  sync.Once
	closeErr error
}

func newLine(c net.Conn, strict bool) *line {
	l := &line{Conn: c, strict: strict, start: time.Now(), ack: quickAcker(c)}
	l.in = bufio.NewReaderSize(reading{l}, lineBuffer)
	l.turned = sync.NewCond(&l.turn)
	return l
}

// Read is called by one goroutine of package ssh at a time.
func (l *line) Read(p []byte) (int, error) {
	l.setReading(true)
	n, err := l.in.Read(p)
	l.setReading(false)
	l.offer.see(p[:n])
	if l.strict && l.offer.over && !l.offer.strict {
		return 0, errNotStrict // before any key is exchanged
	}
	return n, err
}

// Write is called by one goroutine of package ssh at a time.
func (l *line) Write(p []byte) (int, error) {
	l.wrote.Store(int64(time.Since(l.start)) | 1) // a nanosecond more, but never zero
	defer l.wrote.Store(0)
	return l.Conn.Write(p)
}

// stuck is for how long the Write that goes on has been waiting, zero when none
// does.
func (l *line) stuck() time.Duration {
	began := l.wrote.Load()
	if began == 0 {
		return 0
	}
	return time.Since(l.start) - time.Duration(began)
}

// reading is the line below its buffer.
type reading struct{ l *line }

func (r reading) Read(p []byte) (int, error) {
	n, err := r.l.Conn.Read(p)
	if n > 0 && n < len(p) {
		r.l.ack() // while much comes, that is done by itself
	}
	if n > 0 {
		r.l.heard.Store(int64(time.Since(r.l.start)))
	}
	if err != nil {
		// Before package ssh learns of it: what ends now ends because of it.
		r.l.fail()
	}
	return n, err
}

// silence is for how long nothing has come.
func (l *line) silence() time.Duration {
	return time.Since(l.start) - time.Duration(l.heard.Load())
}

// Close closes the connection once, however many parts of package ssh do.
func (l *line) Close() error {
	l.fail()
	l.closing.Do(func() { l.closeErr = l.Conn.Close() })
	return l.closeErr
}

func (l *line) setReading(is bool) {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.inRead = is; is {
		l.turned.Broadcast()
	}
}

// fail notes that nothing more comes.
func (l *line) fail() {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.failed.Store(true)
	l.turned.Broadcast()
}

// goesOn waits until package ssh wants more of the line, or nothing more comes, and
// reports which. When it cannot decrypt or verify what came, it ends every channel
// before it closes the line, and it never reads again: so who has seen a channel end
// knows by this whether that is what the server has said.
func (l *line) goesOn() bool {
	l.turn.Lock()
	defer l.turn.Unlock()
	for !l.inRead && !l.failed.Load() {
		l.turned.Wait()
	}
	return !l.failed.Load()
}
