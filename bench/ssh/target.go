package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
)

// targetMode is the argument that makes the program the target.
const targetMode = "target"

// What a conn to the target begins with.
const (
	wantBytes = 'D' // the target writes until the conn ends
	giveBytes = 'U' // the target reads to the end and answers how much it was
	wantEcho  = 'E' // the target sends back what it gets
)

// serveTarget is the target: it prints its address and serves until it is killed.
func serveTarget() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "ssh: target:", err)
		os.Exit(1)
	}
	fmt.Println(ln.Addr())
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go serveConn(c)
	}
}

func serveConn(c net.Conn) {
	defer c.Close()
	var want [1]byte
	if _, err := io.ReadFull(c, want[:]); err != nil {
		return
	}
	switch want[0] {
	case wantBytes:
		for chunk := make([]byte, 256<<10); ; {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	case giveBytes:
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 256<<10))
		if err == nil {
			c.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
		}
	case wantEcho:
		io.Copy(c, c)
	}
}
