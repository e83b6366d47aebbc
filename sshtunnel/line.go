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

	closing  sync.Once
	closeErr error
}

func newLine(c net.Conn, strict bool) *line {
	l := &line{Conn: c, strict: strict, start: time.Now(), ack: quickAcker(c)}
	l.in = bufio.NewReaderSize(reading{l}, lineBuffer)
	return l
}

// Read is called by one goroutine of package ssh at a time.
func (l *line) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
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
		r.l.failed.Store(true)
	}
	return n, err
}

// silence is for how long nothing has come.
func (l *line) silence() time.Duration {
	return time.Since(l.start) - time.Duration(l.heard.Load())
}

// Close closes the connection once, however many parts of package ssh do.
func (l *line) Close() error {
	l.failed.Store(true)
	l.closing.Do(func() { l.closeErr = l.Conn.Close() })
	return l.closeErr
}
