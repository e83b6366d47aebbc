package main

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// targets are the servers behind the agents, each on a port of its own.
type targets struct {
	echo, sink, source, banner, collect string
	refused                             string // nobody listens there

	listeners []net.Listener
	serving   sync.WaitGroup
	collected chan int // bytes a connection of collect brought before it ended
}

const (
	bulkSize   = 20 << 20
	bannerText = "SSH-2.0-banner\r\n"
)

func listenTargets() (*targets, error) {
	t := &targets{collected: make(chan int, 1024)}
	for _, x := range []struct {
		at    *string
		serve func(net.Conn)
	}{
		{&t.echo, echo}, {&t.sink, sink}, {&t.source, source}, {&t.banner, banner}, {&t.collect, t.count},
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.close()
			return nil, err
		}
		*x.at = ln.Addr().String()
		t.listeners = append(t.listeners, ln)
		t.serving.Go(func() { t.accept(ln, x.serve) })
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.close()
		return nil, err
	}
	t.refused = ln.Addr().String()
	return t, ln.Close()
}

func (t *targets) accept(ln net.Listener, serve func(net.Conn)) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			serve(c)
		}()
	}
}

func (t *targets) close() {
	for _, ln := range t.listeners {
		ln.Close()
	}
	t.serving.Wait()
}

// echo answers with what it gets, and ends when its peer has ended.
func echo(c net.Conn) {
	io.Copy(c, c)
	c.(*net.TCPConn).CloseWrite()
}

// sink reads a length and that many bytes, and answers with their checksum.
func sink(c net.Conn) {
	var n uint64
	if binary.Read(c, binary.BigEndian, &n) != nil {
		return
	}
	h := sha256.New()
	if _, err := io.CopyN(h, c, int64(n)); err == nil {
		c.Write(h.Sum(nil))
	}
}

// source waits for a byte, sends bulkSize of them and closes.
func source(c net.Conn) {
	if _, err := c.Read(make([]byte, 1)); err == nil {
		c.Write(bulk())
	}
}

// banner speaks first and then echoes.
func banner(c net.Conn) {
	io.WriteString(c, bannerText)
	echo(c)
}

// count reports how much arrived before the end.
func (t *targets) count(c net.Conn) {
	n, _ := io.Copy(io.Discard, c)
	t.collected <- int(n)
}

// bulk is the same for everybody who asks.
var bulk = sync.OnceValue(func() []byte {
	b := make([]byte, bulkSize)
	x := uint64(0x9e3779b97f4a7c15)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
})
