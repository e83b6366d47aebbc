package wire

import (
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// Type says what a packet is. Its values are Konnectivity's and never change.
type Type int32

// The types. Zero is a DIAL_REQ, so a packet of no bytes is one without its
// payload: malformed.
const (
	DialReq  Type = 0 // open a connection
	DialRsp  Type = 1 // the answer: a connection id, or why not
	CloseReq Type = 2 // the opening end closes
	CloseRsp Type = 3 // the other end has closed
	Data     Type = 4 // bytes of one connection
	DialCls  Type = 5 // a dial is given up
	Drain    Type = 6 // no new connections, please
)

// The types that are ours. They are sent only where both ends have agreed.
const (
	HalfClose Type = 100 // the sender sends no more DATA on this connection
	Ping      Type = 101 // answer with a Pong of the same Random
	Pong      Type = 102
	Window    Type = 103 // the sender takes so many more bytes of DATA on this connection
)

// String returns the type's name in the protocol, usable as a metric label.
func (t Type) String() string {
	switch t {
	case DialReq:
		return "DIAL_REQ"
	case DialRsp:
		return "DIAL_RSP"
	case CloseReq:
		return "CLOSE_REQ"
	case CloseRsp:
		return "CLOSE_RSP"
	case Data:
		return "DATA"
	case DialCls:
		return "DIAL_CLS"
	case Drain:
		return "DRAIN"
	case HalfClose:
		return "HALF_CLOSE"
	case Ping:
		return "PING"
	case Pong:
		return "PONG"
	case Window:
		return "WINDOW"
	}
	return "UNKNOWN_" + strconv.Itoa(int(t))
}

// The fields of the outermost message: the type, and one payload message per type.
const (
	fieldType      protowire.Number = 1
	fieldDialReq   protowire.Number = 2
	fieldDialRsp   protowire.Number = 3
	fieldData      protowire.Number = 4
	fieldCloseReq  protowire.Number = 5
	fieldCloseRsp  protowire.Number = 6
	fieldDialCls   protowire.Number = 7
	fieldDrain     protowire.Number = 8
	fieldHalfClose protowire.Number = 100
	fieldPing      protowire.Number = 101
	fieldPong      protowire.Number = 102
	fieldWindow    protowire.Number = 103
)

// field returns the payload that belongs to the type, 0 for an unknown type.
func (t Type) field() protowire.Number {
	switch t {
	case DialReq:
		return fieldDialReq
	case DialRsp:
		return fieldDialRsp
	case CloseReq:
		return fieldCloseReq
	case CloseRsp:
		return fieldCloseRsp
	case Data:
		return fieldData
	case DialCls:
		return fieldDialCls
	case Drain:
		return fieldDrain
	case HalfClose:
		return fieldHalfClose
	case Ping:
		return fieldPing
	case Pong:
		return fieldPong
	case Window:
		return fieldWindow
	}
	return 0
}

// isPayload reports whether field num holds the payload of some type.
func isPayload(num protowire.Number) bool {
	return fieldDialReq <= num && num <= fieldDrain || fieldHalfClose <= num && num <= fieldWindow
}
