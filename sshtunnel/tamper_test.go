package sshtunnel_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"

	"github.com/sallyport/sallyport/dialer"
)

// The messages of a key exchange, by RFC 4253.
const (
	msgIgnore  = 2
	msgKexInit = 20
	msgNewKeys = 21
)

// tamper is a man in the middle who edits what the server sends before the keys
// are there: edit gets each payload, and returns those to pass on.
func tamper(edit func(payload []byte) [][]byte) dialer.Func {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &tampered{Conn: c, in: bufio.NewReader(c), edit: edit}, nil
	}
}

// tampered is the client's end of such a connection.
type tampered struct {
	net.Conn
	in     *bufio.Reader
	out    bytes.Buffer // what was edited and not read yet
	edit   func([]byte) [][]byte
	talked bool // the version line has passed
	sealed bool // the keys are there, and nothing can be edited any more
}

func (c *tampered) Read(p []byte) (int, error) {
	for c.out.Len() == 0 && !c.sealed {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if c.out.Len() > 0 {
		return c.out.Read(p)
	}
	return c.in.Read(p)
}

// next takes another line or packet in.
func (c *tampered) next() error {
	if !c.talked {
		line, err := c.in.ReadBytes('\n')
		c.talked = bytes.HasPrefix(line, []byte("SSH-"))
		c.out.Write(line)
		return err
	}
	var head [5]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:4])-1)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return err
	}
	payload := body[:len(body)-int(head[4])]
	c.sealed = payload[0] == msgNewKeys
	for _, edited := range c.edit(payload) {
		c.out.Write(packet(edited))
	}
	return nil
}

// packet is payload as it travels before there are keys.
func packet(payload []byte) []byte {
	padding := 8 - (5+len(payload))%8
	if padding < 4 {
		padding += 8
	}
	p := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+padding))
	p = append(p, byte(padding))
	p = append(p, payload...)
	return append(p, make([]byte, padding)...)
}

// withoutStrict takes the server's offer of a strict key exchange away.
func withoutStrict(payload []byte) [][]byte {
	if payload[0] != msgKexInit {
		return [][]byte{payload}
	}
	const marker = ",kex-strict-s-v00@openssh.com"
	const lists = 1 + 16 // behind the message and the cookie
	n := binary.BigEndian.Uint32(payload[lists:])
	names := payload[lists+4:][:n]
	rest := payload[lists+4+int(n):]
	kept := bytes.Replace(names, []byte(marker), nil, 1)
	edited := append([]byte(nil), payload[:lists]...)
	edited = binary.BigEndian.AppendUint32(edited, uint32(len(kept)))
	edited = append(edited, kept...)
	return [][]byte{append(edited, rest...)}
}

// ignoreBefore puts a message that asks to be ignored before the first of a
// kind, which shifts the sequence numbers of what comes behind it.
func ignoreBefore(kind byte) func([]byte) [][]byte {
	return func(payload []byte) [][]byte {
		if payload[0] != kind {
			return [][]byte{payload}
		}
		return [][]byte{{msgIgnore, 0, 0, 0, 0}, payload}
	}
}
