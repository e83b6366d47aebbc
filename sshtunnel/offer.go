package sshtunnel

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// errNotStrict is why a handshake with an old server fails: without strict key
// exchange somebody between the two can cut messages off the beginning of the
// encrypted part unseen.
var errNotStrict = errors.New("the server does not know the strict key exchange; it is too old, and Config.SSH is the way to talk to it all the same")

// What the first packet of a server looks like.
const (
	versionPrefix = "SSH-"
	strictServer  = "kex-strict-s-v00@openssh.com"
	msgDisconnect = 1
	msgKexInit    = 20
	maxOffer      = 64 << 10
)

// offer reads along with the unencrypted beginning of a connection, the server's
// version and its first packet, for whether it knows the strict key exchange.
// Package ssh does not tell. What is read here is signed by the host key later, so
// nobody between the two can add to it.
type offer struct {
	buf    []byte
	over   bool
	strict bool
}

// see takes the next bytes that came.
func (o *offer) see(p []byte) {
	if o.over || len(p) == 0 {
		return
	}
	o.buf = append(o.buf, p...)
	packet, complete := firstPacket(o.buf)
	if !complete && len(o.buf) < maxOffer {
		return
	}
	// A server that leaves at once offers nothing; package ssh says why it has left.
	o.strict = offersStrict(packet) || len(packet) > 0 && packet[0] == msgDisconnect
	o.buf, o.over = nil, true
}

// firstPacket returns the payload of the first packet behind the version.
func firstPacket(data []byte) (payload []byte, complete bool) {
	for {
		line, rest, ok := bytes.Cut(data, []byte("\n"))
		if !ok {
			return nil, false
		}
		data = rest
		if bytes.HasPrefix(line, []byte(versionPrefix)) {
			break
		}
	}
	if len(data) < 5 {
		return nil, false
	}
	size, padding := uint64(binary.BigEndian.Uint32(data)), uint64(data[4])
	switch {
	case size < padding+1:
		return nil, true // malformed, and package ssh says so
	case uint64(len(data)) < 4+size:
		return nil, false
	}
	return data[5 : 4+size-padding], true
}

// offersStrict looks through the key exchange methods, the first of the lists in
// a packet of that type.
func offersStrict(payload []byte) bool {
	const cookie = 16
	if len(payload) < 1+cookie+4 || payload[0] != msgKexInit {
		return false
	}
	list := payload[1+cookie:]
	size := uint64(binary.BigEndian.Uint32(list))
	if list = list[4:]; uint64(len(list)) < size {
		return false
	}
	for name := range bytes.SplitSeq(list[:size], []byte(",")) {
		if string(name) == strictServer {
			return true
		}
	}
	return false
}
